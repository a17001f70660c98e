"""How well detected and tracked boxes follow the labelled people of a video.

    python tools/analysis_tools/benchmark_tracking.py frames/ labels.json --det-config rtmdet.onnx

The detector runs on every n-th frame, for every n asked for. Printed are MOTA, recall and precision
of boxes (a true box is found by one that overlaps it by an IoU of 0.5), identity switches, the
number of identities, and how long detection and tracking take a frame, reading not counted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stdpose_mm.cli.arguments import OneLineParser, positive, run_command
from stdpose_mm.detection import DetectedBoxes, build_person_detector, read_boxes
from stdpose_mm.detection.box_sources import BoxesByFrame
from stdpose_mm.detection.person_detector import NMS_IOU, SCORE_THRESHOLD
from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional.box_tracking import count_box_tracking
from stdpose_mm.io.video import open_frames
from stdpose_mm.structures import NO_PEOPLE, TrackedBoxes
from stdpose_mm.tracking.person_tracker import HIGH_SCORE_THR, KEPT_FRAMES, PersonTracker


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run_command(make_parser(), run, arguments)


def make_parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = OneLineParser('benchmark_tracking.py', __doc__)
    parser.add_argument('video', metavar='VIDEO_OR_FRAMES')
    parser.add_argument('labels', type=Path, help='its people with boxes and track ids')
    parser.add_argument('--det-config', required=True, help='MMDetection config, or ONNX file')
    parser.add_argument('--det-checkpoint', help='weights of the detector')
    parser.add_argument('--device', default='cpu', help='where it runs (%(default)s)')
    parser.add_argument(
        '--every', type=positive, nargs='+', default=[1, 2, 5], metavar='N', help='(1 2 5)'
    )
    parser.add_argument('--score', type=float, default=SCORE_THRESHOLD, help='(%(default)s)')
    parser.add_argument('--nms', type=float, default=NMS_IOU, help='(%(default)s)')
    parser.add_argument(
        '--sure-score',
        dest='high_score_thr',
        type=float,
        default=HIGH_SCORE_THR,
        help='(%(default)s)',
    )
    parser.add_argument('--kept-frames', type=positive, default=KEPT_FRAMES, help='(%(default)s)')
    return parser


def run(args: argparse.Namespace) -> None:
    """Measure and print.

    Raises:
        InputError: If something that was given cannot be used.
    """
    detector = build_person_detector(
        args.det_config, args.det_checkpoint, args.device, args.score, args.nms
    )
    frames = open_frames(args.video)
    truth = _true_people(args.labels, read_boxes(args.labels, frames), len(frames))
    pictures = list(frames)
    print(f'{"every":>5} {"MOTA":>6} {"recall":>7} {"precision":>9} {"switches":>8} {"ids":>4} ms')
    for every in args.every:
        tracker = PersonTracker(every, args.high_score_thr, args.kept_frames)
        start = time.perf_counter()
        found = [people for _, _, people in DetectedBoxes(detector, every, tracker)(pictures)]
        seconds = time.perf_counter() - start
        counts = count_box_tracking([(truth, found)])
        ids = np.unique(np.concatenate([people.track_ids for people in found]))
        print(
            f'{every:5} {counts.mota()[0]:6.1f} {counts.recall()[0]:7.1f} '
            f'{counts.precision()[0]:9.1f} {counts.switches[0]:8.0f} {len(ids):4} '
            f'{1000 * seconds / len(pictures):.1f}'
        )


def _true_people(path: Path, boxes: BoxesByFrame, num_frames: int) -> list[TrackedBoxes]:
    people = [boxes.get(frame, NO_PEOPLE) for frame in range(num_frames)]
    truth = [found for found in people if isinstance(found, TrackedBoxes)]
    if len(truth) < num_frames or not any(map(len, truth)):
        raise InputError(f'{path} has no people with track ids, give labels that do')
    return truth


if __name__ == '__main__':
    raise SystemExit(main())
