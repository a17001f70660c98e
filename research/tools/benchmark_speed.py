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

import argparse
from collections.abc import Sequence
from pathlib import Path

from research.arguments import add_speed_arguments
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.constants import PRECISIONS
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.text import counted

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'stdpose_tiny_synthetic.py'
CLOCKS = ('wall', 'cpu')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), run, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('benchmark_speed.py', __doc__)
    add_speed_arguments(parser, CONFIG, frames=29)
    parser.add_argument(
        '--interval', type=positive, default=7, help='interval T between given frames (%(default)s)'
    )
    parser.add_argument('--precision', choices=PRECISIONS, default='float32')
    parser.add_argument('--device', default='cpu', help='(%(default)s)')
    parser.add_argument(
        '--clock',
        choices=CLOCKS,
        default='wall',
        help='wall time, or CPU time of all threads, for a machine that does other work '
        '(%(default)s)',
    )
    parser.add_argument('--repeats', type=positive, default=3, help='(%(default)s)')
    parser.add_argument(
        '--longer',
        type=int,
        default=10,
        help='how many times longer the clip for peak memory is; 0 does not measure memory '
        '(%(default)s)',
    )
    return parser


def run(args: argparse.Namespace) -> None:
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
    require_packages('a pose network', 'torch', 'mmpose')
    from research.speed.propagation_speed import time_propagation

    time_propagation(args)


if __name__ == '__main__':
    raise SystemExit(main())
