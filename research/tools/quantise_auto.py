"""Quantise the matcher and the STDPose of ``auto`` to 8 bits, which is about twice as fast.

    python tools/dataset_converters/make_synthetic_posetrack.py data/calibration --train-videos 0 \
        --val-videos 12 --frames 31 --people 1 2 --footage mixed --seed 11
    python -m research.tools.quantise_auto data/calibration/annotations/val \
        --image-root data/calibration --matcher joint_matcher.onnx --stdpose work_dirs/exported \
        --out work_dirs/int8

The files in ``stdpose_mm/labelling/propagation/auto/weights``, which come with the package, were
made in this way from the output of ``train_matcher.py`` and ``export_stdpose.py``. Labelled clips
of people show the range of the values in the networks; see research/docs/auto_parts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from research.export.auto_int8 import quantise_auto
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import REQUIRED, option
from stdpose_mm.labelling.comparison.labelled_videos import open_video, read_videos


@dataclass(frozen=True, kw_only=True)
class QuantiseAutoOptions(LabelledVideoOptions):
    """Options of ``quantise_auto.py``.

    Args:
        matcher: File joint_matcher.onnx that train_matcher.py wrote (default: the package's
            matcher, which is in 8 bits already, stays).
        stdpose: Folder that export_stdpose.py wrote.
        out: Folder for the two or three files.
    """

    matcher: Path | None = option(metavar='FILE')
    stdpose: Path = option(REQUIRED, metavar='FOLDER')
    out: Path = option(
        REQUIRED,
        writes=True,
        is_folder=True,
        files=('joint_matcher.onnx', 'stdpose_frames.onnx', 'stdpose_windows.onnx'),
        metavar='FOLDER',
    )


def quantise(args: QuantiseAutoOptions) -> None:
    """Write the files.

    Raises:
        InputError: If a file cannot be used, or --out is the folder of --stdpose.
    """
    videos = [
        (open_video(labels, args.image_root, args.video_root, pictures_needed=True), labels)
        for labels in read_videos(args.labels)
    ]
    quantise_auto(videos, args.matcher, args.stdpose, args.out)
    print(f'the networks in 8 bits are in {args.out}')


main = Command(QuantiseAutoOptions, quantise, __doc__, 'quantise_auto.py')

if __name__ == '__main__':
    raise SystemExit(main())
