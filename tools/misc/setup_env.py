"""Create or repair `.venv` in the repository root; `make setup` calls this.

It creates a virtual environment and installs the pinned files under `requirements/`, mmcv with its
compiled operators (built once and kept as a wheel outside the repository) and the package itself in
editable form; then it checks that everything works together. A stamp in `.venv` makes the next call
return at once until one of the inputs changes; a call after an interrupted one continues where that
one stopped. Only the standard library is used.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / '.venv'
PYTHON = VENV / 'bin' / 'python'
STAMP = VENV / 'stdpose_mm.stamp'
REQUIREMENTS = ROOT / 'requirements'

# The package runs on Python >= 3.10; the pinned versions exist for these Python versions.
SUPPORTED = ((3, 11), (3, 12))
PIP_ATTEMPTS = 3
PIP_NETWORK_OPTIONS = ('--retries', '10', '--timeout', '60')

# Measured sizes in GB of the finished `.venv` and of pip's temporary files during the installation;
# nearly all of it is PyTorch built with CUDA.
VENV_SIZE = 8.9
DOWNLOADS_SIZE = 3.1


class SetupError(Exception):
    """Error that prevents the set-up; the message says what to do."""


@dataclass(frozen=True)
class TorchBuild:
    """Properties of the installed PyTorch on which mmcv's binary depends."""

    torch: str
    cuda: str | None
    architectures: tuple[str, ...]  # of the visible GPUs, such as '9.0'


@dataclass(frozen=True)
class CudaToolkit:
    """A CUDA compiler."""

    home: Path
    version: str


def say(message: str) -> None:
    """Print a line of progress."""
    print(f'set-up: {message}', flush=True)


def fingerprint(root: Path = ROOT) -> str:
    """Return a digest of everything that determines the environment."""
    digest = hashlib.sha256()
    build_files = (root / 'pyproject.toml', root / 'setup.py', Path(__file__))
    inputs = [*sorted((root / 'requirements').glob('*.txt')), *build_files]
    for path in inputs:
        digest.update(f'{path.name}\n'.encode() + path.read_bytes())
    # An editable installation and the scripts of a virtual environment hold absolute paths.
    digest.update(f'{root} {sys.version_info.major}.{sys.version_info.minor}'.encode())
    return digest.hexdigest()


def check_machine() -> None:
    """Raise :class:`SetupError` unless this Python and the compilers can be used."""
    if sys.platform != 'linux':
        raise SetupError('the pinned versions are for Linux: elsewhere use `pip install .`')
    version = sys.version_info[:2]
    other = 'or choose another interpreter with `make setup PYTHON=...`'
    if version not in SUPPORTED:
        wanted = ' or '.join('.'.join(map(str, version)) for version in SUPPORTED)
        raise SetupError(
            f'{sys.executable} is Python {platform.python_version()}, the pinned versions need '
            f'Python {wanted}: install it, {other}'
        )
    if not all(importlib.util.find_spec(name) for name in ('venv', 'ensurepip')):
        raise SetupError(
            f'{sys.executable} cannot create virtual environments: install its venv package '
            f'(Debian, Ubuntu: python{version[0]}.{version[1]}-venv), {other}'
        )
    for compiler in ('gcc', 'g++'):
        if shutil.which(compiler) is None:
            raise SetupError(
                f'{compiler} is missing, which builds mmcv: install it (Debian, Ubuntu: '
                'build-essential)'
            )
    header = Path(sysconfig.get_paths()['include']) / 'Python.h'
    if not header.is_file():
        raise SetupError(
            f'the headers of {sys.executable} are missing ({header}): install them (Debian, '
            f'Ubuntu: python{version[0]}.{version[1]}-dev), {other}'
        )


def check_disk() -> None:
    """Raise :class:`SetupError` if a new `.venv` cannot fit on the disk."""
    needed = {ROOT: VENV_SIZE}
    temporary = Path(tempfile.gettempdir())
    if temporary.stat().st_dev == ROOT.stat().st_dev:
        needed[ROOT] += DOWNLOADS_SIZE
    else:
        needed[temporary] = DOWNLOADS_SIZE
    for folder, size in needed.items():
        free = shutil.disk_usage(folder).free / 1e9
        if free < size:
            raise SetupError(
                f'{folder} has {free:.1f} GB of free disk space, the installation needs {size:.1f} '
                'GB: make room and run it again'
            )


def create_venv() -> None:
    """Create `.venv`, or replace it if its Python is missing, broken or of another version."""
    if PYTHON.exists():
        code = 'import sys, pip; print(*sys.version_info[:2])'
        answer = subprocess.run([PYTHON, '-c', code], capture_output=True, text=True)
        if answer.stdout.split() == [str(number) for number in sys.version_info[:2]]:
            return
        say('replacing .venv, whose Python is broken or of another version')
    check_disk()
    say(f'creating .venv with Python {platform.python_version()}')
    subprocess.run([sys.executable, '-m', 'venv', '--clear', VENV], check=True)


def pip(*arguments: str | Path, env: Mapping[str, str] | None = None, attempts: int = 1) -> None:
    """Run the virtual environment's pip; try again if the network may have failed."""
    command = [str(PYTHON), '-m', 'pip', *map(str, arguments)]
    environment = {
        **os.environ,
        'PIP_DISABLE_PIP_VERSION_CHECK': '1',
        'PIP_NO_INPUT': '1',
        **(env or {}),
    }
    for attempt in range(1, attempts + 1):
        if subprocess.run(command, env=environment, stdin=subprocess.DEVNULL).returncode == 0:
            return
        if attempt < attempts:
            say(f'pip failed, trying again ({attempt + 1} of {attempts})')
            time.sleep(5 * attempt)
    raise SetupError(
        f'`pip {" ".join(map(str, arguments))}` failed, see the lines above: remove the cause, '
        'then `make setup` continues from here'
    )


def install(*names: str, options: Sequence[str] = ()) -> None:
    """Install files of `requirements/`."""
    files = [option for name in names for option in ('-r', str(REQUIREMENTS / f'{name}.txt'))]
    pip('install', '--quiet', *PIP_NETWORK_OPTIONS, *options, *files, attempts=PIP_ATTEMPTS)


def inspect_torch() -> TorchBuild:
    """Ask the installed PyTorch for its build and for the GPUs it sees."""
    code = (
        'import json, torch; n = torch.cuda.device_count() if torch.cuda.is_available() else 0; '
        'print(json.dumps([torch.__version__, torch.version.cuda, '
        "sorted({'%d.%d' % torch.cuda.get_device_capability(i) for i in range(n)})]))"
    )
    answer = subprocess.run([PYTHON, '-c', code], stdout=subprocess.PIPE, text=True)
    if answer.returncode != 0:
        raise SetupError('the installed PyTorch cannot be imported: remove .venv and try again')
    version, cuda, architectures = json.loads(answer.stdout.splitlines()[-1])
    return TorchBuild(version, cuda, tuple(architectures))


def find_cuda_toolkit(cuda: str) -> CudaToolkit | None:
    """Find a CUDA compiler that can build for a PyTorch made with CUDA ``cuda``, if there is one.

    PyTorch refuses to build extensions with a major version other than its own.
    """
    homes = [Path(os.environ['CUDA_HOME'])] if os.environ.get('CUDA_HOME') else []
    homes += [Path(f'/usr/local/cuda-{cuda}'), Path('/usr/local/cuda')]
    nvcc_on_path = shutil.which('nvcc')
    if nvcc_on_path:
        homes.append(Path(nvcc_on_path).resolve().parents[1])
    for home in homes:
        nvcc = home / 'bin' / 'nvcc'
        if not nvcc.is_file():
            continue
        answer = subprocess.run([nvcc, '--version'], capture_output=True, text=True)
        release = re.search(r'release (\d+\.\d+)', answer.stdout)
        if release and release.group(1).split('.')[0] == cuda.split('.')[0]:
            return CudaToolkit(home, release.group(1))
    return None


def choose_toolkit(torch: TorchBuild) -> CudaToolkit | None:
    """Return the CUDA toolkit to build mmcv with; None for a build for the CPU only."""
    forced = os.environ.get('FORCE_CUDA') == '1'
    if torch.cuda is None or not (torch.architectures or forced):
        return None
    toolkit = find_cuda_toolkit(torch.cuda)
    if toolkit is None:
        say(
            f'mmcv is wanted for a GPU, but there is no CUDA {torch.cuda} compiler (nvcc of the '
            'same major version): building it for the CPU only'
        )
    return toolkit


def mmcv_requirement() -> str:
    """Return the pinned line of `requirements/mmcv.txt`."""
    lines = (REQUIREMENTS / 'mmcv.txt').read_text().splitlines()
    return next(line.strip() for line in lines if '==' in line)


def wheel_folder(torch: TorchBuild, toolkit: CudaToolkit | None) -> Path:
    """Return the folder of the wheel for this Python, PyTorch, mmcv and machine."""
    if toolkit is None:
        device = 'cpu'
    else:
        architectures = os.environ.get('TORCH_CUDA_ARCH_LIST') or ' '.join(torch.architectures)
        device = f'cuda{toolkit.version}-{re.sub("[^0-9A-Za-z.+]+", "-", architectures) or "all"}'
    parts = [
        mmcv_requirement().replace('==', '-'),
        f'torch-{torch.torch}',
        f'py{sys.version_info.major}{sys.version_info.minor}',
        device,
        sysconfig.get_platform(),
        ''.join(platform.libc_ver()),
    ]
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    return cache / 'stdpose_mm' / 'wheels' / '_'.join(parts)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Let only one process at a time build into ``folder``."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / '.lock').open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached_wheel(folder: Path) -> Path | None:
    """Return the wheel in ``folder``; None if there is none that can be read."""
    return next((path for path in sorted(folder.glob('*.whl')) if zipfile.is_zipfile(path)), None)


def precompile_header(folder: Path) -> str:
    """Precompile the header of PyTorch that each file of mmcv includes; return compiler flags.

    Parsing this header takes most of the time for the 78 files. The compiler ignores a precompiled
    header that does not match the other flags of the build.
    """
    header = folder / 'torch_types.h'
    header.write_text('#include <torch/types.h>\n')
    # mmcv's operators need no debug information.
    flags = f'{os.environ.get("CFLAGS") or sysconfig.get_config_var("CFLAGS")} -g0'
    include = next(VENV.glob('lib/python*/site-packages/torch/include'))
    command = shlex.split(f'{os.environ.get("CXX", "c++")} {flags} -fPIC -std=c++17 -w')
    command += [f'-I{include}', f'-I{include}/torch/csrc/api/include', '-x', 'c++-header']
    subprocess.run([*command, header, '-o', f'{header}.gch'], check=True)
    return f'{flags} -include {shlex.quote(str(header))}'


def build_mmcv_wheel(folder: Path, toolkit: CudaToolkit | None) -> Path:
    """Compile mmcv with its operators into ``folder``."""
    jobs = str(len(os.sched_getaffinity(0)))
    env = {'MMCV_WITH_OPS': '1', 'MAX_JOBS': os.environ.get('MAX_JOBS', jobs)}
    if toolkit is None:
        # mmcv builds for CUDA if a GPU is visible, and fails without a suitable compiler.
        env |= {'FORCE_CUDA': '0', 'CUDA_VISIBLE_DEVICES': ''}
    else:
        env |= {'FORCE_CUDA': '1', 'CUDA_HOME': str(toolkit.home)}
    device = f'CUDA {toolkit.version}' if toolkit else 'the CPU'
    say(f'building {mmcv_requirement()} for {device} with {env["MAX_JOBS"]} jobs, once (3-8 min)')
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        if toolkit is None:
            env['CFLAGS'] = precompile_header(Path(temporary))
        # Build from source, without pip's cache, whose wheels do not record PyTorch's version.
        pip(
            *('wheel', '--quiet', '--no-deps', '--no-build-isolation', '--no-cache-dir'),
            *('--no-binary', mmcv_requirement().split('==')[0], *PIP_NETWORK_OPTIONS),
            *('--wheel-dir', temporary, mmcv_requirement()),
            env=env,
            attempts=2,
        )
        built = next(Path(temporary).glob('*.whl'))
        return built.replace(folder / built.name)


def download_mmcv_wheel(folder: Path) -> Path | None:
    """Download a wheel of mmcv that fits; None if there is none.

    The public index has no wheels of it. Others have one folder for each version of PyTorch, which
    a user can add to pip's configuration (``PIP_FIND_LINKS``). A wheel does not say for which
    PyTorch its operators were compiled, so they are loaded.
    """
    options = ['--quiet', '--no-deps', '--only-binary', ':all:', *PIP_NETWORK_OPTIONS]
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        download = ['download', *options, '--dest', temporary, mmcv_requirement()]
        command = [str(PYTHON), '-m', 'pip', *download]
        if subprocess.run(command, capture_output=True).returncode != 0:
            return None
        wheel = next(Path(temporary).glob('*.whl'))
        say(f'trying the wheel {wheel.name}')
        install_wheel(wheel)
        command = [str(PYTHON), '-c', 'import mmcv.ops']
        if subprocess.run(command, capture_output=True, cwd=folder).returncode != 0:
            say('its operators do not fit this PyTorch')
            return None
        return wheel.replace(folder / wheel.name)


def install_wheel(wheel: Path) -> None:
    """Install a wheel in the place of any other version."""
    pip('install', '--quiet', '--no-deps', '--no-index', '--force-reinstall', wheel)


def install_mmcv() -> None:
    """Install mmcv from its cached wheel; download or build the wheel first if necessary."""
    torch = inspect_torch()
    toolkit = choose_toolkit(torch)
    folder = wheel_folder(torch, toolkit)
    with lock(folder):
        wheel = cached_wheel(folder)
        if wheel is None:
            wheel = download_mmcv_wheel(folder) or build_mmcv_wheel(folder, toolkit)
        else:
            say(f'using the cached wheel {wheel}')
        install_wheel(wheel)


def set_up() -> None:
    """Bring `.venv` up to date."""
    wanted = fingerprint()
    if PYTHON.exists() and STAMP.is_file() and STAMP.read_text() == wanted:
        say('.venv is up to date')
        return
    check_machine()
    started = time.monotonic()
    create_venv()
    STAMP.unlink(missing_ok=True)
    say('installing PyTorch (several GB, 2-3 min with a fast connection)')
    install('light', 'build', 'torch')
    install_mmcv()
    say('installing the other requirements')
    install('light', 'build', 'runtime', 'onnx', 'tflite', 'review', 'test', 'dev')
    install('mmpose', 'openvino', options=['--no-deps'])
    pip('install', '--quiet', '--no-deps', '--no-build-isolation', '--no-index', '--editable', ROOT)
    say('checking the result')
    check = 'import cv2, av, xtcocotools.mask, mmcv.ops, mmdet.apis, mmpose.apis, stdpose_mm'
    if subprocess.run([PYTHON, '-W', 'ignore', '-c', check], cwd=ROOT).returncode != 0:
        raise SetupError('the environment does not work, see the error above')
    STAMP.write_text(wanted)
    say(f'done in {time.monotonic() - started:.0f} s')


class _Parser(argparse.ArgumentParser):
    """Parser that reports errors of the command line in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'{self.prog}: {message}, see --help\n')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the set-up; on failure print one line on stderr and return 1."""
    _Parser(description=(__doc__ or '').splitlines()[0]).parse_args(arguments)
    try:
        set_up()
    except (SetupError, OSError, subprocess.CalledProcessError) as error:
        print(f'set-up: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
