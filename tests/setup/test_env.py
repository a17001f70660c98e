from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stdpose_mm.env import Environment, find_problems, format_table, parse_version
from support.paths import ROOT

GOOD = Environment(
    python='3.11.7',
    versions={
        'torch': '2.9.1',
        'torchvision': '0.24.1',
        'onedl-mmengine': '0.10.12',
        'onedl-mmcv': '2.3.6',
        'onedl-mmdetection': '3.5.1',
        'mmpose': '1.3.2',
        'numpy': '1.26.4',
        'xtcocotools': '1.14.3',
        'opencv-python': '4.11.0.86',
        'av': '18.1.0',
        'scipy': '1.17.1',
        'shapely': '2.2.0',
        'onnxruntime': '1.31.1',
    },
)


def with_versions(**changes: str | None) -> Environment:
    """The good environment with other versions; underscores stand for hyphens."""
    versions = dict(GOOD.versions)
    for name, version in changes.items():
        versions.pop(name.replace('_', '-'), None)
        if version is not None:
            versions[name.replace('_', '-')] = version
    return replace(GOOD, versions=versions)


def only_problem(env: Environment) -> str:
    problems = find_problems(env)
    assert len(problems) == 1
    assert '\n' not in problems[0]
    return problems[0]


@pytest.mark.parametrize(
    ('text', 'numbers'), [('2.9.1+cu128', (2, 9, 1)), ('1.14', (1, 14)), ('0.10.8rc1', (0, 10, 8))]
)
def test_parse_version(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_version(text) == numbers


def test_good_environment_has_no_problem() -> None:
    assert find_problems(GOOD) == []


def test_the_originals_that_go_together_have_no_problem() -> None:
    env = with_versions(onedl_mmengine=None, onedl_mmcv=None, onedl_mmdetection=None)
    originals = {'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmdet': '3.3.0', 'torch': '2.5.1'}
    assert find_problems(replace(env, versions=env.versions | originals)) == []


def test_missing_package() -> None:
    assert 'av is not installed' in only_problem(with_versions(av=None))


def test_labels_and_videos_need_nothing_of_openmmlab() -> None:
    light = ('numpy', 'opencv-python', 'av', 'scipy', 'shapely', 'onnxruntime')
    env = replace(GOOD, versions={name: GOOD.versions[name] for name in light})
    assert env.is_light
    assert find_problems(env) == []
    assert 'mmcv.ops       not installed' in format_table(env).splitlines()


def test_fork_beside_its_original() -> None:
    problem = only_problem(with_versions(mmcv='2.1.0'))
    assert 'onedl-mmcv and mmcv are both installed' in problem


def test_mmcv_without_operators() -> None:
    error = "ModuleNotFoundError: No module named 'mmcv._ext'"
    env = replace(GOOD, import_errors={'mmcv.ops': error, 'mmpose': error, 'mmdet': error})
    problem = only_problem(env)
    assert 'no compiled operators' in problem
    assert 'MMCV_WITH_OPS=1' in problem


def test_mmcv_for_the_cpu_on_a_machine_with_a_gpu() -> None:
    env = replace(GOOD, torch_cuda='12.8', gpu='H200')
    assert 'built for the CPU alone' in only_problem(env)
    assert find_problems(replace(env, mmcv_ops_cuda='12.8')) == []


def test_xtcocotools_with_numpy_2() -> None:
    env = with_versions(numpy='2.1.0')
    assert find_problems(env) == []  # it may have been built for it
    error = 'ValueError: numpy.dtype size changed'
    problem = only_problem(replace(env, import_errors={'xtcocotools': error, 'mmpose': error}))
    assert 'does not work with numpy 2.1.0' in problem


def test_old_mmengine_with_new_torch() -> None:
    env = with_versions(onedl_mmengine=None, mmengine='0.10.7')
    assert 'weights_only' in only_problem(env)


def test_old_mmdet_with_new_mmcv() -> None:
    env = with_versions(onedl_mmdetection=None, mmdet='3.3.0')
    env = replace(env, import_errors={'mmdet': 'AssertionError: MMCV==2.3.6 is used'})
    assert 'mmdet 3.3.0 refuses mmcv 2.3.6' in only_problem(env)


def test_two_versions_of_opencv() -> None:
    env = with_versions(opencv_python_headless='4.10.0.84')
    assert 'opencv-python 4.11.0.86 and opencv-python-headless 4.10.0.84' in only_problem(env)
    assert find_problems(with_versions(opencv_python_headless='4.11.0.86')) == []


def test_opencv_that_needs_another_numpy() -> None:
    assert 'OpenCV < 4.12' in only_problem(with_versions(opencv_python='4.12.0.88'))


def test_torchvision_of_another_torch() -> None:
    error = 'RuntimeError: operator torchvision::nms does not exist'
    env = replace(GOOD, import_errors={'torchvision': error, 'mmpose': error, 'mmdet': error})
    assert 'belongs to this torch' in only_problem(env)


def test_unexplained_failure_of_mmpose_is_reported() -> None:
    env = replace(GOOD, import_errors={'mmpose': 'ImportError: no munkres'})
    assert 'mmpose cannot be imported (ImportError: no munkres)' in only_problem(env)


def test_table_names_what_is_missing() -> None:
    table = format_table(with_versions(av=None))
    assert 'PyAV           not installed' in table.splitlines()
    assert 'numpy          numpy 1.26.4' in table.splitlines()


def _fake_distribution(folder: Path, name: str, version: str, modules: dict[str, str]) -> None:
    info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
    for path, code in modules.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(code)


def test_check_env_looks_at_what_is_really_installed(tmp_path: Path) -> None:
    """Fake packages before the real ones: an mmcv without operators, old MMEngine, old MMDet."""
    cuda = 'class cuda:\n    is_available = staticmethod(lambda: False)\n'
    version = 'class version:\n    cuda = None\n'
    _fake_distribution(tmp_path, 'torch', '2.9.1', {'torch/__init__.py': cuda + version})
    _fake_distribution(tmp_path, 'torchvision', '0.24.1', {'torchvision/__init__.py': ''})
    _fake_distribution(tmp_path, 'mmengine', '0.10.7', {'mmengine/__init__.py': ''})
    _fake_distribution(tmp_path, 'mmcv', '2.2.0', {'mmcv/__init__.py': ''})
    assertion = "assert False, 'MMCV==2.2.0 is used but incompatible'"
    _fake_distribution(tmp_path, 'mmdet', '3.3.0', {'mmdet/__init__.py': assertion})
    _fake_distribution(tmp_path, 'mmpose', '1.3.2', {'mmpose/__init__.py': 'import mmcv.ops'})
    _fake_distribution(tmp_path, 'numpy', '2.1.0', {'numpy/__init__.py': ''})
    abi = "raise ValueError('numpy.dtype size changed')"
    _fake_distribution(
        tmp_path,
        'xtcocotools',
        '1.14.3',
        {'xtcocotools/__init__.py': '', 'xtcocotools/mask.py': abi},
    )
    _fake_distribution(tmp_path, 'opencv-python', '4.11.0.86', {'cv2.py': ''})
    _fake_distribution(tmp_path, 'opencv-python-headless', '4.10.0.84', {})
    _fake_distribution(tmp_path, 'av', '18.1.0', {'av.py': ''})
    for name in ('scipy', 'shapely', 'onnxruntime'):
        _fake_distribution(tmp_path, name, '1.0', {})
    # -S: without the real site-packages; PYTHONNOUSERSITE alone would leave them on the path.
    wrapper = tmp_path / 'python'
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    wrapper.chmod(0o755)
    code = (
        f'import sys, runpy; sys.executable = {str(wrapper)!r}; '
        f'runpy.run_path({str(ROOT / "tools" / "misc" / "check_env.py")!r}, run_name="__main__")'
    )
    result = subprocess.run(
        [wrapper, '-c', code],
        env=os.environ | {'PYTHONPATH': str(tmp_path)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    wrong = [line for line in result.stdout.splitlines() if line.startswith('WRONG: ')]
    assert result.returncode == 1, result.stderr
    assert [
        any(text in line for line in wrong)
        for text in (
            'mmengine 0.10.7 cannot load checkpoints with torch 2.9.1',
            'mmdet 3.3.0 refuses mmcv 2.2.0',
            'mmcv has no compiled operators',
            'xtcocotools 1.14.3 does not work with numpy 2.1.0',
            'opencv-python 4.11.0.86 and opencv-python-headless 4.10.0.84',
        )
    ] == [True] * 5, wrong
    assert len(wrong) == 5


SPY = """
import runpy, subprocess, sys

record = sys.argv.pop(1)
ending = f'\\nimport sys; open({record!r}, "w").write(" ".join(sys.modules))'

class Popen(subprocess.Popen):
    def __init__(self, command, **options):
        if command[0] == sys.executable:
            command[-1] += ending
        super().__init__(command, **options)

subprocess.Popen = Popen
runpy.run_module('stdpose_mm.env', run_name='__main__')
"""
"""Run ``env`` and write down which modules the process that it starts has imported."""


@pytest.mark.parametrize(('option', 'whole'), [((), False), (('--full',), True)])
def test_models_and_their_apis_are_imported_only_when_asked_to(
    tmp_path: Path, option: tuple[str, ...], whole: bool
) -> None:
    seen = tmp_path / 'modules'
    done = subprocess.run(
        [sys.executable, '-c', SPY, seen, *option],
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    modules = set(seen.read_text().split())
    # What was checked: the compiled parts, and the versions that the packages themselves demand.
    assert {'torch', 'cv2', 'av', 'mmcv._ext', 'xtcocotools.mask', 'mmpose'} <= modules
    assert ({'mmpose.apis', 'mmdet.apis', 'torchvision', 'mmcv.ops'} <= modules) is whole
    assert bool({'mmpose.apis', 'mmdet.apis', 'torchvision', 'scipy'} & modules) is whole
    assert ('--full' in done.stdout) is not whole
