from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.paths import ROOT


@pytest.fixture(scope='module')
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the parts of the repository that a build reads."""
    tree = tmp_path_factory.mktemp('tree')
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'model-index.yml'):
        shutil.copy(ROOT / name, tree / name)
    for name in ('stdpose_mm', 'configs', 'tools'):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns('__pycache__'))
    return tree


def build(tree: Path, command: str) -> Path:
    subprocess.run(
        [sys.executable, 'setup.py', '-q', command, '--dist-dir', 'out'],
        cwd=tree,
        check=True,
        capture_output=True,
    )
    return next((tree / 'out').iterdir())


def test_wheel_holds_the_mim_extension(tree: Path) -> None:
    names = set(zipfile.ZipFile(build(tree, 'bdist_wheel')).namelist())
    config = next((ROOT / 'configs').rglob('*.py')).relative_to(ROOT)
    assert f'stdpose_mm/.mim/{config}' in names
    assert 'stdpose_mm/.mim/tools/train.py' in names
    assert 'stdpose_mm/.mim/model-index.yml' in names
    assert 'stdpose_mm/.mim/configs/metafile.yml' in names
    assert 'stdpose_mm/engine/hooks/random_state_hook.py' in names
    assert not any(name.startswith('tests/') for name in names)


def test_building_leaves_nothing_in_the_package(tree: Path) -> None:
    build(tree, 'bdist_wheel')
    assert not (tree / 'stdpose_mm' / '.mim').exists()


def test_dependencies_force_neither_the_originals_nor_the_forks(tree: Path) -> None:
    archive = zipfile.ZipFile(build(tree, 'bdist_wheel'))
    metadata = next(name for name in archive.namelist() if name.endswith('METADATA'))
    lines = archive.read(metadata).decode().splitlines()
    required = {line.removeprefix('Requires-Dist: ') for line in lines if 'Requires-Dist' in line}
    assert 'numpy' in required
    assert not any(name.startswith(('mm', 'onedl', 'opencv')) for name in required)
