"""Change a module in small ways, one at a time, and see which changes the tests do not notice.

    python tools/misc/mutate.py stdpose_mm/tracking/association.py \
        --tests tests/tracking/test_association.py --count 50 --seed 0

Comparisons are turned or moved by one, sums become differences, ``and`` becomes ``or``, ``not``
goes, numbers change by one, ``min`` becomes ``max``. What only errors say and types are left alone.
Each change runs in a process of its own, in memory; no file is written. For developers: a change
that survives is a test that is missing, or code that nobody needs.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.errors import InputError

ROOT = Path(__file__).resolve().parents[2]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NAMES = {'min': 'max', 'max': 'min', 'any': 'all', 'all': 'any'}

# Loaded once for all processes; each process loads the package itself again.
_PRELOADED = ('numpy', 'scipy.optimize', 'cv2', 'av', 'hypothesis', 'pytest', 'torch')

_NO_TESTS = 5
"""Exit code of pytest where nothing was collected."""


@dataclass(frozen=True)
class Mutant:
    """Describe one change of a module.

    Args:
        line: Line of the file.
        before: The expression, as Python would write it.
        after: The changed expression.
        tree: The changed module.
    """

    line: int
    before: str
    after: str
    tree: ast.Module


def make_mutants(source: str) -> list[Mutant]:
    """Make every change of a module, in the order of its lines."""
    tree = ast.parse(source)
    mutants = []
    for number, node in enumerate(_changeable(tree)):
        for change in _changes(node):
            changed = copy.deepcopy(tree)
            target = next(n for i, n in enumerate(_changeable(changed)) if i == number)
            change(target)
            ast.fix_missing_locations(changed)
            before, after = ast.unparse(node), ast.unparse(target)
            mutants.append(Mutant(getattr(node, 'lineno', 0), before, after, changed))
    return mutants


def _changeable(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a module but for those in annotations, messages and type aliases."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        children: list[ast.AST] = []
        for name, value in ast.iter_fields(node):
            if name in ('annotation', 'returns', 'decorator_list', 'type_params'):
                continue
            children += [child for child in _listed(value) if not _is_left_alone(child)]
        waiting += reversed(children)


def _listed(value: object) -> list[ast.AST]:
    values = value if isinstance(value, list) else [value]
    return [child for child in values if isinstance(child, ast.AST)]


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.JoinedStr)):
        return True
    # Types such as `str | Path` at the level of the module.
    is_alias = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
    names = [n for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Constant))]
    return is_alias and any(getattr(n, 'id', '') in ('str', 'int', 'Path') for n in names)


def _changes(node: ast.AST) -> Iterator[Callable[[Any], None]]:
    """Yield functions that change such a node in place."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in _COMPARISONS[type(operator)]:
                yield partial(_set_comparison, place=place, operator=other)
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in _OPERATORS:
        opposite = _OPERATORS[type(node.op)]
        yield lambda n: setattr(n, 'op', opposite())
    elif isinstance(node, ast.BoolOp):
        junction = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield lambda n: setattr(n, 'op', junction())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
        # `+x` is x; `not not x` is whether x holds.
        if isinstance(node.op, ast.Not):
            yield lambda n: setattr(n, 'operand', ast.UnaryOp(ast.Not(), n.operand))
        else:
            yield lambda n: setattr(n, 'op', ast.UAdd())
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)) and not isinstance(
        node.test, (ast.Compare, ast.BoolOp, ast.UnaryOp)
    ):
        yield lambda n: setattr(n, 'test', ast.UnaryOp(ast.Not(), n.test))
    elif isinstance(node, ast.Constant) and type(node.value) in (bool, int, float):
        if isinstance(node.value, bool):
            yield lambda n: setattr(n, 'value', not n.value)
        else:
            yield lambda n: setattr(n, 'value', n.value + 1)
            yield lambda n: setattr(n, 'value', n.value - 1)
    elif isinstance(node, ast.Name) and node.id in _NAMES and isinstance(node.ctx, ast.Load):
        yield lambda n: setattr(n, 'id', _NAMES[n.id])
    elif isinstance(node, (ast.Continue, ast.Break)):
        other_statement = ast.Break if isinstance(node, ast.Continue) else ast.Continue
        yield lambda n: setattr(n, '__class__', other_statement)


def _set_comparison(node: ast.Compare, place: int, operator: type[ast.cmpop]) -> None:
    node.ops[place] = operator()


class _ChangedCode(importlib.machinery.SourceFileLoader):
    """Load a module as changed code."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        super().__init__(name, str(path))
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class _Finder(importlib.abc.MetaPathFinder):
    """Find one module as changed code, all others as usual."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path = name, path
        self._loader = _ChangedCode(name, path, code)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self._loader)


def run_tests(module: Path, code: CodeType, tests: Sequence[str], limit: float) -> str:
    """Run tests with changed code in a process of its own.

    Args:
        module: The file of the module.
        code: The code that replaces it.
        tests: Arguments of pytest.
        limit: Seconds after which the process is killed.

    Returns:
        'survived' if the tests pass, else 'killed' or 'timeout'.

    Raises:
        InputError: If there are no such tests.
    """
    # In pytest's own folder, removing the files of earlier runs would count as time of the tests.
    with tempfile.TemporaryDirectory() as folder:
        status = _exit_code_of(
            partial(_run_pytest, module, code, [*tests, f'--basetemp={folder}/pytest']), limit
        )
    if status == _NO_TESTS:
        raise InputError(f'{" ".join(tests)} hold no tests, name files or folders of tests')
    return {None: 'timeout', 0: 'survived'}.get(status, 'killed')


def _exit_code_of(work: Callable[[], int], limit: float) -> int | None:
    """Do something in a process of its own; None if it is killed after ``limit`` seconds."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = work()
        finally:
            os._exit(status)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    # Tests may have started processes of their own.
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _run_pytest(module: Path, code: CodeType, tests: Sequence[str]) -> int:
    os.setpgid(0, 0)
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    name = '.'.join(module.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')
    for known in [known for known in sys.modules if known.partition('.')[0] == 'stdpose_mm']:
        del sys.modules[known]
    sys.meta_path.insert(0, _Finder(name, module, code))
    import pytest

    return int(pytest.main(['-q', '-x', '-p', 'no:cacheprovider', *tests]))


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = OneLineParser('mutate.py', __doc__)
    parser.add_argument('module', type=Path, metavar='MODULE', help='a file of the package')
    parser.add_argument(
        '--tests', nargs='+', required=True, help='tests that should notice a change'
    )
    parser.add_argument(
        '--count', type=positive, default=50, help='number of changes (%(default)s)'
    )
    parser.add_argument(
        '--seed', type=seed, default=0, help='seed of the choice of changes (%(default)s)'
    )
    return parser


def mutate(args: argparse.Namespace) -> None:
    """Check that the tests pass, try the changes, and print those that they do not notice.

    Raises:
        InputError: If the module is not part of the package, or the tests fail without a change.
    """
    module = args.module.resolve()
    if not module.is_file() or ROOT / 'stdpose_mm' not in module.parents:
        raise InputError(f'{args.module} is no file of the package stdpose_mm')
    source = module.read_text(encoding='utf-8')
    for name in _PRELOADED:
        # PyTorch is not there in the light environment.
        with suppress(ImportError):
            importlib.import_module(name)
    began = time.monotonic()
    unchanged = compile(source, str(module), 'exec')
    if run_tests(module, unchanged, args.tests, limit=600) != 'survived':
        raise InputError(f'{" ".join(args.tests)} fail without a change, mend them first')
    limit = 10 + 5 * (time.monotonic() - began)
    mutants = make_mutants(source)
    chosen = random.Random(args.seed).sample(mutants, min(args.count, len(mutants)))
    survivors = []
    for mutant in sorted(chosen, key=lambda mutant: mutant.line):
        code = compile(mutant.tree, str(module), 'exec')
        if run_tests(module, code, args.tests, limit) == 'survived':
            survivors.append(mutant)
            print(f'{args.module}:{mutant.line}: {mutant.before}  ->  {mutant.after}', flush=True)
    killed = len(chosen) - len(survivors)
    print(
        f'{args.module}: {killed} of {len(chosen)} changes were noticed '
        f'({100 * killed / max(len(chosen), 1):.0f} %), of {len(mutants)} that can be made'
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(), mutate, arguments)


if __name__ == '__main__':
    sys.exit(main())
