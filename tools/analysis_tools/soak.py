"""Test the commands on long videos, and measure how their peak memory grows.

    python tools/analysis_tools/soak.py                                  # 1,000 and 10,000 frames
    python tools/analysis_tools/soak.py --frames 12 --size 1280 720 --people 125 250 500
    python tools/analysis_tools/soak.py --frames 12 --size 3840 2160 --people 1 20

Each command runs on generated videos in processes of its own: ``propagate`` with ``auto`` from
labels on every n-th frame, ``infer`` with random weights of a tiny network at boxes without
identities, which are tracked. Printed are the peak memory of each length, its ratio to that of the
shortest with as many people, and the time; exit code 1 if the largest ratio is above
``--max-ratio``. Pictures are kept up to 80 MiB: a video that fits in there needs less memory than a
longer one, whatever else grows.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.errors import require_packages

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'stdpose_tiny_estimation_synthetic.py'
COMMANDS = ('propagate', 'infer')
EXIT_GROWN = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    grown: list[bool] = []
    code = run_command(make_parser(), lambda args: grown.append(run(args)), arguments)
    return EXIT_GROWN if any(grown) else code


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = OneLineParser('soak.py', __doc__)
    parser.add_argument(
        '--commands', nargs='+', choices=COMMANDS, default=COMMANDS, help='(propagate infer)'
    )
    parser.add_argument(
        '--frames',
        type=positive,
        nargs='+',
        default=[1000, 10000],
        metavar='N',
        help='(1000 10000)',
    )
    parser.add_argument(
        '--size',
        type=positive,
        nargs=2,
        default=(320, 240),
        metavar=('WIDTH', 'HEIGHT'),
        help='(320 240)',
    )
    parser.add_argument(
        '--people', type=positive, nargs='+', default=[1], metavar='N', help='in a frame (1)'
    )
    parser.add_argument(
        '--interval', type=positive, default=10, help='frames between labels (%(default)s)'
    )
    parser.add_argument('--method', default='auto', help='of propagate (%(default)s)')
    parser.add_argument('--config', default=str(CONFIG), help='of infer (%(default)s)')
    parser.add_argument('--max-ratio', type=float, default=1.1, help='of peak memory (%(default)s)')
    return parser


def run(args: argparse.Namespace) -> bool:
    """Measure and print.

    Returns:
        Whether memory has grown by more than ``--max-ratio``.

    Raises:
        InputError: If a run fails.
    """
    from stdpose_mm.benchmarks.soak import SoakClip, soak

    largest = 0.0
    print('command    people   frames  peak MiB  ratio  seconds  processor seconds')
    with tempfile.TemporaryDirectory() as folder:
        for command in args.commands:
            model = ['--method', args.method]
            if command == 'infer':
                require_packages('infer', 'torch', 'mmpose')
                from stdpose_mm.benchmarks.timing import random_weights

                weights = random_weights(args.config, Path(folder) / 'random.pth')
                model = ['--config', args.config, '--checkpoint', weights]
            for people in args.people:
                first = 0
                for num_frames in sorted(args.frames):
                    clip = SoakClip(num_frames, tuple(args.size), people)
                    done = soak(command, clip, Path(folder), args.interval, model)
                    first = first or done.peak
                    largest = max(largest, done.peak / first)
                    print(
                        f'{command:<10} {people:6} {num_frames:8} {done.peak / 2**20:9.1f} '
                        f'{done.peak / first:6.3f} {done.seconds:8.1f} '
                        f'{done.processor_seconds:18.1f}',
                        flush=True,
                    )
    print(f'largest ratio {largest:.3f}, at most {args.max_ratio:g} is asked for')
    return largest > args.max_ratio


if __name__ == '__main__':
    raise SystemExit(main())
