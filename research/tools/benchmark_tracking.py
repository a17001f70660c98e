"""Measure how well detected and tracked boxes follow the labelled people of videos.

    python -m research.tools.benchmark_tracking frames/ labels.json --det-config rtmdet.onnx
    python -m research.tools.benchmark_tracking videos/ labels/ --det-config rtmdet.onnx

The detector runs on every n-th frame, for every n asked for, and tracks are confirmed as in
``stdpose infer``, for every setting asked for. Printed are

- MOTA, recall and precision of boxes (a true box is found by one that overlaps it by an IoU of
  0.5), and switches of identity;
- ids: identities in all; false: those that are with no true person in more than half of their
  frames; short: those of fewer than 10 frames; broken: identities of a true person beyond the
  first; doubles: second boxes on true people;
- ms: of detection and tracking for a frame, reading not counted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from research.tracking.box_tracking import count_box_tracking, count_tracks
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.detection import DetectedBoxes, build_person_detector, read_boxes
from stdpose_mm.detection.box_sources import BoxesByFrame
from stdpose_mm.detection.person_detector import NMS_IOU, SCORE_THRESHOLD
from stdpose_mm.errors import InputError
from stdpose_mm.io.video import open_frames
from stdpose_mm.io.video_list import find_file_of, list_videos
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes
from stdpose_mm.tracking.person_tracker import HIGH_SCORE_THR, KEPT_FRAMES, PersonTracker
from stdpose_mm.tracking.track_confirmation import (
    MAX_CONTAINED,
    MIN_TRACK_FRAMES,
    TrackConfirmation,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), run, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('benchmark_tracking.py', __doc__)
    parser.add_argument(
        'video',
        metavar='VIDEO_OR_FRAMES',
        help='a video file or folder of pictures, or a folder of several',
    )
    parser.add_argument(
        'labels',
        type=Path,
        help='label file with boxes and track ids; for several videos, a folder',
    )
    parser.add_argument('--det-config', required=True, help='MMDetection config, or ONNX file')
    parser.add_argument('--det-checkpoint', help='weights of the detector')
    parser.add_argument('--device', default='cpu', help='where the detector runs (%(default)s)')
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
    parser.add_argument(
        '--min-track-frames',
        type=positive,
        nargs='+',
        default=[1, MIN_TRACK_FRAMES],
        metavar='N',
        help=f'frames that confirm a track (1 {MIN_TRACK_FRAMES})',
    )
    parser.add_argument(
        '--max-contained',
        type=float,
        nargs='+',
        default=[1.0, MAX_CONTAINED],
        metavar='SHARE',
        help='share of a box inside another one from which on both are on one person '
        f'(1 {MAX_CONTAINED})',
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Measure and print.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    detector = build_person_detector(
        args.det_config, args.det_checkpoint, args.device, args.score, args.nms
    )
    confirmations = {
        (frames, share): TrackConfirmation(frames, share)
        for frames in args.min_track_frames
        for share in args.max_contained
    }
    print(
        'every  min  share   MOTA recall precision switches  ids false short broken doubles    ms'
    )
    for every in args.every:
        tracker = PersonTracker(every, args.high_score_thr, args.kept_frames)
        source, seconds = DetectedBoxes(detector, every, tracker), 0.0
        tracked = []
        for video in list_videos([args.video]):
            frames = open_frames(video.video)
            path = find_file_of(video, args.labels) if args.labels.is_dir() else args.labels
            truth = _true_people(path, read_boxes(path, frames), len(frames))
            read = list(frames)
            start = time.perf_counter()
            tracked.append((truth, [people for _, _, people in source(read)]))
            seconds += time.perf_counter() - start
        num_frames = sum(len(truth) for truth, _ in tracked)
        for (min_frames, share), confirmation in confirmations.items():
            kept = [(truth, _confirmed(found, confirmation)) for truth, found in tracked]
            counts, tracks = count_box_tracking(kept), count_tracks(kept)
            print(
                f'{every:5} {min_frames:4} {share:6.2f} {counts.mota()[0]:6.1f} '
                f'{counts.recall()[0]:6.1f} {counts.precision()[0]:9.1f} {counts.switches[0]:8.0f} '
                f'{tracks.ids:4} {tracks.false_ids:5} {tracks.short_ids:5} {tracks.broken:6} '
                f'{tracks.doubles:7} {1000 * seconds / num_frames:5.1f}'
            )


def _confirmed(found: Sequence[FrameBoxes], confirmation: TrackConfirmation) -> list[FrameBoxes]:
    confirmed = zip(found, confirmation(found), strict=True)
    return [people.select(kept) for people, kept in confirmed]


def _true_people(path: Path, boxes: BoxesByFrame, num_frames: int) -> list[FrameBoxes]:
    people = [boxes.get(frame, NO_PEOPLE) for frame in range(num_frames)]
    truth = [found for found in people if found.is_tracked]
    if len(truth) < num_frames or not any(map(len, truth)):
        raise InputError(f'{path} has no people with track ids, give labels that do')
    return truth


if __name__ == '__main__':
    raise SystemExit(main())
