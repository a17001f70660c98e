"""Margins of tests: what is recorded of them, and what is made of the records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research.margins.record_checks import CheckRecorder
from research.tools import measure_margins
from research.tools.measure_margins import collect_margins

TESTS = """
import numpy as np
import torch

def test_drawn():
    torch.manual_seed(0)
    assert torch.rand(1).item() < 1.5
    np.testing.assert_allclose(1.0, 1.25, atol=0.5, rtol=0)

def test_narrow():
    torch.manual_seed(0)
    assert torch.rand(1).item() < BOUND
"""


@pytest.fixture
def recorder(tmp_path: Path) -> CheckRecorder:
    return CheckRecorder(tmp_path / 'checks.jsonl')


def recorded(recorder: CheckRecorder) -> list[tuple[float, float]]:
    lines = recorder.path.read_text().splitlines() if recorder.path.exists() else []
    return [(entry['value'], entry['bound']) for entry in map(json.loads, lines)]


@pytest.mark.parametrize(
    ('explanation', 'expected'),
    [
        ('0.25 < 0.5\n +  where 0.25 = error()', [(0.25, 0.5)]),
        ('0 < 3 <= 4', [(0, 3), (3, 4)]),
        ('np.float64(96.5) > 95', [(96.5, 95)]),
        ('-1e-05 >= -2', [(-1e-5, -2)]),
        ('8.5 < (0.8 * 8.0)', [(8.5, 6.4)]),
        ('4 == 4', []),
        ("'a' < 'b'", []),
        ('[1, 2] == [1, 2]', []),
    ],
)
def test_comparisons_of_numbers_are_recorded(recorder, explanation, expected):
    recorder.record_comparisons('line 1', explanation)
    assert recorded(recorder) == [pytest.approx(pair) for pair in expected]


def test_the_share_of_the_tolerance_is_recorded(recorder):
    compare = recorder.compare_arrays(np.allclose, 1e-5, 1e-8)
    # Of |2 - 1.5| within 0.5 + 0.25 * 1.5, and |3 - 3.1| within 0.5 + 0.25 * 3.1.
    assert compare([2, 3], [1.5, 3.1], atol=0.5, rtol=0.25)
    assert compare([1, 1], [1, 1])
    assert compare([1], [1.0000001])
    (share, bound), (default_share, _) = recorded(recorder)
    assert share == pytest.approx(0.5 / 0.875)
    assert bound == 1
    assert default_share == pytest.approx(1e-7 / (1e-8 + 1e-5), rel=1e-3)


def entry(run: str, check: str, value: float, bound: float) -> dict[str, Any]:
    return {'run': run, 'test': 't', 'check': check, 'value': value, 'bound': bound}


def test_margins_are_distances_in_standard_deviations():
    margins = collect_margins(
        [entry(run, '[>]', value, 95.0) for run, value in (('a', 97.0), ('b', 98.0), ('c', 99.0))]
    )
    # Their standard deviation is 1.
    assert margins['t', '[>] #0'].deviations == 3
    (above,) = collect_margins([entry('a', '[<]', 7, 1), entry('b', '[<]', 9, 1)]).values()
    assert above.deviations == pytest.approx(-7 / 2**0.5)


def test_repeated_checks_are_compared_turn_by_turn():
    loop = [entry(run, '[<]', value, 1) for run in 'ab' for value in (0.1, 0.2)]
    assert collect_margins(loop) == {}
    assert [*collect_margins([*loop, entry('c', '[<]', 0.3, 1)])] == [('t', '[<] #0')]


@pytest.mark.slow
@pytest.mark.parametrize('bound', [1.5, 0.4])
def test_a_bound_that_seeds_reach_is_told(tmp_path, capsys, bound):
    tests = tmp_path / 'test_numbers.py'
    tests.write_text(TESTS.replace('BOUND', str(bound)))
    # PyTorch draws 0.4963 with seed 0, 0.3189 with seed 1000.
    words = f'--environments default --seeds 2 --workers 1 --least 2 --out-dir {tmp_path / "out"}'
    if bound == 1.5:
        assert measure_margins.main([str(tests), *words.split()]) == 0
    else:
        with pytest.raises(SystemExit, match='1'):
            measure_margins.main([str(tests), *words.split()])
    printed = capsys.readouterr().out
    assert ('test_narrow' in printed.split('deviations')[0]) == (bound == 0.4)
    assert '::test_drawn | line 7 [<] #0 | 2 | 0.' in printed
