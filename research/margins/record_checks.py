"""A pytest plugin that records the numbers which the tests compare.

``pytest -p research.margins.record_checks -o enable_assertion_pass_hook=true`` appends a line of
JSON for each comparison of a number with a bound, and for each comparison of arrays within a
tolerance, to a file for the process in the folder ``RECORD_CHECKS``. ``SEED_OFFSET`` is added to
every seed that is given to PyTorch.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

_NUMBER = r'(?:np\.float\d+\()?(-?(?:\d[\d.]*(?:e[-+]?\d+)?|inf|nan))\)?'
_COMPARISON = re.compile(rf'{_NUMBER} (<=?|>=?) (?={_NUMBER})')


class CheckRecorder:
    """Recorder of the checks of one process.

    Args:
        path: File to which lines are appended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.test = ''

    def record(self, check: str, value: float, bound: float) -> None:
        """Append a check that holds while ``value`` stays on its side of ``bound``."""
        entry = {'test': self.test, 'check': check, 'value': value, 'bound': bound}
        with self.path.open('a') as stream:
            print(json.dumps(entry), file=stream)

    def record_comparisons(self, check: str, explanation: str) -> None:
        """Record the comparisons ``number < number`` of an assertion that pytest has explained."""
        for match in _COMPARISON.finditer(explanation.partition('\n')[0]):
            left, operator, right = match.groups()
            self.record(f'{check} [{operator}]', float(left), float(right))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Remember which test runs."""
        self.test = item.nodeid
        return (yield)

    def pytest_assertion_pass(self, item: pytest.Item, lineno: int, orig: str, expl: str) -> None:
        """Record the comparisons of an assertion that holds."""
        self.record_comparisons(f'line {lineno}', expl)

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Record the comparisons of an assertion that fails."""
        if call.excinfo is not None and call.excinfo.errisinstance(AssertionError):
            line = call.excinfo.traceback[-1].lineno + 1
            _, _, explanation = str(call.excinfo.value).rpartition('assert ')
            self.record_comparisons(f'line {line}', explanation)

    def compare_arrays(self, function: Callable[..., Any], rtol: float, atol: float) -> Any:
        """Wrap a function that compares arrays; record the largest share of the tolerance."""

        @functools.wraps(function)
        def compare(actual: Any, desired: Any, *args: Any, **options: Any) -> Any:
            relative = options.get('rtol', args[0] if args else rtol)
            absolute = options.get('atol', args[1] if len(args) > 1 else atol)
            share = _largest_share(actual, desired, relative or 0, absolute or 0)
            if share is not None:
                self.record(f'{function.__name__}({relative}, {absolute}) [<=]', share, 1.0)
            return function(actual, desired, *args, **options)

        return compare


def _largest_share(actual: Any, desired: Any, rtol: float, atol: float) -> float | None:
    """Return the largest |actual - desired| / (atol + rtol |desired|); None without a number."""
    try:
        first, second = (np.asarray(values, float) for values in (actual, desired))
        difference, tolerance = np.abs(first - second), atol + rtol * np.abs(second)
    except (TypeError, ValueError, RuntimeError):
        return None
    inexact = difference > 0
    if not inexact.any() or not np.isfinite(difference).all():
        return None
    return float((difference[inexact] / (tolerance + np.zeros_like(difference))[inexact]).max())


def pytest_configure(config: pytest.Config) -> None:
    """Begin to record."""
    folder = Path(os.environ['RECORD_CHECKS'])
    folder.mkdir(parents=True, exist_ok=True)
    recorder = CheckRecorder(folder / f'{os.getpid()}.jsonl')
    config.pluginmanager.register(recorder)
    np.testing.assert_allclose = recorder.compare_arrays(np.testing.assert_allclose, 1e-7, 0)
    np.allclose = recorder.compare_arrays(np.allclose, 1e-5, 1e-8)
    torch.allclose = recorder.compare_arrays(torch.allclose, 1e-5, 1e-8)
    torch.testing.assert_close = recorder.compare_arrays(torch.testing.assert_close, 1.3e-6, 1e-5)

    set_seed = torch.manual_seed
    offset = int(os.environ.get('SEED_OFFSET', 0))
    torch.manual_seed = lambda seed: set_seed(seed + offset)
