"""The set-up script, without a network and without touching the real environment."""

from __future__ import annotations

import importlib.util
import operator
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType
from typing import Any
from zipfile import ZipFile

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


@dataclass
class Machine:
    """Stands for the programs that a set-up runs, and notes what pip was asked for."""

    source: str
    has_network: bool = True
    asked: list[list[str]] = field(default_factory=list)

    def run(self, command: Sequence[str | Path], **options: Any) -> CompletedProcess[str]:
        words = [*map(str, command)]
        answer = ''
        works = self.has_network
        if 'venv' in words:
            python = Path(words[-1]) / 'bin' / 'python'
            python.parent.mkdir(parents=True)
            python.symlink_to(sys.executable)
            (Path(words[-1]) / 'lib/python3.11/site-packages/torch/include').mkdir(parents=True)
        elif words[1:3] == ['-m', 'pip']:
            self.asked.append(words[3:])
            if words[3] in ('wheel', 'download'):
                works = words[3] == 'wheel' or self.source != 'built'
                option = '--dest' if words[3] == 'download' else '--wheel-dir'
                if works:
                    wheel = Path(words[words.index(option) + 1], 'mmcv.whl')
                    with ZipFile(wheel, 'w') as archive:
                        archive.writestr(f'{words[3]}.py', options.get('env', {}).get('CFLAGS', ''))
        elif 'torch.__version__' in words[-1]:
            answer = '["2.9.1", "12.8", []]'
        elif 'sys, pip' in words[-1]:
            answer = f'{sys.version_info.major} {sys.version_info.minor}'
        elif words[-1] == 'import mmcv.ops':
            works = self.source != 'of another PyTorch'
        return CompletedProcess(words, 0 if works else 1, answer)

    @property
    def steps(self) -> list[str]:
        """What pip did: the files of requirements that it installed, or its verb."""
        files = [[Path(w).stem for w in words if w.endswith('.txt')] for words in self.asked]
        return [' '.join(names) or words[0] for names, words in zip(files, self.asked, strict=True)]


REQUIREMENTS = (
    'light build runtime onnx tflite review test dev',
    'mmpose openvino',
    'install',  # this package
)


@pytest.mark.parametrize(
    ('source', 'mmcv', 'kept'),
    [
        ('built', ['download', 'wheel', 'install'], 'wheel.py'),
        ('downloaded', ['download', 'install', 'install'], 'download.py'),
        ('of another PyTorch', ['download', 'install', 'wheel', 'install'], 'wheel.py'),
    ],
)
def test_set_up(setup_env, tmp_path, monkeypatch, capsys, source, mmcv, kept):
    """Without a network, then with one, once more, and after a change of the requirements."""
    machine = Machine(source, has_network=False)
    monkeypatch.setattr(setup_env.subprocess, 'run', machine.run)
    monkeypatch.setattr(setup_env.time, 'sleep', lambda seconds: None)
    monkeypatch.setattr(setup_env, 'check_machine', lambda: None)
    monkeypatch.setattr(setup_env, 'fingerprint', partial(setup_env.fingerprint, setup_env.ROOT))
    assert setup_env.main([]) == 1
    assert machine.steps == ['light build torch'] * 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('remove the cause, then `make setup` continues from here')
    assert not setup_env.STAMP.exists()

    machine.has_network = True
    machine.asked.clear()
    assert setup_env.main([]) == 0
    assert machine.steps == ['light build torch', *mmcv, *REQUIREMENTS]
    (wheel,) = (tmp_path / 'cache' / 'stdpose_mm' / 'wheels').glob('*torch-2.9.1*_cpu_*/*.whl')
    with ZipFile(wheel) as archive:
        assert archive.namelist() == [kept]
        assert kept != 'wheel.py' or b'torch_types.h' in archive.read(kept)

    machine.asked.clear()
    assert setup_env.main([]) == 0
    assert machine.steps == []
    assert capsys.readouterr().out.endswith('.venv is up to date\n')

    with (setup_env.REQUIREMENTS / 'dev.txt').open('a') as file:
        file.write('more==1.0\n')
    assert setup_env.main([]) == 0
    # mmcv comes from the wheel that is kept.
    assert machine.steps == ['light build torch', 'install', *REQUIREMENTS]
    with (setup_env.REQUIREMENTS / 'dev.txt').open('a') as file:
        file.write('other==1.0\n')
    machine.has_network = False
    assert setup_env.main([]) == 1
    # Else the failure would pass for a success if the change were undone.
    assert not setup_env.STAMP.exists()
    wheel.write_bytes(b'PK half a download')
    assert setup_env.cached_wheel(wheel.parent) is None


@pytest.mark.parametrize(
    ('place', 'value', 'sentence'),
    [
        ('sys.platform', 'darwin', 'versions are for Linux: elsewhere use `pip install .`'),
        ('SUPPORTED', ((3, 9),), 'the pinned versions need Python 3.9: install it'),
        ('importlib.util.find_spec', lambda name: None, 'install its venv package'),
        ('shutil.which', lambda name: None, 'gcc is missing, which builds mmcv: install'),
        ('sysconfig.get_paths', lambda: {'include': '/none'}, 'are missing (/none/Python.h)'),
        ('VENV_SIZE', 1e6, 'free disk space, the installation needs 10000'),
        ('DOWNLOADS_SIZE', 1e6, 'free disk space, the installation needs 10000'),
    ],
)
def test_a_machine_that_lacks_something_is_told_what(
    setup_env, monkeypatch, capsys, place, value, sentence
):
    monkeypatch.setattr(setup_env.subprocess, 'run', lambda *_, **__: pytest.fail('began'))
    module, _, name = place.rpartition('.')
    owner = operator.attrgetter(module)(setup_env) if module else setup_env
    monkeypatch.setattr(owner, name, value)
    assert setup_env.main([]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert not setup_env.VENV.exists()


def make_compiler(folder: Path, release: str) -> Path:
    nvcc = folder / 'bin' / 'nvcc'
    nvcc.parent.mkdir(parents=True)
    nvcc.write_text(f'#!/bin/sh\necho "Cuda compilation tools, release {release}, V{release}.1"\n')
    nvcc.chmod(0o755)
    return folder


def test_cuda_operators_where_there_is_a_gpu_and_its_compiler(setup_env, tmp_path, monkeypatch):
    monkeypatch.setenv('CUDA_HOME', str(make_compiler(tmp_path / 'cuda', '99.8')))
    with_gpu = setup_env.TorchBuild('2.9.1', '99.1', ('9.0',))
    assert setup_env.choose_toolkit(with_gpu).version == '99.8'
    assert setup_env.choose_toolkit(setup_env.TorchBuild('2.9.1', '99.1', ())) is None
    assert setup_env.choose_toolkit(setup_env.TorchBuild('2.9.1', '98.1', ('9.0',))) is None
    monkeypatch.setenv('FORCE_CUDA', '1')
    assert setup_env.choose_toolkit(setup_env.TorchBuild('2.9.1', '99.1', ())) is not None


def test_requirements_are_pinned_and_name_no_host():
    for path in (ROOT / 'requirements').glob('*.txt'):
        for line in path.read_text().splitlines():
            assert line.startswith('#') or line.count('==') == 1, f'{path.name}: {line}'
            assert '://' not in line
