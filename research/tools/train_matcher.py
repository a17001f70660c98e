"""Train the joint matcher of ``auto``, which finds labelled joints in other frames.

    python -m research.tools.train_matcher --work-dir work_dirs/matcher

generates clips, filmed and coded as videos in the wild are (``--footage wild`` of
``make_synthetic_posetrack.py``), trains on them and writes ``joint_matcher.onnx``. Clips that are
there are kept; a training that was stopped begins again. With ``--device cuda --workers 16`` it
takes minutes, on two cores hours.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from research.arguments import add_training_resources
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.errors import require_packages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(), train, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('train_matcher.py', __doc__)
    parser.add_output(
        '--work-dir',
        is_folder=True,
        files=('joint_matcher.onnx',),
        required=True,
        help='folder for everything that is written',
    )
    parser.add_argument(
        '--clips', type=positive, default=800, help='clips to generate (%(default)s)'
    )
    parser.add_argument('--iters', type=positive, default=2200, help='steps (%(default)s)')
    parser.add_argument(
        '--batch-size',
        type=positive,
        default=96,
        metavar='N',
        help='pairs of frames per step (%(default)s)',
    )
    add_training_resources(parser)
    return parser


def train(args: argparse.Namespace) -> None:
    """Generate the clips and train.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    require_packages('training', 'torch', 'mmpose', 'onnx')
    from tqdm import tqdm

    from research.export.matcher_export import export_matcher
    from research.training.auto_training import FIRST_SEED
    from research.training.matcher_training import train_matcher
    from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
    from stdpose_mm.io.labelled_videos import read_videos

    data = args.work_dir / 'generated'
    write_dataset(
        data,
        args.clips,
        0,
        settings=ClipSettings(frames=36, people=(1, 2), footage='wild'),
        seed=FIRST_SEED + args.seed,
        workers=args.workers,
        progress=lambda names, total: tqdm(names, total=total, unit=' clips'),
    )
    matcher = train_matcher(
        read_videos(data / 'annotations' / 'train'),
        data,
        args.work_dir / 'logs',
        args.iters,
        args.batch_size,
        seed=args.seed,
        device=args.device,
        workers=0 if args.device == 'cpu' else args.workers,
    )
    path = args.work_dir / 'joint_matcher.onnx'
    export_matcher(matcher, path)
    print(f'{path} is the matcher')


if __name__ == '__main__':
    raise SystemExit(main())
