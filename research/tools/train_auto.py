"""Train the networks of ``auto``: a pose network, and the fuser that combines the evidence.

    python -m research.tools.train_auto --work-dir work_dirs/auto
    python -m research.tools.train_auto --work-dir work_dirs/auto_jhmdb --start work_dirs/auto \
        --labels data/jhmdb_halves/train.txt data/jhmdb_halves/val.txt \
        --video-root data/jhmdb_clips \
        --config research/configs/auto/stdpose_tiny_propagation_jhmdb_auto.py

Without ``--labels`` both are trained on clips that are generated first. With ``--labels``, your own
densely labelled videos in two sets without a common source (``split_videos.py --val-share 0.5``),
training continues from ``--start``: the pose network is trained on each set alone, so that the
fuser learns from heatmaps of videos that the network has not seen, and then on both sets.

Finished parts are kept in the work folder, so that a stopped run continues. At the end, give
``fuser.onnx``, ``pose.py`` and ``pose.pth`` to ``tools/propagate.py`` as ``--fuser``, ``--config``
and ``--checkpoint``; further training starts from ``fuser.pth``.

On a GPU: ``--device cuda --clips 10000 --pose-iters 60000 --fuser-iters 20000``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from research.arguments import MatcherOption, TrainingResources
from research.training.auto_training import AutoTrainer
from research.training.gap_extraction import Roots
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import RootOptions
from stdpose_mm.cli.parser import REQUIRED, option
from stdpose_mm.errors import InputError
from stdpose_mm.io.output_guards import Output, guard_outputs
from stdpose_mm.propagation.auto.trained_matcher import SHIPPED_MATCHER

CONFIG = 'research/configs/auto/stdpose_tiny_propagation_synthetic_auto.py'


@dataclass(kw_only=True)
class TrainAutoOptions(RootOptions, MatcherOption, TrainingResources):
    """Options of ``train_auto.py``.

    Args:
        work_dir: Folder for all files that are written.
        config: Config of the pose network.
        clips: Number of clips to generate.
        held_out: Number of clips for the calibration.
        evidence_clips: Number of clips for training the fuser; the pose network is trained on all.
        labels: Two sets of densely labelled videos without a common source.
        start: Work folder of an earlier run to continue.
        pose_iters: Training steps of the pose network (default: as in the config).
        fuser_iters: Training steps of the fuser.
    """

    work_dir: Path = option(
        REQUIRED,
        writes=True,
        is_folder=True,
        files=('fuser.onnx', 'fuser.pth', 'pose.py', 'pose.pth'),
    )
    config: str = option(CONFIG)
    clips: int = option(800, type=positive)
    held_out: int = option(40, type=positive)
    evidence_clips: int = option(160, type=positive)
    labels: list[Path] | None = option(type=Path, nargs=2, metavar=('HALF', 'OTHER'))
    start: Path | None = option()
    pose_iters: int | None = option(type=positive)
    fuser_iters: int = option(3000, type=positive)


def train(args: TrainAutoOptions) -> None:
    """Train the networks that are not trained yet.

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
    if args.labels is None or args.start is None:
        trainer.train_on_generated(args.clips, args.held_out, args.evidence_clips)
    else:
        roots = Roots(args.image_root, args.video_root)
        trainer.train_on_labels(args.labels, args.start, roots)
    minutes = (time.monotonic() - begin) / 60
    print(f'{minutes:.0f} minutes; fuser.onnx, pose.py and pose.pth are in {args.work_dir}')


main = Command(TrainAutoOptions, train, __doc__, 'train_auto.py')

if __name__ == '__main__':
    raise SystemExit(main())
