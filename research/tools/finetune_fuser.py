"""Train the fuser of ``auto``, or train it further on your own videos with your pose networks.

    python -m research.tools.finetune_fuser --work-dir work_dirs/fuser \
        --labels train.txt held_out.txt --video-root videos --pose-onnx rtmpose.onnx=rtmpose-coco
    stdpose propagate clip.mp4 labels.json --out dense.json --fuser work_dirs/fuser/fuser.onnx \
        --pose-onnx rtmpose.onnx=rtmpose-coco

Labels are two sets of videos without a common source (``split_videos.py``), with every frame
labelled, or most of them: the fuser is trained on the first set; the second set decides how much
the weights change, and calibrates the scores. Training starts from the package's fuser for
such labels, or with ``--fresh`` from random weights, and at the end prints the accuracy of both on
the second set. Pose networks are not changed; their options are those of ``stdpose propagate``, and
as there, the package's STDPose is used for labels of people unless a model is given. A model of
this package, ``--config`` and ``--checkpoint``, must not have been trained on these videos, or the
fuser learns to trust it more than it deserves on other videos. With several models, each video gets
the heatmaps of one of them, so that the fuser learns to tell good from bad ones; the package's
fusers were trained in this way (docs/guide/auto.md).

``--matcher`` and ``--stdpose-folder`` are for a fuser that is used with other networks than the
package's. With two STDPoses, each trained on one half of the videos, every video gets the heatmaps
of the one that has not seen it:

    python -m research.tools.finetune_fuser --work-dir work_dirs/fuser \
        --labels train.txt held_out.txt --video-root videos \
        --matcher work_dirs/matcher/joint_matcher.onnx \
        --stdpose-folder work_dirs/stdpose_a half_a.txt \
        --stdpose-folder work_dirs/stdpose_b half_b.txt

``benchmark_propagation.py --evidence`` measures the accuracy of the fuser with such networks.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from research.arguments import TrainingResources, paired_models, require_every_video
from research.training.fuser_finetuning import FuserFinetuner
from research.training.gap_extraction import ExportedSTDPose, GapSource, Roots, TrainedPoseNetwork
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import EvidenceOptions, RootOptions
from stdpose_mm.cli.parser import REQUIRED, option
from stdpose_mm.errors import InputError
from stdpose_mm.labelling.comparison.labelled_videos import read_videos
from stdpose_mm.labelling.propagation.auto.joint_matching import SHIPPED_MATCHER
from stdpose_mm.labelling.propagation.auto.trained_fuser import fuser_file
from stdpose_mm.text import counted


@dataclass(frozen=True, kw_only=True)
class FinetuneFuserOptions(RootOptions, EvidenceOptions, TrainingResources):
    """Options of ``finetune_fuser.py``.

    Args:
        work_dir: Folder for all files that are written.
        labels: Two sets of densely labelled videos without a common source.
        fuser: Fuser to start from (default: the package's for labels like those of TRAIN).
        fresh: Start from random weights.
        matcher: Joint matcher for gathering the evidence, a file that train_matcher.py wrote
            (default: the one that comes with the package).
        config: Config of a model of this package whose heatmaps are evidence for auto; this and the
            next option may be repeated, and each video then gets the heatmaps of one of the models.
        checkpoint: Weights of --config.
        stdpose: Besides --config, use the package's STDPoses, or --stdpose-folder, for every second
            video (default: without --config, or with --stdpose-folder).
        stdpose_folder: STDPose that replaces the package's of real people: a folder that
            export_stdpose.py wrote, and the labels of its training videos if any of them are in
            --labels; may be repeated, and each video is then shown with the first one that has not
            seen it.
        generated: The videos are generated clips, exactly labelled and unlike the footage that the
            fuser is for: labels are moved as if a person had set them, heatmaps get the errors that
            they have on unknown footage, and scores are less certain.
        iters: Training steps.
    """

    work_dir: Path = option(REQUIRED, writes=True, is_folder=True, files=('fuser.onnx',))
    labels: list[Path] = option(
        REQUIRED, reads_folder=True, type=Path, nargs=2, metavar=('TRAIN', 'HELD_OUT')
    )
    fuser: Path | None = option(metavar='FILE')
    fresh: bool = option(False)
    matcher: Path | None = option(metavar='FILE')
    config: list[str] = option([], metavar='CONFIG')
    checkpoint: list[str] = option([], metavar='FILE')
    stdpose: bool | None = option(action=argparse.BooleanOptionalAction)
    stdpose_folder: list[list[Path]] = option(
        [], reads_folder=True, type=Path, nargs='+', action='append', metavar=('FOLDER', 'LABELS')
    )
    generated: bool = option(False)
    iters: int = option(2000, type=positive)


def train(args: FinetuneFuserOptions) -> None:
    """Train, and print the quality before and after.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    networks = args.pose_networks
    if args.fresh and args.fuser is not None:
        raise InputError('--fresh and --fuser exclude each other, give one of them')
    models = paired_models(args.config, args.checkpoint)
    uses_stdpose = bool(args.stdpose_folder) or not models
    if args.stdpose is not None:
        uses_stdpose = args.stdpose
    if args.stdpose_folder and not uses_stdpose:
        raise InputError('--no-stdpose and --stdpose-folder exclude each other, give one of them')
    for values in args.stdpose_folder:
        if len(values) > 2:
            raise InputError(
                '--stdpose-folder takes a folder and the labels of its training videos, got '
                f'{counted(len(values), "value")}; repeat the option for another folder'
            )

    stdposes = [
        ExportedSTDPose(folder, frozenset(v.name for labels in seen for v in read_videos(labels)))
        for folder, *seen in args.stdpose_folder
    ]
    source = GapSource(
        Roots(args.image_root, args.video_root),
        generated=args.generated,
        models=tuple(
            TrainedPoseNetwork(Path(config), Path(checkpoint)) for config, checkpoint in models
        ),
        stdposes=tuple(stdposes or [ExportedSTDPose()]) if uses_stdpose else (),
        networks=tuple(networks),
        device=args.device,
        matcher=args.matcher or SHIPPED_MATCHER,
    )
    to_learn, held_out = (read_videos(labels) for labels in args.labels)
    finetuner = FuserFinetuner(
        args.work_dir,
        source,
        None if args.fresh else args.fuser or fuser_file(to_learn[0].skeleton),
        args.iters,
        args.workers,
        args.device,
        args.seed,
    )
    require_every_video(networks, len(to_learn) + len(held_out))
    names = {video.name for video in (*to_learn, *held_out)}
    for stdpose in stdposes:
        known = f'{len(stdpose.seen & names)} of the {counted(len(names), "video")}'
        print(f'the STDPose in {stdpose.folder} has seen {known}')
    before, after, share = finetuner.train(to_learn, held_out)
    print(f'share of the trained weights (the rest are the initial ones): {100 * share:.0f} %')
    print(f'fuser.onnx is in {args.work_dir}; on the held-out videos:')
    for name, field in (
        ('PCK@0.1', 'pck'),
        ('mean error, % of the pose', 'error'),
        ('calibration error of the scores (new ones are fitted here)', 'calibration_error'),
    ):
        old = '' if before is None else f'{100 * getattr(before, field):.2f} before, '
        print(f'{name}: {old}{100 * getattr(after, field):.2f} now')
    if before is not None and after.pck < before.pck:
        print('fewer joints are right than before: keep the old fuser, or give more labels')


main = Command(FinetuneFuserOptions, train, __doc__, 'finetune_fuser.py')

if __name__ == '__main__':
    raise SystemExit(main())
