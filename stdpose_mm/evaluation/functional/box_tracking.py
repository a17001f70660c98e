"""CLEAR MOT of person boxes, counted as PoseTrack counts joints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stdpose_mm.structures import TrackedBoxes, box_iou

from .clear_mot import MotAccumulator, MotCounts
from .padded_poses import PaddedPoses

MIN_IOU = 0.5
"""Boxes that overlap less are not of the same person."""


def count_box_tracking(
    videos: Sequence[tuple[Sequence[TrackedBoxes], Sequence[TrackedBoxes]]],
    min_iou: float = MIN_IOU,
) -> MotCounts:
    """Count the terms of MOTA of boxes over some videos.

    Args:
        videos: For each video the true and the found people, frame by frame.
        min_iou: See ``MIN_IOU``.

    Returns:
        Counts [1]; ``distance`` sums up 1 - IoU. As in :class:`MotAccumulator`, the last frame of a
        video is left out, and a frame with people on one side only counts as one of them.
    """
    accumulator = MotAccumulator(num_joints=1)
    for truth, found in videos:
        true_poses, found_poses = _one_joint(truth), _one_joint(found)
        accumulator.start_video(true_poses, found_poses)
        distance = np.ones((len(truth), 1, *_people(true_poses, found_poses)))
        for frame, (gt, pred) in enumerate(zip(truth, found, strict=True)):
            for row, box in enumerate(gt.boxes):
                distance[frame, 0, row, : len(pred)] = 1 - box_iou(box, pred.boxes)
        accumulator.add(0, distance <= 1 - min_iou, distance)
    return accumulator.result()


def _one_joint(frames: Sequence[TrackedBoxes]) -> PaddedPoses:
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


def _people(truth: PaddedPoses, found: PaddedPoses) -> tuple[int, int]:
    return truth.present.shape[1], found.present.shape[1]
