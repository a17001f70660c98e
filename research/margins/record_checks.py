"""A pytest plugin that records the numbers which the tests compare.

``pytest -p research.margins.record_checks -o enable_assertion_pass_hook=true`` appends a line of
JSON for each comparison of a number with a bound, and for each comparison of arrays within a
tolerance, to a file for the process in the folder ``RECORD_CHECKS``. ``SEED_OFFSET`` is added to
every seed that is given to PyTorch.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

_NUMPY_NUMBER = re.compile(r'\bnp\.\w+\(([^()]*)\)')
_ORDER: dict[type[ast.cmpop], str] = {ast.Lt: '<', ast.LtE: '<=', ast.Gt: '>', ast.GtE: '>='}


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
        text = _NUMPY_NUMBER.sub(r'\1', explanation.partition('\n')[0])
        try:
            comparison = ast.parse(text, mode='eval').body
        except (SyntaxError, ValueError):
            return
        if not isinstance(comparison, ast.Compare):
            return
        numbers = [*map(_number_of, (comparison.left, *comparison.comparators))]
        for operator, (left, right) in zip(comparison.ops, pairwise(numbers), strict=True):
            if type(operator) in _ORDER and left is not None and right is not None:
                self.record(f'{check} [{_ORDER[type(operator)]}]', left, right)

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


def _number_of(node: ast.expr) -> float | None:
    """Compute an expression of numbers alone, such as ``0.8 * 8.5``; None for any other."""
    kinds = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    if not all(isinstance(part, kinds) for part in ast.walk(node)):
        return None
    try:
        return float(eval(compile(ast.Expression(node), '', 'eval')))
    except (ArithmeticError, TypeError, ValueError):
        return None


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
