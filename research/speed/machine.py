"""Description of the machine that runs a benchmark: processor, load and versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ('stdpose_mm', 'torch', 'onnxruntime', 'openvino', 'mmpose', 'numpy')
FEATURES = ('avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_int8', 'amx_bf16')
"""Linux's names of the processor features that determine the speed of networks."""


def describe_machine() -> str:
    """Describe this machine: processor and its features, cores, load, and versions of packages."""
    file = Path('/proc/cpuinfo')
    lines = file.read_text().splitlines() if file.is_file() else []
    # If there are several processors, the last one is described.
    told = {name.strip(): value.strip() for name, _, value in (one.partition(':') for one in lines)}
    features = [name for name in FEATURES if name in told.get('flags', '').split()]
    versions = [f'Python {platform.python_version()}']
    for package in PACKAGES:
        try:
            versions.append(f'{package} {version(package)}')
        except PackageNotFoundError:
            continue
    return (
        f'{told.get("model name") or platform.machine()} '
        f'({", ".join(features) or "no wide vectors known"}), {os.cpu_count()} cores, '
        f'load {os.getloadavg()[0]:.1f} before; {", ".join(versions)}.'
    )
