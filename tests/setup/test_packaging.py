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
    """A copy of the parts of the repository that a build reads, and the wheel that it leaves."""
    tree = tmp_path_factory.mktemp('tree')
    files = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'README.md')
    for name in (*files, 'model-index.yml'):
        shutil.copy(ROOT / name, tree / name)
    for name in ('stdpose_mm', 'configs', 'tools', 'research'):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns('__pycache__'))
    subprocess.run(
        [sys.executable, 'setup.py', '-q', 'bdist_wheel', '--dist-dir', 'out'],
        cwd=tree,
        check=True,
        capture_output=True,
    )
    return tree


@pytest.fixture(scope='module')
def wheel(tree: Path) -> zipfile.ZipFile:
    (path,) = (tree / 'out').iterdir()
    return zipfile.ZipFile(path)


def test_wheel_holds_the_mim_extension(wheel):
    names = set(wheel.namelist())
    config = next((ROOT / 'configs').rglob('*.py')).relative_to(ROOT)
    assert f'stdpose_mm/.mim/{config}' in names
    assert 'stdpose_mm/.mim/tools/train.py' in names
    assert 'stdpose_mm/.mim/model-index.yml' in names
    assert 'stdpose_mm/.mim/configs/metafile.yml' in names
    assert 'stdpose_mm/engine/config_files.py' in names
    assert not any(name.startswith(('tests/', 'research/')) for name in names)


def test_building_leaves_nothing_in_the_package(tree):
    assert not (tree / 'stdpose_mm' / '.mim').exists()


def metadata(wheel: zipfile.ZipFile, file: str) -> list[str]:
    path = next(name for name in wheel.namelist() if name.endswith(f'.dist-info/{file}'))
    return wheel.read(path).decode().splitlines()


def test_wheel_holds_the_data_of_the_package(wheel):
    names = set(wheel.namelist())
    assert 'stdpose_mm/py.typed' in names
    for folder in (
        'labelling/propagation/auto/weights',
        'review_app/static',
        'labelling/templates',
    ):
        for path in (ROOT / 'stdpose_mm' / folder).rglob('*'):
            assert path.is_dir() or path.relative_to(ROOT).as_posix() in names


def test_wheel_is_smaller_than_25_megabytes(wheel):
    assert sum(entry.compress_size for entry in wheel.infolist()) < 25e6


def test_wheel_brings_the_command(wheel):
    assert 'stdpose = stdpose_mm.cli.main:main' in metadata(wheel, 'entry_points.txt')


def required_packages(wheel: zipfile.ZipFile) -> tuple[set[str], set[str]]:
    """Names of what the package needs: at all, and with its extras."""
    lines = [line for line in metadata(wheel, 'METADATA') if line.startswith('Requires-Dist: ')]
    names = [re.split('[^A-Za-z0-9-]', line.split()[1])[0] for line in lines]
    extra = {name for name, line in zip(names, lines, strict=True) if 'extra ==' in line}
    return {name for name, line in zip(names, lines, strict=True) if 'extra' not in line}, extra


def test_dependencies_need_no_compiler_and_force_no_provider(wheel):
    base, extra = required_packages(wheel)
    assert {'torch', 'torchvision'} <= extra - base
    choices = ('mm', 'onedl', 'xtcocotools')
    lines = [line for line in metadata(wheel, 'METADATA') if line.startswith('Requires-Dist: ')]
    chosen = [line for line in lines if line.split()[1].startswith(choices)]
    # They are in the extra that MIM alone asks for.
    assert {line.rpartition('extra == ')[2].strip('"') for line in chosen} == {'mim'}


def test_light_requirements_pin_every_dependency(wheel):
    lines = (ROOT / 'requirements' / 'light.txt').read_text().splitlines()
    assert required_packages(wheel)[0] <= {line.split('==')[0] for line in lines}
