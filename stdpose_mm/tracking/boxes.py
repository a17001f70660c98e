"""Person boxes: of labels, and of the frames between them. The one place of the box policy.

Boxes are ``[x, y, width, height]`` in pixels, as in :class:`~stdpose_mm.structures.PersonLabel`;
the last axis holds the box, leading axes are free.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stdpose_mm.structures import PersonLabel, pose_extent

POSE_MARGIN = 0.15
"""Joints lie inside the body: PoseTrack's own boxes exceed the pose by this share on each side."""

MIN_BOX_SIDE = 8.0
"""Pixels; one lone joint has no extent, but its crop must have one."""


def expand(box: np.ndarray, margin: float) -> np.ndarray:
    """``box`` grown on each of its four sides by ``margin`` times its size; the centre stays."""
    size = box[..., 2:]
    return np.concatenate([box[..., :2] - margin * size, size * (1 + 2 * margin)], axis=-1)


def person_box(label: PersonLabel) -> np.ndarray:
    """The box of a labelled person: its own if it has one, else its pose's extent, grown.

    Raises:
        ValueError: If the label has neither a box nor a joint.
    """
    if label.bbox is not None and (label.bbox[2:] > 0).all():
        return label.bbox
    if not label.labelled.any():
        raise ValueError(f'the label on frame {label.frame_index} has neither a box nor a joint')
    return _at_least(expand(pose_extent(label.keypoints, label.labelled), POSE_MARGIN))


def interpolate_box(frames: Sequence[int], boxes: np.ndarray, frame: float) -> np.ndarray:
    """The box at ``frame``: linear between the labelled frames, constant before and after them.

    Args:
        frames: F labelled frame indices, ascending.
        boxes: [F, 4] their boxes.
        frame: Where the box is wanted.

    Returns:
        [4].

    Raises:
        ValueError: If there is no box to start from.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if len(frames) == 0 or boxes.shape != (len(frames), 4):
        raise ValueError(
            f'expected one box for each of {len(frames)} > 0 frames, got {boxes.shape}'
        )
    return np.array([np.interp(frame, frames, boxes[:, side]) for side in range(4)])


def clip_box(box: np.ndarray, width: float, height: float) -> np.ndarray:
    """The part of ``box`` inside a ``width`` x ``height`` picture; of zero size if none is."""
    limit = np.array([width, height], dtype=np.float64)
    low = np.clip(box[..., :2], 0, limit)
    high = np.clip(box[..., :2] + box[..., 2:], 0, limit)
    return np.concatenate([low, high - low], axis=-1)


def to_corners(box: np.ndarray) -> np.ndarray:
    """``[x, y, w, h]`` as the ``[x1, y1, x2, y2]`` of MMPose's sample dictionaries."""
    return np.concatenate([box[..., :2], box[..., :2] + box[..., 2:]], axis=-1)


def box_iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box [4] with each of ``others`` [M, 4]: [M]."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=-1)
    union = box[2:].prod() + others[:, 2:].prod(axis=-1) - overlap
    return np.divide(overlap, union, out=np.zeros(len(others)), where=union > 0)


def match_box(box: np.ndarray, candidates: np.ndarray, min_iou: float = 0.3) -> int | None:
    """Which detection belongs to the person expected at ``box``.

    Args:
        box: [4] where the person is expected.
        candidates: [M, 4] detected boxes.
        min_iou: Detections that overlap less are other people.

    Returns:
        The index of the candidate that overlaps most (first on ties), None if none is close.
    """
    if len(candidates) == 0:
        return None
    overlap = box_iou(box, candidates)
    best = int(overlap.argmax())
    return best if overlap[best] >= min_iou else None


def _at_least(box: np.ndarray) -> np.ndarray:
    missing = np.clip(MIN_BOX_SIDE - box[2:], 0, None)
    return np.concatenate([box[:2] - missing / 2, box[2:] + missing])
