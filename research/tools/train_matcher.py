"""Train the joint matcher of ``auto``, which finds labelled joints in other frames.

    python -m research.tools.train_matcher --work-dir work_dirs/matcher

generates clips that look and are encoded like videos in the wild (``--footage wild`` of
``make_synthetic_posetrack.py``), trains on them and writes ``joint_matcher.onnx``. Existing clips
are kept, but a stopped training starts again. It takes minutes with ``--device cuda --workers 16``,
and hours on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from research.arguments import TrainingResources
from research.export.matcher_export import export_matcher
from research.training.matcher_training import train_matcher
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import REQUIRED, option
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.labelling.comparison.labelled_videos import read_videos

FIRST_SEED = 1000
"""First seed of the clips, so that they differ from the clips of the demo and the tables."""


@dataclass(frozen=True, kw_only=True)
class TrainMatcherOptions(TrainingResources):
    """Options of ``train_matcher.py``.

    Args:
        work_dir: Folder for all files that are written.
        clips: Number of clips to generate.
        iters: Training steps.
        batch_size: Pairs of frames per step.
    """

    work_dir: Path = option(REQUIRED, writes=True, is_folder=True, files=('joint_matcher.onnx',))
    clips: int = option(800, type=positive)
    iters: int = option(2200, type=positive)
    batch_size: int = option(96, type=positive, metavar='N')


def train(args: TrainMatcherOptions) -> None:
    """Generate the clips and train.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    data = args.work_dir / 'generated'
    write_dataset(
        data,
        args.clips,
        0,
        settings=ClipSettings(frames=36, people=(1, 2), footage='wild'),
        seed=FIRST_SEED + args.seed,
        workers=args.workers,
        progress=lambda names, total: tqdm(names, total=total, unit=' clips', disable=None),
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


main = Command(TrainMatcherOptions, train, __doc__, 'train_matcher.py')

if __name__ == '__main__':
    raise SystemExit(main())
