"""Whether bfloat16 pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from stdpose_mm import bfloat16
from stdpose_mm.bfloat16 import is_bfloat16_faster, measure_bfloat16


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    is_bfloat16_faster.cache_clear()
    yield
    is_bfloat16_faster.cache_clear()


def test_processors_without_onednn_are_slower(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, 'is_available', lambda: False)
    assert not is_bfloat16_faster('cpu')
    assert is_bfloat16_faster('cuda')


@pytest.mark.parametrize(
    ('float32', 'in_bfloat16', 'is_faster'),
    [
        # The least of all rounds counts.
        ([9, 6, 9, 9, 9], [7, 7, 7, 7, 7], False),
        ([9, 6, 9, 9, 9], [7, 7, 5, 7, 7], True),
        ([4, 4, 4, 4, 9], [9, 9, 9, 9, 3], True),
    ],
)
def test_what_takes_much_longer_is_slower(monkeypatch, float32, in_bfloat16, is_faster):
    now = 0
    seconds = {False: iter(float32), True: iter(in_bfloat16)}

    def compute(kind: bool) -> None:
        nonlocal now
        now += next(seconds[kind])

    monkeypatch.setattr(bfloat16, '_ROUNDS', 5)
    monkeypatch.setattr(bfloat16.time, 'process_time', lambda: now)
    assert measure_bfloat16(compute) is is_faster


def test_a_processor_with_amx_is_not_measured(monkeypatch):
    """What else the machine does would change the answer from run to run."""
    monkeypatch.delenv('ONEDNN_MAX_CPU_ISA', raising=False)
    monkeypatch.setattr(torch.ops.mkldnn, '_is_mkldnn_bf16_supported', lambda: True)
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: True)
    monkeypatch.setattr(bfloat16, 'measure_bfloat16', lambda _: False)
    assert is_bfloat16_faster('cpu')


@pytest.mark.parametrize('is_faster', [False, True])
@pytest.mark.parametrize('context', [torch.no_grad, torch.inference_mode])
def test_training_is_measured_once(monkeypatch, context, is_faster):
    def measure(compute: Callable[[bool], object]) -> bool:
        compute(False)
        assert torch.get_num_threads() == 1
        return next(answers)

    answers, threads = iter([is_faster]), torch.get_num_threads()
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: False)
    monkeypatch.setattr(torch.ops.mkldnn, '_is_mkldnn_bf16_supported', lambda: True)
    monkeypatch.setattr(bfloat16, 'measure_bfloat16', measure)
    with context():
        assert is_bfloat16_faster('cpu') is is_faster
    assert torch.get_num_threads() == threads
    assert is_bfloat16_faster('cpu') is is_faster
