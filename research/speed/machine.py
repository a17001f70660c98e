"""The machine that a benchmark ran on: processor, load and versions."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stdpose_mm.text import counted
from stdpose_mm.version import __version__

PACKAGES = ('torch', 'onnxruntime', 'openvino', 'mmpose', 'numpy')
FEATURES = ('avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_int8', 'amx_bf16')
"""Features of a processor that decide how fast networks are, as Linux names them."""


@dataclass(frozen=True)
class Machine:
    """Describe the machine of a run.

    Args:
        processor: Name of the processor.
        cores: Number of its cores, as the operating system counts.
        usable: Number of cores that this process may use.
        load: Processes that ran or waited in the last minute; NaN where the system does not count
            them.
        features: Those of ``FEATURES`` that the processor has.
        versions: Version of Python, this package and those of ``PACKAGES`` that are installed.
    """

    processor: str
    cores: int
    usable: int
    load: float
    features: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        versions = ', '.join(f'{name} {number}' for name, number in self.versions.items())
        return (
            f'{self.processor} ({", ".join(self.features) or "no wide vectors known"}), '
            f'{counted(self.cores, "core")}, {self.usable} of them usable, '
            f'load {self.load:.1f} before; {versions}.'
        )


def describe_machine(cpuinfo: Path = Path('/proc/cpuinfo')) -> Machine:
    """Read the properties of this machine.

    Args:
        cpuinfo: Where Linux describes the processor.
    """
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    # Of several processors the last one stands for all.
    told = {
        name.strip(): value.strip() for name, _, value in (line.partition(':') for line in lines)
    }
    flags = told.get('flags', '').split()
    cores = os.cpu_count() or 1
    return Machine(
        processor=told.get('model name') or platform.processor() or platform.machine(),
        cores=cores,
        usable=len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else cores,
        load=os.getloadavg()[0] if hasattr(os, 'getloadavg') else float('nan'),
        features=tuple(name for name in FEATURES if name in flags),
        versions={
            'Python': platform.python_version(),
            'stdpose_mm': __version__,
            **{name: found for name in PACKAGES if (found := _version(name)) is not None},
        },
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
