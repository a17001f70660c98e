"""The import graph of the package: arrows go down, never round in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from support.paths import ROOT

pytestmark = pytest.mark.slow

PACKAGE = 'stdpose_mm'
# Lowest first; a room may import rooms of lower floors, and rooms of its own without a circle.
FLOORS = (
    ('constants', 'errors', 'text', 'version'),
    ('structures',),
    (
        *('bfloat16', 'checkpoint_files', 'io', 'mmpose_patches', 'onnx_session', 'processes'),
        'registration',
    ),
    ('codecs', 'datasets', 'engine', 'evaluation', 'models', 'tracking', 'visualization'),
    ('detection', 'inference'),
    ('export',),
    ('labelling.evidence',),
    ('labelling.propagation',),
    ('labelling.review',),
    ('labelling.comparison', 'labelling.learning', 'labelling.report'),
    ('apis',),
    ('review_app',),
    ('cli',),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# What a user of MMPose reads: it does not know that somebody labels videos.
PLUGIN = (
    *('codecs', 'datasets', 'engine', 'evaluation', 'export', 'models'),
    'apis/stdpose_inferencer.py',
)
# They look at the package from outside: how it is registered, started and installed.
OUTSIDE = {'__init__', '__main__'}

LIGHT = (
    'structures',
    'io',
    'datasets/__init__.py',
    'datasets/synthetic',
    'evaluation/functional',
    'tracking',
    'checkpoint_files.py',
    'detection',
    'onnx_session.py',
    'labelling/__init__.py',
    'labelling/comparison',
    'labelling/evidence/__init__.py',
    'labelling/evidence/described_network.py',
    'labelling/evidence/learned_network.py',
    'labelling/evidence/load_pose_network.py',
    'labelling/evidence/tflite_pose_network.py',
    'labelling/propagation',
    'labelling/report.py',
    'labelling/review',
    'processes.py',
    'inference/__init__.py',
    'inference/estimate_video.py',
    'inference/frame_estimate.py',
    'inference/frame_pose_estimator.py',
    'inference/onnx_window_backend.py',
    'inference/threads.py',
    'inference/video_pose_estimator.py',
    'inference/window_backend.py',
    'inference/sparse_estimator.py',
    'review_app',
    'visualization',
    'apis/__init__.py',
    'apis/frame_result.py',
    'apis/propagation_state.py',
    'apis/video_pose_propagator.py',
)
HEAVY = {'torch', 'torchvision', 'mmengine', 'mmcv', 'mmpose', 'mmdet'}


def python_files(place: str = '') -> list[Path]:
    path = ROOT / PACKAGE / place
    return [path] if path.is_file() else sorted(path.rglob('*.py'))


@cache
def imports(path: Path, at_import_time: bool = False) -> frozenset[str]:
    """Dotted names that a file imports, relative ones resolved.

    Args:
        path: The file.
        at_import_time: Leave out what only functions and type checkers import.
    """
    return frozenset(find_imports(path, at_import_time))


def find_imports(path: Path, at_import_time: bool) -> Iterator[str]:
    package = path.relative_to(ROOT).with_suffix('').parts
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join(package[: -node.level]) if node.level else ''
            module = '.'.join(part for part in (base, node.module) if part)
            yield from (f'{module}.{name.name}' for name in node.names)
        if at_import_time and isinstance(node, (ast.FunctionDef, ast.Lambda)):
            continue
        if (
            at_import_time
            and isinstance(node, ast.If)
            and 'TYPE_CHECKING' in ast.unparse(node.test)
        ):
            waiting.extend(node.orelse)
            continue
        waiting.extend(ast.iter_child_nodes(node))


def room(name: str) -> str | None:
    """The room of a dotted name, in labelling/ a room inside; None outside of the package."""
    package, _, inside = name.partition('.')
    if package != PACKAGE or not inside:
        return None
    return '.'.join(inside.split('.')[: 2 if inside.startswith('labelling.') else 1])


def arrows() -> dict[tuple[str, str], list[str]]:
    """(room, imported room) -> the files that do it."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in python_files():
        inside = path.relative_to(ROOT / PACKAGE)
        own = str(room('.'.join((PACKAGE, *inside.with_suffix('').parts))))
        for name in imports(path):
            other = room(name)
            if own in OUTSIDE or other in (None, own, '__version__'):
                continue
            found.setdefault((own, str(other)), []).append(str(inside))
    return found


def test_every_room_has_a_floor():
    places = [*(ROOT / PACKAGE).iterdir(), *(ROOT / PACKAGE / 'labelling').glob('*')]
    rooms = {
        room('.'.join(path.relative_to(ROOT).with_suffix('').parts))
        for path in places
        if path.suffix == '.py' or any(path.glob('*.py'))
    }
    assert rooms - OUTSIDE - {'labelling', 'labelling.__init__'} == set(FLOOR_OF)


def test_arrows_go_down():
    upward = {
        f'{own} -> {other}': files
        for (own, other), files in arrows().items()
        if FLOOR_OF[own] < FLOOR_OF.get(other, len(FLOORS))
    }
    assert upward == {}


def test_rooms_of_one_floor_make_no_circle():
    graph = {}
    for own, other in arrows():
        graph.setdefault(own, set()).add(other)

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph.get(waiting.pop(), set()) - seen
            seen |= new
            waiting.extend(new)
        return seen

    assert [start for start in graph if start in reached(start)] == []


def test_models_and_datasets_do_not_know_each_other():
    assert not {('models', 'datasets'), ('datasets', 'models')} & set(arrows())


@pytest.mark.parametrize('place', PLUGIN)
def test_the_plugin_does_not_know_labelling(place):
    labelling = tuple(f'{PACKAGE}.{name}' for name in ('labelling', 'review_app', 'cli'))
    imported = {name for path in python_files(place) for name in imports(path)}
    assert [name for name in imported if name.startswith(labelling)] == []


@pytest.mark.parametrize('folder', [PACKAGE, 'tools', 'demo', 'configs', 'tests'])
def test_nothing_imports_research(folder):
    imported = re.compile(r'^\s*(from|import) research\b', re.MULTILINE)
    sources = (ROOT / folder).rglob('*.py')
    assert [str(path) for path in sources if imported.search(path.read_text())] == []


@pytest.mark.parametrize('place', LIGHT)
def test_the_light_part_imports_neither_torch_nor_openmmlab(place):
    heavy = {
        str(path.relative_to(ROOT)): sorted(found)
        for path in python_files(place)
        if 'propagation/window' not in path.as_posix()
        and (found := {name.split('.')[0] for name in imports(path, at_import_time=True)} & HEAVY)
    }
    assert heavy == {}


def test_modules_make_no_circle():
    """Imports within functions count: they hide a circle, but do not remove it."""
    paths = {
        '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): path
        for path in python_files()
    }
    graph = {
        module: {
            name if name in paths else name.rpartition('.')[0]
            for name in imports(path)
            if name in paths or name.rpartition('.')[0] in paths
        }
        - {module}
        for module, path in paths.items()
    }
    # What imports nothing that is left goes, until only circles and what needs them is left.
    while free := [module for module, needed in graph.items() if not needed & set(graph)]:
        for module in free:
            del graph[module]
    assert graph == {}
