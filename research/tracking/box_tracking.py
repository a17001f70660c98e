"""CLEAR MOT of person boxes, counted like PoseTrack's joints, and counts of wrong tracks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.evaluation.functional.clear_mot import MotAccumulator, MotCounts
from stdpose_mm.evaluation.functional.padded_poses import PaddedPoses
from stdpose_mm.structures import FrameBoxes, box_ioa, box_iou

MIN_IOU = 0.5
"""Minimum IoU of two boxes of the same person."""

SHORT_FRAMES = 10
"""Number of frames below which a track is short."""

DOUBLE_SHARE = 0.8
"""Share of the smaller box inside the larger one above which both are on the same person."""


def count_box_tracking(
    videos: Sequence[tuple[Sequence[FrameBoxes], Sequence[FrameBoxes]]],
) -> MotCounts:
    """Count the terms of MOTA for the boxes of some videos.

    Args:
        videos: For each video the true and the found people, frame by frame.

    Returns:
        Counts [1]; ``distance`` is the sum of 1 - IoU. As in :class:`MotAccumulator`, the last
        frame of a video is left out, and a frame in which one side is empty counts as one true and
        one found person who do not match.
    """
    accumulator = MotAccumulator(num_joints=1)
    for truth, found in videos:
        true_poses, found_poses = _one_joint(truth), _one_joint(found)
        accumulator.start_video(true_poses, found_poses)
        sides = true_poses.present.shape[1], found_poses.present.shape[1]
        distance = np.ones((len(truth), 1, *sides))
        for frame, (gt, pred) in enumerate(zip(truth, found, strict=True)):
            iou = box_iou(gt.boxes[:, None], pred.boxes)
            distance[frame, 0, : len(gt), : len(pred)] = 1 - iou
        accumulator.add(0, distance <= 1 - MIN_IOU, distance)
    return accumulator.result()


def _one_joint(frames: Sequence[FrameBoxes]) -> PaddedPoses:
    """Convert people to poses whose only joint is their box."""
    shape = (len(frames), max((len(people) for people in frames), default=0))
    present = np.zeros(shape, dtype=bool)
    track_ids = np.full(shape, -1, dtype=np.int64)
    for frame, people in enumerate(frames):
        present[frame, : len(people)] = True
        track_ids[frame, : len(people)] = people.track_ids
    return PaddedPoses(
        keypoints=np.zeros((*shape, 1, 2)),
        exists=present[..., None],
        present=present,
        scores=np.zeros((*shape, 1)),
        track_ids=track_ids,
        head_sizes=np.full(shape, np.nan),
    )


@dataclass
class TrackCounts:
    """Counts of errors in the found tracks of some videos.

    Args:
        ids: Found tracks.
        false_ids: Tracks that are matched with true people in less than half of their frames.
        short_ids: Tracks of fewer than ``SHORT_FRAMES`` frames.
        broken: Ids of true people beyond their first one; an id belongs to the person with whom it
            is matched most often.
        doubles: Unmatched boxes whose intersection with a matched box of the same frame is more
            than ``DOUBLE_SHARE`` of the smaller box's area.
    """

    ids: int = 0
    false_ids: int = 0
    short_ids: int = 0
    broken: int = 0
    doubles: int = 0


def count_tracks(
    videos: Sequence[tuple[Sequence[FrameBoxes], Sequence[FrameBoxes]]],
) -> TrackCounts:
    """Count found tracks that should not be there.

    Args:
        videos: For each video the true and the found people, frame by frame; all frames count.
    """
    counts = TrackCounts()
    for truth, found in videos:
        frames_of: Counter[int] = Counter()
        matched_of: defaultdict[int, Counter[int]] = defaultdict(Counter)
        for gt, pred in zip(truth, found, strict=True):
            rows, columns = _match(gt, pred)
            frames_of.update(pred.track_ids.tolist())
            true_ids, ids = gt.track_ids[rows].tolist(), pred.track_ids[columns].tolist()
            for true_id, track_id in zip(true_ids, ids, strict=True):
                matched_of[track_id][true_id] += 1
            others = np.setdiff1d(np.arange(len(pred)), columns)
            ioa = box_ioa(pred.boxes[:, None], pred.boxes)
            ratios = np.maximum(ioa, ioa.T)[others][:, columns]
            counts.doubles += int((ratios > DOUBLE_SHARE).any(axis=1).sum())
        counts.ids += len(frames_of)
        counts.false_ids += sum(
            2 * matched_of[track_id].total() < number for track_id, number in frames_of.items()
        )
        counts.short_ids += sum(number < SHORT_FRAMES for number in frames_of.values())
        owners = {matched.most_common(1)[0][0] for matched in matched_of.values() if matched}
        counts.broken += sum(map(bool, matched_of.values())) - len(owners)
    return counts


def _match(gt: FrameBoxes, pred: FrameBoxes) -> tuple[np.ndarray, np.ndarray]:
    """Match true and found people one to one; return the positions of both."""
    from scipy.optimize import linear_sum_assignment

    overlap = box_iou(gt.boxes[:, None], pred.boxes)
    overlap[overlap < MIN_IOU] = 0
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    is_match = overlap[rows, columns] > 0
    return rows[is_match], columns[is_match]
