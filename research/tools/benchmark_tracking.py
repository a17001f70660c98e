"""Measure how well detected and tracked boxes follow the labelled people of videos.

    python -m research.tools.benchmark_tracking frames/ labels.json --det-config rtmdet.onnx
    python -m research.tools.benchmark_tracking videos/ labels/ --det-config rtmdet.onnx

For every requested n, the detector runs on every n-th frame, and for every requested setting,
tracks are confirmed as in ``stdpose infer``. It prints

- MOTA, recall and precision of boxes (a box matches a true one from an IoU of 0.5), and identity
  switches;
- ids: number of tracks; false: tracks that match no true person in more than half of their frames;
  short: tracks of fewer than 10 frames; broken: tracks of a true person beyond the first one;
  doubles: second boxes on true people;
- ms: milliseconds of detection and tracking per frame, without reading.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from research.tracking.box_tracking import count_box_tracking, count_tracks
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import REQUIRED, argument, option
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


@dataclass(kw_only=True)
class BenchmarkTrackingOptions:
    """Options of ``benchmark_tracking.py``.

    Args:
        video: A video file or folder of pictures, or a folder of several.
        labels: Label file with boxes and track ids; for several videos, a folder.
        det_config: MMDetection config, or ONNX file.
        det_checkpoint: Weights of the detector.
        device: Device of the detector.
        every: Values of n; the detector runs on every n-th frame (1 2 5).
        score: Score below which detections are dropped.
        nms: IoU above which the weaker of two detections is dropped.
        high_score_thr: Score from which a detection can begin a track.
        kept_frames: Frames for which an unmatched track is kept.
        min_track_frames: Number of frames that confirm a track.
        max_contained: Share of a box inside another one above which both are on one person.
    """

    video: str = argument('VIDEO_OR_FRAMES')
    labels: Path = argument('labels')
    det_config: str = option(REQUIRED)
    det_checkpoint: str | None = option()
    device: str = option('cpu')
    every: list[int] = option((1, 2, 5), type=positive, nargs='+', metavar='N')
    score: float = option(SCORE_THRESHOLD)
    nms: float = option(NMS_IOU)
    high_score_thr: float = option(HIGH_SCORE_THR, '--sure-score')
    kept_frames: int = option(KEPT_FRAMES, type=positive)
    min_track_frames: list[int] = option(
        (1, MIN_TRACK_FRAMES), type=positive, nargs='+', metavar='N'
    )
    max_contained: list[float] = option(
        (1.0, MAX_CONTAINED), type=float, nargs='+', metavar='SHARE'
    )


def run(args: BenchmarkTrackingOptions) -> None:
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
        raise InputError(f'{path} has no people with track ids, give labels with track ids')
    return truth


main = Command(BenchmarkTrackingOptions, run, __doc__, 'benchmark_tracking.py')

if __name__ == '__main__':
    raise SystemExit(main())
