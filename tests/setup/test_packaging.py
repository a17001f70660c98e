from __future__ import annotations

import re
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
    files = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'README.md')
    for name in (*files, 'model-index.yml'):
        shutil.copy(ROOT / name, tree / name)
    for name in ('stdpose_mm', 'configs', 'tools', 'research'):
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
    assert 'stdpose_mm/engine/config_files.py' in names
    assert not any(name.startswith(('tests/', 'research/')) for name in names)


def test_building_leaves_nothing_in_the_package(tree: Path) -> None:
    build(tree, 'bdist_wheel')
    assert not (tree / 'stdpose_mm' / '.mim').exists()


def metadata(tree: Path, file: str) -> list[str]:
    archive = zipfile.ZipFile(build(tree, 'bdist_wheel'))
    path = next(name for name in archive.namelist() if name.endswith(f'.dist-info/{file}'))
    return archive.read(path).decode().splitlines()


def test_wheel_holds_the_data_of_the_package(tree: Path) -> None:
    names = set(zipfile.ZipFile(build(tree, 'bdist_wheel')).namelist())
    assert 'stdpose_mm/py.typed' in names
    for folder in ('propagation/auto/weights', 'review_app/static', 'visualization/templates'):
        for path in (ROOT / 'stdpose_mm' / folder).glob('*'):
            assert path.relative_to(ROOT).as_posix() in names


def test_wheel_brings_the_command(tree: Path) -> None:
    assert 'stdpose = stdpose_mm.cli.main:main' in metadata(tree, 'entry_points.txt')


def required_packages(tree: Path) -> tuple[set[str], set[str]]:
    """Names of what the package needs: at all, and with its extras."""
    lines = [line for line in metadata(tree, 'METADATA') if line.startswith('Requires-Dist: ')]
    names = [re.split('[^A-Za-z0-9-]', line.split()[1])[0] for line in lines]
    extra = {name for name, line in zip(names, lines, strict=True) if 'extra ==' in line}
    return {name for name, line in zip(names, lines, strict=True) if 'extra' not in line}, extra


def test_dependencies_need_no_compiler_and_force_no_provider(tree: Path) -> None:
    base, extra = required_packages(tree)
    assert {'torch', 'torchvision'} <= extra - base
    choices = ('mm', 'onedl', 'xtcocotools')
    lines = [line for line in metadata(tree, 'METADATA') if line.startswith('Requires-Dist: ')]
    chosen = [line for line in lines if line.split()[1].startswith(choices)]
    # They are in the extra that MIM alone asks for.
    assert {line.rpartition('extra == ')[2].strip('"') for line in chosen} == {'mim'}


def test_light_requirements_pin_every_dependency(tree: Path) -> None:
    lines = (ROOT / 'requirements' / 'light.txt').read_text().splitlines()
    assert required_packages(tree)[0] <= {line.split('==')[0] for line in lines}
