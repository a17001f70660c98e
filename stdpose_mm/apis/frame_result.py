"""The poses of one frame as arrays, for user programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import PersonLabel


@dataclass(frozen=True)
class FrameResult:
    """All people of one frame.

    Args:
        frame_idx: 0-based frame.
        person_ids: [P] track ids, ascending.
        keypoints: [P, K, 2] pixels, (0, 0) where ``visibility`` is 0.
        visibility: [P, K] of 0 (unknown), 1 (occluded), 2 (visible).
        scores: [P, K] in 0..1; 1 for given joints.
        bboxes: [P, 4] ``[x, y, w, h]``, zeros where there is none.
        source: [P] 'propagated', 'absent', or 'given': with a given joint or, as in label files,
            marked as absent by a user, in which case ``keypoint_sources`` are 'absent'.
        keypoint_sources: [P, K] the same for every joint.
        persons: The same people as labels, see ``VideoPosePropagator.collect_labels``.
    """

    frame_idx: int
    person_ids: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    scores: np.ndarray
    bboxes: np.ndarray
    source: tuple[str, ...]
    keypoint_sources: np.ndarray
    persons: tuple[PersonLabel, ...]


def frame_result(frame_idx: int, persons: Sequence[PersonLabel], num_keypoints: int) -> FrameResult:
    """Convert the labels of all people of a frame, which have ``num_keypoints`` joints each."""

    def stacked(values: Iterable[object], *shape: int) -> np.ndarray:
        return np.array(list(values), dtype=np.float64).reshape(len(persons), *shape)

    return FrameResult(
        frame_idx=frame_idx,
        person_ids=np.array([p.track_id for p in persons], dtype=np.int64),
        keypoints=stacked((p.keypoints for p in persons), num_keypoints, 2),
        visibility=stacked((p.visibility for p in persons), num_keypoints).astype(np.int8),
        scores=stacked((p.scores for p in persons), num_keypoints),
        bboxes=stacked((np.zeros(4) if p.bbox is None else p.bbox for p in persons), 4),
        source=tuple(p.source for p in persons),
        keypoint_sources=np.array([p.keypoint_sources for p in persons], dtype=str).reshape(
            len(persons), num_keypoints
        ),
        persons=tuple(persons),
    )
