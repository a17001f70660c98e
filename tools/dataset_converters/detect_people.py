"""Detect the people in the labelled frames of a set of videos, for tests with detected boxes.

    python tools/dataset_converters/detect_people.py data/posetrack18/annotations/val \
        --image-root data/posetrack18 --out data/posetrack18/detections/val.json \
        --det-config rtmdet_m_8xb32-300e_coco --det-checkpoint rtmdet_m.pth --device cuda

Writes COCO-style detections, which datasets with ``boxes='detected'`` take as ``bbox_file``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from stdpose_mm.cli.arguments import add_labelled_videos, add_launcher_argument
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.cli.command import run_command
from stdpose_mm.errors import require_packages
from stdpose_mm.io.outputs import JSON_SUFFIXES
from stdpose_mm.processes import is_first_process, joined_processes
from stdpose_mm.text import counted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), run, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('detect_people.py', __doc__)
    add_labelled_videos(parser)
    parser.add_output(
        '--out',
        what='detections',
        suffixes=JSON_SUFFIXES,
        required=True,
        metavar='JSON',
        help='file to write',
    )
    parser.add_argument(
        '--det-config', required=True, metavar='FILE', help='MMDetection config, or ONNX file'
    )
    parser.add_argument('--det-checkpoint', metavar='FILE', help='weights of the detector')
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.05,
        metavar='S',
        help='do not write detections that score less than S; datasets leave out more '
        '(%(default)s)',
    )
    parser.add_argument('--device', default='cpu', help='where the detector runs (%(default)s)')
    add_launcher_argument(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Write the file and print its numbers.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    require_packages('detect_people.py', 'torch')
    from stdpose_mm.detection import build_person_detector
    from stdpose_mm.detection.detect_people import detect_people
    from stdpose_mm.io.labelled_videos import read_videos
    from stdpose_mm.io.labels.detections import write_detections

    videos = read_videos(args.labels)
    with joined_processes(args.launcher, args.device):
        detector = build_person_detector(
            args.det_config, args.det_checkpoint, args.device, args.score_thr
        )
        detections = detect_people(videos, detector, args.image_root, args.video_root, progress)
        if is_first_process():
            write_detections(detections, args.out)
            frames = detections.by_image.values()
            print(
                f'{args.out}: {counted(len(frames), "frame")} of {counted(len(videos), "video")}, '
                f'{counted(sum(len(found.scores) for found in frames), "detection")}'
            )


def progress(names: Iterable[str], total: int) -> Iterable[str]:
    """Return a progress bar over the videos of the first process."""
    from tqdm import tqdm

    return tqdm(names, total=total, unit=' videos', disable=not is_first_process())


if __name__ == '__main__':
    raise SystemExit(main())
