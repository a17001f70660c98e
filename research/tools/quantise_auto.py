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

import argparse
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.errors import require_packages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(), quantise, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('quantise_auto.py', __doc__)
    parser.add_options(LabelledVideoOptions)
    parser.add_argument(
        '--matcher',
        type=Path,
        required=True,
        metavar='FILE',
        help='joint_matcher.onnx of train_matcher.py',
    )
    parser.add_argument(
        '--stdpose', type=Path, required=True, metavar='FOLDER', help='folder of export_stdpose.py'
    )
    parser.add_output(
        '--out',
        is_folder=True,
        files=('joint_matcher.onnx', 'stdpose_frames.onnx', 'stdpose_windows.onnx'),
        required=True,
        metavar='FOLDER',
        help='folder to write the three files to',
    )
    return parser


def quantise(args: argparse.Namespace) -> None:
    """Write the files.

    Raises:
        InputError: If a file cannot be used, or --out is the folder of --stdpose.
    """
    require_packages('the export', 'torch', 'onnx')
    from research.export.auto_int8 import quantise_auto
    from stdpose_mm.io.labelled_videos import open_video, read_videos

    videos = [
        (open_video(labels, args.image_root, args.video_root, pictures_needed=True), labels)
        for labels in read_videos(args.labels)
    ]
    quantise_auto(videos, args.matcher, args.stdpose, args.out)
    print(f'the networks in 8 bits are in {args.out}')


if __name__ == '__main__':
    raise SystemExit(main())
