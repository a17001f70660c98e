"""The set-up script, without a network and without touching the real environment."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from support.paths import ROOT


@pytest.fixture
def setup_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``tools/misc/setup_env.py`` at work in a copy of the repository's inputs."""
    repository = tmp_path / 'repository'
    shutil.copytree(ROOT / 'requirements', repository / 'requirements')
    for name in ('pyproject.toml', 'setup.py'):
        shutil.copy(ROOT / name, repository / name)
    spec = importlib.util.spec_from_file_location(
        'setup_env', ROOT / 'tools' / 'misc' / 'setup_env.py'
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'setup_env', module)
    spec.loader.exec_module(module)
    for name, value in {
        'ROOT': repository,
        'VENV': repository / '.venv',
        'PYTHON': repository / '.venv' / 'bin' / 'python',
        'STAMP': repository / '.venv' / 'stdpose_mm.stamp',
        'REQUIREMENTS': repository / 'requirements',
    }.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    for name in ('CUDA_HOME', 'FORCE_CUDA', 'TORCH_CUDA_ARCH_LIST'):
        monkeypatch.delenv(name, raising=False)
    return module


def finish(setup_env: ModuleType) -> None:
    """Leave behind what a successful set-up leaves."""
    setup_env.PYTHON.parent.mkdir(parents=True)
    setup_env.PYTHON.symlink_to(sys.executable)
    setup_env.STAMP.write_text(setup_env.fingerprint(setup_env.ROOT))


def make_compiler(folder: Path, release: str) -> Path:
    nvcc = folder / 'bin' / 'nvcc'
    nvcc.parent.mkdir(parents=True)
    nvcc.write_text(f'#!/bin/sh\necho "Cuda compilation tools, release {release}, V{release}.1"\n')
    nvcc.chmod(0o755)
    return folder


def test_fingerprint_changes_with_any_requirement(setup_env: ModuleType) -> None:
    before = setup_env.fingerprint(setup_env.ROOT)
    assert setup_env.fingerprint(setup_env.ROOT) == before
    with (setup_env.REQUIREMENTS / 'dev.txt').open('a') as file:
        file.write('more==1.0\n')
    assert setup_env.fingerprint(setup_env.ROOT) != before


def test_finished_set_up_does_nothing(
    setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(setup_env)
    monkeypatch.setattr(setup_env, 'fingerprint', lambda: setup_env.STAMP.read_text())
    monkeypatch.setattr(setup_env, 'check_machine', lambda: pytest.fail('started a set-up'))
    assert setup_env.main([]) == 0
    assert 'up to date' in capsys.readouterr().out


def test_interrupted_set_up_starts_again(
    setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(setup_env)
    setup_env.STAMP.write_text('of other requirements')

    def fail(*arguments: str, **options: object) -> None:
        assert not setup_env.STAMP.exists()  # else the failure would pass for a success next time
        raise setup_env.SetupError('no network')

    monkeypatch.setattr(setup_env, 'pip', fail)
    assert setup_env.main([]) == 1
    assert capsys.readouterr().err == 'set-up: no network\n'


def test_missing_compiler_is_one_line(
    setup_env: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    assert setup_env.main([]) == 1
    assert capsys.readouterr().err.startswith('set-up: gcc is missing, which builds mmcv: install')
    assert not setup_env.VENV.exists()


@pytest.mark.parametrize('module', ['venv', 'ensurepip'])
def test_missing_venv_is_reported(
    setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        setup_env.importlib.util, 'find_spec', lambda name: name != module and find_spec(name)
    )
    with pytest.raises(setup_env.SetupError, match='install its venv package'):
        setup_env.check_machine()


def test_missing_headers_are_reported(
    setup_env: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_env.sysconfig, 'get_paths', lambda: {'include': str(tmp_path)})
    with pytest.raises(setup_env.SetupError, match=r'headers of .* are missing'):
        setup_env.check_machine()


def test_another_system_is_told_what_to_install(
    setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, 'platform', 'darwin')
    with pytest.raises(
        setup_env.SetupError, match=r'versions are for Linux: elsewhere use `pip install \.`'
    ):
        setup_env.check_machine()


@pytest.mark.parametrize(
    ('free', 'same_disk', 'refused'),
    [
        (11.9, True, 'repository has 11.9 GB of free disk space, the installation needs 12.0 GB'),
        (12.1, True, ''),
        (8.8, False, 'repository has 8.8 GB of free disk space, the installation needs 8.9 GB'),
        (9.0, False, ''),
    ],
)
def test_a_disk_that_is_too_full_is_reported(
    setup_env: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    free: float,
    same_disk: bool,
    refused: str,
) -> None:
    """The downloads need room beside `.venv` where both are on one disk."""
    temporary = Path('/dev/shm') if not same_disk else setup_env.ROOT.parent
    monkeypatch.setattr(setup_env.tempfile, 'gettempdir', lambda: str(temporary))
    monkeypatch.setattr(
        setup_env.shutil, 'disk_usage', lambda folder: SimpleNamespace(free=free * 1e9)
    )
    monkeypatch.setattr(setup_env.subprocess, 'run', lambda *_, **__: None)
    if not refused:
        setup_env.create_venv()
        return
    with pytest.raises(setup_env.SetupError, match=re.escape(refused)):
        setup_env.create_venv()


def test_pip_is_tried_again(setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter([1, 1, 0])
    commands = []

    def run(command: list[str], **options: object) -> object:
        commands.append(command)
        return type('Result', (), {'returncode': next(codes)})

    monkeypatch.setattr(setup_env.subprocess, 'run', run)
    monkeypatch.setattr(setup_env.time, 'sleep', lambda seconds: None)
    setup_env.install('torch')
    assert len(commands) == 3
    assert commands[0][-2:] == ['-r', str(setup_env.REQUIREMENTS / 'torch.txt')]


def test_wheel_is_kept_by_what_its_binary_depends_on(setup_env: ModuleType, tmp_path: Path) -> None:
    old, new = setup_env.TorchBuild('2.9.1', None, ()), setup_env.TorchBuild('2.9.2', None, ())
    gpu = setup_env.TorchBuild('2.9.1', '12.8', ('9.0',))
    toolkit = setup_env.CudaToolkit(tmp_path, '12.8')
    folders = {
        setup_env.wheel_folder(old, None),
        setup_env.wheel_folder(new, None),
        setup_env.wheel_folder(gpu, toolkit),
    }
    assert len(folders) == 3
    assert {folder.parent for folder in folders} == {tmp_path / 'cache' / 'stdpose_mm' / 'wheels'}


def test_damaged_wheel_is_not_used(setup_env: ModuleType, tmp_path: Path) -> None:
    (tmp_path / 'a.whl').write_bytes(b'PK half a download')
    assert setup_env.cached_wheel(tmp_path) is None
    with zipfile.ZipFile(tmp_path / 'b.whl', 'w') as archive:
        archive.writestr('mmcv/__init__.py', '')
    assert setup_env.cached_wheel(tmp_path) == tmp_path / 'b.whl'


def test_mmcv_is_built_once(setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[dict[str, str]] = []
    installed: list[str] = []

    def pip(*arguments: str | Path, env: dict[str, str] | None = None, attempts: int = 1) -> None:
        if arguments[0] == 'wheel':
            folder = Path(arguments[arguments.index('--wheel-dir') + 1])
            with zipfile.ZipFile(folder / 'onedl_mmcv-2.3.6-cp311-none.whl', 'w') as archive:
                archive.writestr('mmcv/__init__.py', '')
            built.append(dict(env or {}))
        else:
            installed.append(Path(arguments[-1]).name)

    monkeypatch.setattr(setup_env, 'pip', pip)
    monkeypatch.setattr(setup_env, 'download_mmcv_wheel', lambda folder: None)
    monkeypatch.setattr(setup_env, 'precompile_header', lambda folder: '-include torch_types.h')
    monkeypatch.setattr(
        setup_env, 'inspect_torch', lambda: setup_env.TorchBuild('2.9.1', '12.8', ())
    )
    setup_env.install_mmcv()
    setup_env.install_mmcv()
    assert installed == ['onedl_mmcv-2.3.6-cp311-none.whl'] * 2
    assert len(built) == 1
    assert built[0]['MMCV_WITH_OPS'] == '1'
    assert built[0]['CUDA_VISIBLE_DEVICES'] == ''
    assert built[0]['CFLAGS'] == '-include torch_types.h'


@pytest.mark.parametrize(
    ('is_there', 'fits', 'is_used'),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_a_wheel_is_downloaded_if_its_operators_fit(
    setup_env: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_there: bool,
    fits: bool,
    is_used: bool,
) -> None:
    installed: list[Path] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        if 'download' not in command:
            assert command[1:] == ['-c', 'import mmcv.ops']
            return subprocess.CompletedProcess(command, int(not fits))
        assert command[command.index('--only-binary') + 1] == ':all:'
        if is_there:
            Path(command[command.index('--dest') + 1], 'mmcv.whl').write_text('operators')
        return subprocess.CompletedProcess(command, int(not is_there))

    monkeypatch.setattr(setup_env.subprocess, 'run', run)
    monkeypatch.setattr(setup_env, 'install_wheel', installed.append)
    wheel = setup_env.download_mmcv_wheel(tmp_path)
    assert wheel == (tmp_path / 'mmcv.whl' if is_used else None)
    assert len(installed) == is_there
    assert [path.name for path in tmp_path.glob('**/*.whl')] == ['mmcv.whl'] * is_used


def test_the_compiler_uses_the_precompiled_header(
    setup_env: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('CFLAGS', raising=False)
    include = setup_env.VENV / 'lib' / 'python3.11' / 'site-packages' / 'torch' / 'include'
    header = include / 'torch' / 'csrc' / 'api' / 'include' / 'torch' / 'types.h'
    header.parent.mkdir(parents=True)
    header.write_text('#pragma once\nstruct Tensor {};\n')
    flags = setup_env.precompile_header(tmp_path)
    source = tmp_path / 'op.cpp'
    source.write_text('#include <torch/types.h>\nTensor twice(Tensor given) { return given; }\n')
    # The flags of a build as setuptools and PyTorch put them together; -H lists what is read.
    command = f'c++ -H {flags} -fPIC -I{header.parents[1]} -c {source} -std=c++17 -DNAME=_ext'
    options = ['-Winvalid-pch', '-Werror', '-o', tmp_path / 'op.o']
    built = subprocess.run([*shlex.split(command), *options], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert '! ' + str(tmp_path / 'torch_types.h.gch') in built.stderr
    assert 'torch/types.h' not in built.stderr


def test_cuda_operators_where_there_is_a_gpu_and_its_compiler(
    setup_env: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('CUDA_HOME', str(make_compiler(tmp_path / 'cuda', '99.8')))
    with_gpu = setup_env.TorchBuild('2.9.1', '99.1', ('9.0',))
    assert setup_env.choose_toolkit(with_gpu).version == '99.8'
    assert setup_env.choose_toolkit(setup_env.TorchBuild('2.9.1', '99.1', ())) is None
    assert setup_env.choose_toolkit(setup_env.TorchBuild('2.9.1', '98.1', ('9.0',))) is None
    monkeypatch.setenv('FORCE_CUDA', '1')
    assert setup_env.choose_toolkit(setup_env.TorchBuild('2.9.1', '99.1', ())) is not None


def test_requirements_are_pinned_and_name_no_host() -> None:
    for path in (ROOT / 'requirements').glob('*.txt'):
        for line in path.read_text().splitlines():
            assert line.startswith('#') or line.count('==') == 1, f'{path.name}: {line}'
            assert '://' not in line
