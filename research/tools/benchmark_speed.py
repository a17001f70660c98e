r"""Measure the time of propagation, compared with its backbone passes alone, and its peak memory.

    python -m research.tools.benchmark_speed
    python -m research.tools.benchmark_speed --config configs/stdpose_vit_posetrack17.py \
        --people 1
    python -m research.tools.benchmark_speed --config configs/stdpose_tiny_synthetic.py \
        configs/semantic_motion_tiny_propagation_synthetic.py

A clip is generated, every T-th frame of it is labelled. Without a checkpoint the weights are
random, which takes the same time. The network runs as it does in ``tools/propagate.py``: on a CPU
in float32 with packed weights. Several models take turns, so that other work on the machine hits
all alike. Every figure is the least of some repetitions. Peak memory is measured in processes of
their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from research import ROOT
from research.arguments import SpeedOptions
from research.speed.propagation_speed import time_propagation
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import option
from stdpose_mm.constants import PRECISIONS
from stdpose_mm.errors import InputError
from stdpose_mm.text import counted

CONFIG = ROOT / 'configs' / 'stdpose_tiny_synthetic.py'
CLOCKS = ('wall', 'cpu')


@dataclass(kw_only=True)
class BenchmarkSpeedOptions(SpeedOptions):
    """Options of ``benchmark_speed.py``.

    Args:
        config: Configs of models; the others are compared with the first.
        frames: Length of the video.
        interval: Interval T between given frames.
        precision: Precision.
        device: Device.
        clock: Wall time, or CPU time of all threads, for a machine that does other work.
        repeats: Repeats.
        longer: How many times longer the clip for peak memory is; 0 does not measure memory.
    """

    config: list[str] = option((str(CONFIG),), nargs='+')
    frames: int = option(29, type=positive)
    interval: int = option(7, type=positive)
    precision: str = option('float32', choices=PRECISIONS)
    device: str = option('cpu')
    clock: str = option('wall', choices=CLOCKS)
    repeats: int = option(3, type=positive)
    longer: int = option(10)


def run(args: BenchmarkSpeedOptions) -> None:
    """Measure and print.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    if args.longer < 0:
        raise InputError(f'--longer must not be negative, got {args.longer}')
    if args.interval >= args.frames:
        raise InputError(
            f'--interval must be less than the {counted(args.frames, "frame")}, leave gaps'
        )

    time_propagation(args)


main = Command(BenchmarkSpeedOptions, run, __doc__, 'benchmark_speed.py')

if __name__ == '__main__':
    raise SystemExit(main())
