"""Generate a PoseTrack18-format data set of synthetic videos of people.

    python tools/dataset_converters/make_synthetic_posetrack.py OUT

writes ``OUT/images/{train,val}/<video>/%06d.jpg``, ``OUT/annotations/{train,val}/<video>.json``
and ``OUT/difficulty.json``. The same seed gives the same files. A run that was stopped goes on
where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from stdpose_mm.cli.parser import CliParser
from stdpose_mm.cli.command import run_command
from stdpose_mm.constants import FOOTAGE_KINDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), generate, arguments)


def generate(args: argparse.Namespace) -> None:
    """Write the videos and print their difficulty."""
    from tqdm import tqdm

    from stdpose_mm.comparison import report_difficulty
    from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset

    options = {name: getattr(args, name) for name in ('frames', 'width', 'height')}
    options['people'] = args.people and tuple(args.people)
    options['footage'] = args.footage
    chosen = {name: value for name, value in options.items() if value is not None}
    write_dataset(
        args.out,
        args.train_videos,
        args.val_videos,
        ClipSettings(**chosen),
        args.seed,
        args.workers,
        progress=lambda names, total: tqdm(names, total=total, unit='video', disable=None),
    )
    for split, figures in report_difficulty(args.out).items():
        print(f'{split}: {figures}')


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('make_synthetic_posetrack.py', __doc__)
    parser.add_output(
        'out',
        type=str,
        is_folder=True,
        metavar='OUT',
        help='folder to write to; the same command completes a stopped run',
    )
    parser.add_argument('--train-videos', type=int, default=160, metavar='N')
    parser.add_argument('--val-videos', type=int, default=15, metavar='M')
    parser.add_argument('--frames', type=int, help='frames per video')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--width', type=int, help='pixels')
    parser.add_argument('--height', type=int, help='pixels')
    parser.add_argument(
        '--people',
        type=int,
        nargs=2,
        metavar=('MIN', 'MAX'),
        help='fewest and most people in a video',
    )
    parser.add_argument(
        '--footage',
        choices=FOOTAGE_KINDS,
        help='wild adds the defects of real footage and of its coding, mixed has clips of both '
        'kinds (plain)',
    )
    parser.add_argument('--workers', type=int, help='processes (default: number of cores)')
    return parser


if __name__ == '__main__':
    raise SystemExit(main())
