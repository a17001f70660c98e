"""The tables of the notebooks are those of what was measured."""

from __future__ import annotations

import csv
import re

import pytest

from support.paths import ROOT

BENCHMARKS = ROOT / 'research' / 'docs' / 'benchmarks'


def rows(page: str) -> list[list[str]]:
    """The cells of all tables' rows."""
    lines = [line for line in page.splitlines() if line.startswith('| ')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


@pytest.mark.parametrize('name', ['demo', 'generated', 'jhmdb', 'pilot'])
def test_the_table_of_a_benchmark_is_that_of_its_csv(name):
    with (BENCHMARKS / f'{name}.csv').open(encoding='utf-8', newline='') as file:
        figures = {
            (row['method'], f'T = {row["T"]}'): f'{row["PCK@0.1"]} / {row["error %"]}'
            for row in csv.DictReader(file)
            if row['frames'] == 'unlabelled' and not row['by']
        }
    table = rows((BENCHMARKS / f'{name}.md').read_text(encoding='utf-8'))
    start = next(i for i, row in enumerate(table) if row[0].startswith('PCK@0.1'))
    _, *intervals = table[start]
    shown = {
        (method, interval): cell
        for method, *cells in table[start + 2 :]
        for interval, cell in zip(intervals, cells, strict=True)
    }
    assert shown == figures


def test_commands_and_files_that_the_pages_name_exist():
    folder = ROOT / 'research'
    pages = [folder / 'README.md', *(folder / 'docs').rglob('*.md')]
    text = '\n'.join(page.read_text(encoding='utf-8') for page in pages)
    tools = set(re.findall(r'research\.tools\.([a-z_]+)', text))
    assert not {tool for tool in tools if not (folder / 'tools' / f'{tool}.py').is_file()}
    named = set(re.findall(r'(?:research/)?configs/[\w/]+\.py', text))
    assert not {name for name in named if not (ROOT / name).is_file()}
    for page in pages:
        for target in re.findall(r'\]\(([^)#\s]+)', page.read_text(encoding='utf-8')):
            assert '://' in target or (page.parent / target).exists(), f'{page.name}: {target}'
