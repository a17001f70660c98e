"""Train the networks of ``auto``: a pose network, and the fuser that combines the evidence.

    python -m research.tools.train_auto --work-dir work_dirs/auto
    python -m research.tools.train_auto --work-dir work_dirs/auto_jhmdb --start work_dirs/auto \
        --labels data/jhmdb_halves/train.txt data/jhmdb_halves/val.txt \
        --video-root data/jhmdb_clips \
        --config research/configs/auto/stdpose_tiny_propagation_jhmdb_auto.py

Without ``--labels`` both are trained on clips that are generated first. With ``--labels``, densely
labelled videos of your own in two sets without a common source (``split_videos.py --val-share
0.5``), training goes on from ``--start``: the pose network is trained on each set by itself, so
that the fuser learns from heatmaps of videos which the network had not seen, and then on both.

What is finished is kept in the work folder: a run that was stopped goes on where it was. In the
end ``fuser.onnx``, ``pose.py`` and ``pose.pth`` are what ``tools/propagate.py`` takes as
``--fuser``, ``--config`` and ``--checkpoint``; ``fuser.onnx`` is the fuser for use without PyTorch.

On a GPU: ``--device cuda --clips 10000 --pose-iters 60000 --fuser-iters 20000``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from research.arguments import add_matcher_argument, add_training_resources
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.options import RootOptions
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.outputs import Output, guard_outputs

CONFIG = 'research/configs/auto/stdpose_tiny_propagation_synthetic_auto.py'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(), train, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('train_auto.py', __doc__)
    parser.add_output(
        '--work-dir',
        is_folder=True,
        files=('fuser.onnx', 'fuser.pth', 'pose.py', 'pose.pth'),
        required=True,
        help='folder for everything that is written',
    )
    parser.add_argument('--config', default=CONFIG, help='of the pose network (%(default)s)')
    parser.add_argument(
        '--clips', type=positive, default=800, help='clips to generate (%(default)s)'
    )
    parser.add_argument(
        '--held-out', type=positive, default=40, help='clips for the calibration (%(default)s)'
    )
    parser.add_argument(
        '--evidence-clips',
        type=positive,
        default=160,
        help='clips that the fuser sees; the pose network sees all (%(default)s)',
    )
    parser.add_argument(
        '--labels',
        type=Path,
        nargs=2,
        metavar=('HALF', 'OTHER'),
        help='two sets of densely labelled videos without a common source',
    )
    parser.add_options(RootOptions)
    parser.add_argument('--start', type=Path, help='work folder of an earlier run to continue')
    parser.add_argument(
        '--pose-iters', type=positive, help='steps of the pose network (the config)'
    )
    parser.add_argument(
        '--fuser-iters', type=positive, default=3000, help='steps of the fuser (%(default)s)'
    )
    add_matcher_argument(parser)
    add_training_resources(parser)
    return parser


def train(args: argparse.Namespace) -> None:
    """Train what is not trained yet.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    if args.labels is not None and args.start is None:
        raise InputError(
            '--labels needs --start, the work folder of a run on generated clips; run '
            'train_auto.py without --labels first'
        )
    guard_outputs(
        [Output('--work-dir', args.work_dir, is_folder=True)],
        {'--start': args.start, '--labels': args.labels},
    )
    require_packages('training', 'torch', 'mmpose', 'onnx')
    from research.training.auto_training import AutoTrainer
    from research.training.gap_extraction import Roots
    from stdpose_mm.propagation.auto.trained_matcher import SHIPPED_MATCHER

    begin = time.monotonic()
    trainer = AutoTrainer(
        args.work_dir,
        args.config,
        args.pose_iters,
        args.fuser_iters,
        args.workers,
        args.device,
        args.seed,
        args.matcher or SHIPPED_MATCHER,
    )
    if args.labels is None:
        trainer.train_on_generated(args.clips, args.held_out, args.evidence_clips)
    else:
        roots = Roots(args.image_root, args.video_root)
        trainer.train_on_labels(args.labels, args.start, roots)
    minutes = (time.monotonic() - begin) / 60
    print(f'{minutes:.0f} minutes; fuser.onnx, pose.py and pose.pth are in {args.work_dir}')


if __name__ == '__main__':
    raise SystemExit(main())
