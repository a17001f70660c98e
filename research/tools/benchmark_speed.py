r"""Measure the time of propagation, compared with its backbone alone, and its peak memory.

    python -m research.tools.benchmark_speed
    python -m research.tools.benchmark_speed --config configs/stdpose_vit_posetrack17.py \
        --people 1

A clip is generated, with labels in every T-th frame. Without a checkpoint the weights are random,
which takes the same time. The network runs as in ``tools/propagate.py``: on a CPU in float32 with
packed weights. Every figure is the least of some repetitions. Peak memory is measured in separate
processes.
"""

from __future__ import annotations

from dataclasses import dataclass

from research import ROOT
from research.speed.propagation_speed import time_propagation
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import option
from stdpose_mm.constants import PRECISIONS
from stdpose_mm.errors import InputError
from stdpose_mm.text import counted

CONFIG = ROOT / 'configs' / 'stdpose_tiny_synthetic.py'
CLOCKS = ('wall', 'cpu')


@dataclass(frozen=True, kw_only=True)
class BenchmarkSpeedOptions:
    """Options of ``benchmark_speed.py``.

    Args:
        config: Config of the model.
        checkpoint: Weights (default: random ones).
        frames: Length of the video.
        size: Width and height of the video.
        people: People in every frame.
        batch_size: Number of crops, and of windows, in a batch.
        interval: Interval T between given frames.
        precision: Precision of the network.
        device: Device of the models.
        clock: Wall time, or CPU time of all threads for a machine that does other work.
        repeats: Number of repetitions, of which the fastest counts.
        longer: Factor by which the second clip for peak memory is longer; 0 to measure no memory.
    """

    config: str = option(str(CONFIG))
    checkpoint: str | None = option()
    frames: int = option(29, type=positive)
    size: list[int] = option((640, 480), type=positive, nargs=2, metavar=('W', 'H'))
    people: int = option(2, type=positive)
    batch_size: int = option(8, type=positive)
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
