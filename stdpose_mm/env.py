"""Print which versions are installed, which do not work together, and how to fix that.

``stdpose env`` prints a table and one line for each thing that is wrong; it exits with 1 if there
is any. Versions are read without importing anything; the compiled parts of every package are
loaded, since these are what fails when versions do not fit. ``--full`` imports MMDetection and
MMPose as a whole, too, which takes longer. This file uses the standard library alone and imports
nothing of the package, so that
``tools/misc/check_env.py`` can run it in an environment where nothing else works.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

# Distributions that provide the same module: OneDL's maintained forks and the originals.
MMENGINE = ('onedl-mmengine', 'mmengine', 'mmengine-lite')
MMCV_FULL = ('onedl-mmcv', 'mmcv')
MMCV = (*MMCV_FULL, 'mmcv-lite')
MMDET = ('onedl-mmdetection', 'mmdet')
OPENCV = ('opencv-python', 'opencv-python-headless')

# What everything needs, what it may use, and what pose networks and their training need besides.
LIGHT: tuple[tuple[str, ...], ...] = (
    ('numpy',),
    OPENCV,
    ('av',),
    ('scipy',),
    ('shapely',),
    ('onnxruntime',),
)
OPTIONAL = ('openvino', 'ai-edge-litert')
OPENMMLAB: tuple[tuple[str, ...], ...] = (MMENGINE, MMCV, MMDET, ('mmpose',))
TRAINING: tuple[tuple[str, ...], ...] = (('torch',), ('torchvision',), *OPENMMLAB, ('xtcocotools',))

# Modules everything else is built on, and who provides them.
BINARIES: dict[str, tuple[str, ...]] = {
    'torch': ('torch',),
    'torchvision': ('torchvision',),
    'numpy': ('numpy',),
    'cv2': OPENCV,
    'av': ('av',),
}

# Loads the operators without the models and transforms around them.
_OPERATORS_OF_TORCHVISION = """
import importlib.util, pathlib, torch
folder = pathlib.Path(importlib.util.find_spec("torchvision").origin).parent
libraries = [path for path in folder.glob("_C*") if path.suffix in (".so", ".pyd")]
if not libraries:
    import torchvision
for path in libraries:
    torch.ops.load_library(str(path))
    torch.ops.torchvision.nms
"""

# Run in processes of their own: a binary that does not fit may crash the interpreter.
PROBES = {
    'torch': 'import torch; print(torch.version.cuda or ""); '
    'print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else "")',
    'torchvision': _OPERATORS_OF_TORCHVISION,
    'numpy': 'import numpy',
    'xtcocotools': 'import xtcocotools.mask',
    'cv2': 'import cv2',
    'av': 'import av',
    'mmdet': 'import mmdet',
    'mmpose': 'import mmpose',
    # The extension needs PyTorch's libraries; `mmcv.ops` adds nothing but Python around it.
    'mmcv.ops': 'import torch, mmcv._ext; print(mmcv._ext.get_compiling_cuda_version())',
}

FULL_PROBES = {
    **PROBES,
    'torchvision': 'import torchvision',
    'mmdet': 'import mmdet.apis',
    'mmpose': 'import mmpose.apis',
    'mmcv.ops': 'import mmcv.ops; print(mmcv.ops.get_compiling_cuda_version())',
}
"""The same with all modules of these that the package imports."""

PROBE_TIMEOUT = 300  # seconds; a cold disk reads several GB for `import torch`


@dataclass(frozen=True)
class Environment:
    """Hold what :func:`inspect_environment` found.

    Attributes:
        python: Version of the interpreter.
        versions: Version of each installed distribution, by its name.
        import_errors: Last line of the error of each installed module that cannot be imported.
        torch_cuda: CUDA version PyTorch was built for; None for a CPU build.
        gpu: Name of the first visible GPU; None without one.
        mmcv_ops_cuda: CUDA version mmcv's operators were built with; None if for the CPU alone.
        gcc: Version of the C compiler; None without one.
    """

    python: str
    versions: dict[str, str] = field(default_factory=dict)
    import_errors: dict[str, str] = field(default_factory=dict)
    torch_cuda: str | None = None
    gpu: str | None = None
    mmcv_ops_cuda: str | None = None
    gcc: str | None = None

    def installed(self, providers: Sequence[str]) -> list[str]:
        """Return those of the distributions that are installed."""
        return [name for name in providers if name in self.versions]

    @property
    def is_light(self) -> bool:
        """Return whether nothing of OpenMMLab is installed: only labels and videos work then."""
        return not any(self.installed(providers) for providers in OPENMMLAB)

    def version(self, *providers: str) -> tuple[int, ...] | None:
        """Return the version numbers of the first installed distribution; None without one."""
        names = self.installed(providers)
        return parse_version(self.versions[names[0]]) if names else None


def parse_version(text: str) -> tuple[int, ...]:
    """Return the release numbers of a version: ``'2.9.1+cu128'`` -> ``(2, 9, 1)``."""
    match = re.match(r'\d+(\.\d+)*', text)
    return tuple(int(number) for number in match.group().split('.')) if match else ()


def inspect_environment(full: bool = False) -> Environment:
    """Look at the running interpreter's environment (takes some seconds).

    Args:
        full: Import MMDetection and MMPose as a whole.
    """
    probes = {
        name: code
        for name, code in (FULL_PROBES if full else PROBES).items()
        if importlib.util.find_spec(name.partition('.')[0]) is not None
    }
    # Where all is well, one process imports PyTorch once instead of five times.
    outputs, errors = _run_probes({'all': '\n'.join(probes.values())})
    if errors:
        outputs, errors = _run_probes(probes)
    else:
        outputs = dict.fromkeys(probes, outputs['all'])
    torch_cuda, gpu = ([*outputs.get('torch', []), '', ''])[:2]
    ops_cuda = outputs['mmcv.ops'][-1] if outputs.get('mmcv.ops') else ''
    return Environment(
        python=platform.python_version(),
        versions=_installed_versions(
            [*(name for group in (*LIGHT, *TRAINING) for name in group), *OPTIONAL]
        ),
        import_errors=errors,
        torch_cuda=torch_cuda or None,
        gpu=gpu or None,
        mmcv_ops_cuda=ops_cuda if re.match(r'\d', ops_cuda) else None,
        gcc=_compiler_version(),
    )


def _run_probes(probes: dict[str, str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Run programs side by side; the lines that each prints, and the error of those that fail."""
    processes = {
        name: subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, code in probes.items()
    }
    outputs: dict[str, list[str]] = {}
    errors: dict[str, str] = {}
    for name, process in processes.items():
        try:
            stdout, stderr = process.communicate(timeout=PROBE_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            errors[name] = f'no answer within {PROBE_TIMEOUT} s'
            continue
        outputs[name] = stdout.splitlines()
        if process.returncode != 0:
            lines = [line.strip() for line in stderr.splitlines() if line.strip()]
            errors[name] = lines[-1] if lines else f'exit code {process.returncode}'
    return outputs, errors


def _installed_versions(names: Sequence[str]) -> dict[str, str]:
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _compiler_version() -> str | None:
    if shutil.which('gcc') is None:
        return None
    answer = subprocess.run(['gcc', '-dumpfullversion'], capture_output=True, text=True)
    return answer.stdout.strip() or None


def find_problems(env: Environment) -> list[str]:
    """Return one sentence for each problem: what is wrong, and how to fix it."""
    problems = [*_wrong_installations(env), *_wrong_combinations(env)]
    broken = env.import_errors
    # mmcv imports these; without them its own error says nothing new.
    mmcv_is_to_blame = not broken.keys() & {'torch', 'numpy', 'cv2'}
    if env.installed(MMCV_FULL) and 'mmcv.ops' in broken and mmcv_is_to_blame:
        problems.append(
            f'{env.installed(MMCV_FULL)[0]} has no compiled operators that load '
            f'({broken["mmcv.ops"]}): run `make setup`, which builds them, or reinstall it with '
            '`MMCV_WITH_OPS=1 pip install --no-build-isolation --no-cache-dir --no-binary :all:` '
            'and its name and version.'
        )
    if env.gpu and 'mmcv.ops' not in broken and env.mmcv_ops_cuda is None:
        problems.append(
            f'a GPU is visible ({env.gpu}) but the operators of mmcv are built for the CPU alone: '
            f'install a CUDA {env.torch_cuda} compiler (nvcc) and run `make setup` again, or '
            'person detection on the GPU will fail.'
        )
    # MMPose and MMDetection import all of the above: their errors are news only without those.
    if not problems:
        for name in ('mmdet', 'mmpose'):
            if name in broken:
                problems.append(
                    f'{name} cannot be imported ({broken[name]}): run `make setup` to get the '
                    'versions in requirements/ that work together.'
                )
    return problems


def _wrong_installations(env: Environment) -> list[str]:
    problems = []
    if parse_version(env.python) < (3, 10):
        problems.append(f'Python {env.python} is too old: use 3.10 or newer.')
    for providers in LIGHT if env.is_light else (*LIGHT, *TRAINING):
        installed = env.installed(providers)
        if not installed:
            names = ' or '.join(providers)
            problems.append(f'{names} is not installed: run `make setup`, or install it with pip.')
        elif len(installed) > 1 and providers is not OPENCV:
            problems.append(
                f'{" and ".join(installed)} are both installed and overwrite each other: '
                f'uninstall both, then install one (`make setup` installs {providers[0]}).'
            )
    broken = env.import_errors
    for module, providers in BINARIES.items():
        if module not in broken or not env.installed(providers):
            continue
        if module == 'torchvision' and 'torch' in broken:
            continue
        mend = (
            'install the version that belongs to this torch'
            if module == 'torchvision'
            else 'reinstall it'
        )
        problems.append(f'{module} cannot be imported ({broken[module]}): {mend}.')
    return problems


def _wrong_combinations(env: Environment) -> list[str]:
    problems = []
    versions = env.versions
    torch, numpy = env.version('torch'), env.version('numpy')
    mmengine, mmdet = env.version('mmengine', 'mmengine-lite'), env.version('mmdet')
    mmcv = env.version(*MMCV)
    if mmengine and torch and mmengine <= (0, 10, 7) and torch >= (2, 6):
        problems.append(
            f'mmengine {versions[env.installed(("mmengine", "mmengine-lite"))[0]]} cannot load '
            f'checkpoints with torch {versions["torch"]} (2.6 or newer, `weights_only`): replace '
            'it by onedl-mmengine, or use torch < 2.6.'
        )
    if mmdet and mmcv and mmdet <= (3, 3, 0) and mmcv >= (2, 2):
        problems.append(
            f'mmdet {versions["mmdet"]} refuses mmcv {versions[env.installed(MMCV)[0]]} '
            '(2.2 or newer): replace it by onedl-mmdetection, or use mmcv 2.1.0.'
        )
    if 'mmcv-lite' in versions:
        problems.append('mmcv-lite has no operators, which MMPose needs: replace it by onedl-mmcv.')
    if 'xtcocotools' in env.import_errors and 'xtcocotools' in versions:
        cause = (
            f'does not work with numpy {versions["numpy"]}: use numpy < 2, or build it from source '
            'against this numpy'
            if numpy and numpy >= (2,)
            else 'cannot be imported: reinstall it'
        )
        problems.append(
            f'xtcocotools {versions["xtcocotools"]} {cause} ({env.import_errors["xtcocotools"]}).'
        )
    opencv = {name: versions[name] for name in env.installed(OPENCV)}
    if len(set(opencv.values())) > 1:
        listing = ' and '.join(f'{name} {version}' for name, version in opencv.items())
        problems.append(
            f"{listing} overwrite each other's files: install both in the same version."
        )
    newest = max((parse_version(version) for version in opencv.values()), default=())
    if newest >= (4, 12) and numpy and numpy < (2,):
        problems.append(
            f'OpenCV {".".join(map(str, newest))} needs numpy >= 2 but numpy is '
            f'{versions["numpy"]}: use OpenCV < 4.12.'
        )
    return problems


def format_table(env: Environment) -> str:
    """Format two columns: component, version and remarks."""

    def found(*providers: str) -> str:
        names = env.installed(providers)
        return ', '.join(f'{name} {env.versions[name]}' for name in names) or 'not installed'

    if not env.installed(MMCV):
        ops = 'not installed'
    elif 'mmcv.ops' in env.import_errors:
        ops = 'cannot be imported'
    else:
        ops = (
            f'compiled with CUDA {env.mmcv_ops_cuda}'
            if env.mmcv_ops_cuda
            else 'compiled for the CPU'
        )
    rows = [
        ('Python', f'{env.python} ({sys.executable})'),
        ('torch', found('torch')),
        ('torchvision', found('torchvision')),
        ('CUDA of torch', env.torch_cuda or 'none'),
        ('GPU', env.gpu or 'none'),
        ('mmengine', found(*MMENGINE)),
        ('mmcv', found(*MMCV)),
        ('mmcv.ops', ops),
        ('mmdet', found(*MMDET)),
        ('mmpose', found('mmpose')),
        ('numpy', found('numpy')),
        ('xtcocotools', found('xtcocotools')),
        ('OpenCV', found(*OPENCV)),
        ('PyAV', found('av')),
        ('onnxruntime', found('onnxruntime')),
        ('OpenVINO', found('openvino')),
        ('LiteRT', found('ai-edge-litert')),
        ('gcc', env.gcc or 'none'),
    ]
    return '\n'.join(f'{name:<14} {value}' for name, value in rows)


class _Parser(argparse.ArgumentParser):
    """Report errors of the command line in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'{self.prog}: {message}, see --help\n')


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Print the table and the problems; return 1 if there are any."""
    parser = _Parser(prog, description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        '--full', action='store_true', help='import MMDetection and MMPose as a whole, too'
    )
    args = parser.parse_args(arguments)
    env = inspect_environment(args.full)
    print(format_table(env))
    problems = find_problems(env)
    for problem in problems:
        print(f'WRONG: {problem}')
    if not problems and env.is_light:
        print(
            'OK: everything that needs no pose network works; networks and their training need '
            "stdpose-mm[train] and OpenMMLab's packages."
        )
    elif not problems:
        print(
            'OK: everything the package needs is installed and works together.'
            if args.full
            else 'OK: everything the package needs is installed, the versions go together and the '
            'compiled parts load; `--full` imports MMDetection and MMPose as a whole, too.'
        )
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
