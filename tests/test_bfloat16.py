"""Whether bfloat16 pays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from stdpose_mm import bfloat16
from stdpose_mm.bfloat16 import is_bfloat16_faster


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    is_bfloat16_faster.cache_clear()
    yield
    is_bfloat16_faster.cache_clear()


def test_processors_without_onednn_are_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, 'is_available', lambda: False)
    assert not is_bfloat16_faster('cpu')
    assert is_bfloat16_faster('cuda')


@pytest.mark.parametrize(
    ('float32', 'emulated', 'is_faster'),
    [
        # Other programs made some rounds longer.
        ([9, 4, 9, 9, 9], [7, 7, 5, 7, 7], False),
        ([4, 4, 4, 4, 9], [9, 9, 9, 9, 3], True),
    ],
)
def test_what_takes_less_time_undisturbed_is_faster(
    monkeypatch: pytest.MonkeyPatch, float32: list[int], emulated: list[int], is_faster: bool
) -> None:
    seconds = {False: iter(float32), True: iter(emulated)}
    monkeypatch.setattr(torch.ops.mkldnn, '_is_mkldnn_bf16_supported', lambda: True)
    monkeypatch.setattr(bfloat16, '_training_seconds', lambda kind: next(seconds[kind]))
    assert is_bfloat16_faster('cpu') is is_faster


def test_it_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, '_is_mkldnn_bf16_supported', lambda: True)
    is_bfloat16_faster('cpu')
    monkeypatch.delattr(bfloat16, '_training_seconds')
    is_bfloat16_faster('cpu')
