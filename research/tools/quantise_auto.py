"""Turn the matcher and the STDPose of ``auto`` into networks of 8 bits, about twice as fast.

    python tools/dataset_converters/make_synthetic_posetrack.py data/calibration --train-videos 0 \
        --val-videos 12 --frames 31 --people 1 2 --footage mixed --seed 11
    python -m research.tools.quantise_auto data/calibration/annotations/val \
        --image-root data/calibration --matcher joint_matcher.onnx --stdpose work_dirs/exported \
        --out work_dirs/int8

So were the files made that come with the package, in ``stdpose_mm/propagation/auto/weights``, from
those of ``train_matcher.py`` and ``export_stdpose.py``. Labelled clips of people show which values
the networks compute; see research/docs/auto_parts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from research.export.auto_int8 import quantise_auto
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import REQUIRED, option
from stdpose_mm.io.labelled_videos import open_video, read_videos


@dataclass(kw_only=True)
class QuantiseAutoOptions(LabelledVideoOptions):
    """Options of ``quantise_auto.py``.

    Args:
        matcher: Joint_matcher.onnx of train_matcher.py.
        stdpose: Folder of export_stdpose.py.
        out: Folder to write the three files to.
    """

    matcher: Path = option(REQUIRED, metavar='FILE')
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
