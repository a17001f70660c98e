from __future__ import annotations

import ast

import pytest

from support.paths import ROOT
from support.tools import load_tool

tool = load_tool('misc/mutate')


def changes_of(source: str) -> set[tuple[str, str]]:
    return {(mutant.before, mutant.after) for mutant in tool.make_mutants(source)}


@pytest.mark.parametrize(
    ('source', 'changes'),
    [
        ('a < b', {'a <= b', 'a >= b'}),
        ('a == b', {'a != b'}),
        ('a not in b', {'a in b'}),
        ('a + b', {'a - b'}),
        ('a and b', {'a or b'}),
        ('not a', {'not not a'}),
        ('-a', {'+a'}),
        ('f(3)', {'4', '2'}),
        ('f(True)', {'False'}),
        ('min(a)', {'max'}),
        ('b if a else c', {'b if not a else c'}),
        ('a += b', {'a -= b'}),
        ('for a in b:\n    continue', {'break'}),
        ('"text"', set()),
        ('raise ValueError(1 + 2)', set()),
        ('x: list[1] = y', set()),
    ],
)
def test_changes(source: str, changes: set[str]) -> None:
    assert {after for _, after in changes_of(source)} == changes


def test_each_mutant_is_changed_in_one_place() -> None:
    source = 'def f(a, b):\n    return a < 1 and b > 2\n'
    original = ast.unparse(ast.parse(source))
    texts = [ast.unparse(mutant.tree) for mutant in tool.make_mutants(source)]

    assert len({*texts}) == len(texts) == 9
    assert original not in texts
    assert {mutant.line for mutant in tool.make_mutants(source)} == {2}


@pytest.mark.slow
@pytest.mark.parametrize(('new', 'outcome'), [('(2)', 'killed'), ('(1)', 'survived')])
def test_tests_are_run_with_the_changed_code(tmp_path, new: str, outcome: str) -> None:
    module = ROOT / 'stdpose_mm' / 'version.py'
    test = tmp_path / 'test_it.py'
    test.write_text(
        'from stdpose_mm.version import NUMBER\n\ndef test_number():\n    assert NUMBER == 1\n'
    )
    before = module.read_bytes()
    code = compile(f'NUMBER = {new}\n__version__ = "0"', str(module), 'exec')

    assert tool.run_tests(module, code, [str(test)], limit=60) == outcome
    assert module.read_bytes() == before
