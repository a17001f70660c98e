"""What README and docs name exists: pages, headings, files, modules and their attributes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'SECURITY.md')),
    *sorted((ROOT / 'docs').rglob('*.md')),
]

FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
FILE = re.compile(
    r'(?<![\w./<{])(?:configs|demo|docs|requirements|stdpose_mm|tests|tools)/[\w./*{},-]*[\w/*}]'
)
IMPORT = re.compile(r'from (stdpose_mm[\w.]*) import ([\w, ]+|\([^)]*\))')
DOTTED = re.compile(r'(?<![\w./-])stdpose_mm(?:\.\w+)+')

pages = pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """The text without blocks of code."""
    return FENCE.sub('', page.read_text(encoding='utf-8'))


def code(page: Path) -> list[str]:
    """Blocks of code, and what stands between backticks."""
    blocks = [body for _, body in FENCE.findall(page.read_text(encoding='utf-8'))]
    return blocks + re.findall(r'`([^`\n]+)`', prose(page))


def anchors(page: Path) -> set[str]:
    """The headings' anchors, as GitHub and MkDocs make them."""
    headings = re.findall(r'^#+ (.+)$', prose(page), re.MULTILINE)
    return {re.sub(r'[^\w\s-]', '', text.lower()).strip().replace(' ', '-') for text in headings}


def alternatives(path: str) -> Iterator[str]:
    """``a/{b,c}.py`` -> ``a/b.py``, ``a/c.py``."""
    parts = [part.split(',') for part in re.split(r'[{}]', path)]
    for choice in product(*parts):
        yield ''.join(choice)


@pages
def test_links_lead_somewhere(page):
    broken = []
    for target in LINK.findall(prose(page)):
        if re.match(r'https?://|mailto:', target):
            continue
        path, _, anchor = target.partition('#')
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


@pages
def test_docs_link_to_docs_only(page):
    """Other files are not part of the site."""
    docs = ROOT / 'docs'
    links = [link.partition('#')[0] for link in LINK.findall(prose(page)) if '://' not in link]
    outside = [link for link in links if not (page.parent / link).resolve().is_relative_to(docs)]
    assert docs not in page.parents or not outside


@pages
def test_named_files_exist(page):
    named = {
        path for text in code(page) for found in FILE.findall(text) for path in alternatives(found)
    }
    assert not {path for path in named if not any(ROOT.glob(path.rstrip('/')))}


@pages
def test_named_modules_and_attributes_exist(page):
    named = {name for text in code(page) for name in DOTTED.findall(text)}
    named -= {name for name in named if (ROOT / name).exists()}
    for module, names in IMPORT.findall(page.read_text(encoding='utf-8')):
        named |= {f'{module}.{name}' for name in re.findall(r'\w+', names)}
    assert not {name for name in named if not is_defined(name)}


@pytest.mark.parametrize(
    'form', [r'(?<![/\w])docs/[\w/]+\.md', r'\bresearch/docs/[\w/]+\.md', r'\bconfigs/[\w/]+\.py']
)
def test_pages_and_configs_that_sources_name_exist(form):
    sources = [
        path
        for folder in ('stdpose_mm', 'configs', 'tools', 'demo')
        for path in (ROOT / folder).rglob('*.*')
        if path.suffix in ('.py', '.yml')
    ]
    named = {
        name for path in sources for name in re.findall(form, path.read_text(encoding='utf-8'))
    }
    assert named
    assert not {name for name in named if not (ROOT / name).is_file()}


# Names are looked up in the source: importing everything would need everything installed.


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a source file."""
    return ast.parse(path.read_text(encoding='utf-8'))


def is_defined(dotted: str) -> bool:
    """Whether a module or what it defines or imports has this name."""
    return lookup(dotted.split('.'))


def lookup(parts: list[str]) -> bool:
    """Follow a dotted name through folders, modules and imports."""
    for number in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:number])
        source = path / '__init__.py' if path.is_dir() else path.with_suffix('.py')
        if source.is_file():
            rest = parts[number:]
            return not rest or find(parse(source), rest, source)
    return False


def find(tree: ast.Module | ast.ClassDef, parts: list[str], source: Path | None = None) -> bool:
    """Whether a module or class defines a name, and that name the next one."""
    name, *rest = parts
    for node in ast.walk(tree) if isinstance(tree, ast.Module) else tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return not rest or find(node, rest)
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return True
        if source and isinstance(node, ast.ImportFrom) and name in {a.name for a in node.names}:
            folder = source.parents[node.level - 1] if node.level else ROOT
            package = list(folder.relative_to(ROOT).parts) if node.level else []
            origin = [*package, *(node.module or '').split('.')]
            return origin[0] != 'stdpose_mm' or lookup([*filter(None, origin), *parts])
    return False
