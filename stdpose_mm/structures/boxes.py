"""Person boxes on labelled frames and between them; all rules for boxes are in this module.

Boxes are ``[x, y, width, height]`` in pixels, as in :class:`~stdpose_mm.structures.PersonLabel`;
the last axis holds the box, leading axes are free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from .interpolation import fill_between
from .video_labels import PersonLabel, pose_extent

POSE_MARGIN = 0.15
"""Margin between pose and box on each side, as a share of the pose's extent, as in PoseTrack's own
boxes: joints lie inside the body."""

MIN_BOX_SIDE = 8.0
"""Minimum box side in pixels: a pose of a single joint has no extent, but its crop needs one."""


@dataclass(frozen=True)
class FrameBoxes:
    """The boxes of the people of one frame, found by a detector or given.

    Args:
        boxes: [N, 4] x, y, width, height in pixels.
        scores: [N] in 0..1.
        track_ids: [N] identities within the video, distinct integers from 0; all -1 (the default)
            if unknown.
    """

    boxes: np.ndarray
    scores: np.ndarray
    track_ids: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        track_ids = [-1] * len(self.boxes) if self.track_ids is None else self.track_ids
        object.__setattr__(self, 'boxes', np.asarray(self.boxes, np.float64))
        object.__setattr__(self, 'scores', np.asarray(self.scores, np.float64))
        object.__setattr__(self, 'track_ids', np.asarray(track_ids, np.int64))

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def is_tracked(self) -> bool:
        """Whether the identities are known."""
        return bool((self.track_ids >= 0).all())

    def select(self, selection: np.ndarray) -> FrameBoxes:
        """Select people by [N] bool, or by their positions in the new order."""
        return FrameBoxes(self.boxes[selection], self.scores[selection], self.track_ids[selection])


NO_PEOPLE = FrameBoxes(np.zeros((0, 4)), np.zeros(0))


def expand(box: np.ndarray, margin: float) -> np.ndarray:
    """Expand ``box`` on each of its four sides by ``margin`` times its size; the centre stays."""
    size = box[..., 2:]
    return np.concatenate([box[..., :2] - margin * size, size * (1 + 2 * margin)], axis=-1)


def person_box(label: PersonLabel) -> np.ndarray:
    """Choose the box of a labelled person: the label's box, else the expanded extent of its pose.

    Raises:
        ValueError: If the label has neither a box nor a joint.
    """
    if label.bbox is not None and label.has_box:
        return label.bbox
    if not label.has_joint:
        raise ValueError(f'the label on frame {label.frame_index} has neither a box nor a joint')
    return _at_least(expand(pose_extent(label.keypoints, label.labelled), POSE_MARGIN))


def is_box_outside(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Tell which boxes [..., 4] share no area with a picture of ``size`` (width, height).

    A box with NaN does not.
    """
    low, extent = boxes[..., :2], boxes[..., 2:]
    return ~((low + extent > 0) & (low < np.array(size)) & (extent > 0)).all(axis=-1)


def is_outside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Tell which points [..., 2] lie outside a picture, which covers -0.5 to ``size`` - 0.5.

    A point that is NaN does.
    """
    return ~((points >= -0.5) & (points <= np.subtract(size, 0.5))).all(axis=-1)


def to_corners(box: np.ndarray) -> np.ndarray:
    """Convert ``[x, y, w, h]`` to the ``[x1, y1, x2, y2]`` of MMPose's sample dictionaries."""
    return np.concatenate([box[..., :2], box[..., :2] + box[..., 2:]], axis=-1)


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the intersection over union [...] of ``boxes`` [..., 4] and ``others`` [..., 4].

    Leading axes broadcast. For two boxes of zero size it is 0.
    """
    overlap = _intersection(boxes, others)
    union = boxes[..., 2:].prod(axis=-1) + others[..., 2:].prod(axis=-1) - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def box_ioa(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the ratio [...] of the area of ``boxes`` [..., 4] that is inside ``others`` [..., 4].

    Leading axes broadcast. For a box of zero size the ratio is 0.
    """
    inside = _intersection(boxes, others)
    area = np.broadcast_to(boxes[..., 2:].prod(axis=-1), inside.shape)
    return np.divide(inside, area, out=np.zeros_like(inside), where=area > 0)


def _intersection(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., :2] + boxes[..., 2:], others[..., :2] + others[..., 2:])
    return np.clip(high - low, 0, None).prod(axis=-1)


def crop_affine(
    box: np.ndarray, input_size: tuple[int, int], padding: float, geometry: str
) -> np.ndarray:
    """Compute the affine matrix [2, 3] from pixels of the picture to pixels of a person's crop.

    Args:
        box: [4] person box ``[x, y, w, h]`` in pixels; one side is extended to the crop's aspect
            ratio.
        input_size: Width and height of the crop.
        padding: Factor by which the extended box is enlarged.
        geometry: 'udp', 'mmpose' or 'centre', see
            :class:`~stdpose_mm.labelling.evidence.network_description.NetworkDescription`.
    """
    size = np.array(input_size, dtype=np.float64)
    extent = np.maximum(box[2:], 1.0)
    extent = np.maximum(extent, extent[::-1] * size / size[::-1]) * padding
    scale = (size - 1 if geometry == 'udp' else size) / extent
    # Position of the box's centre in the crop.
    middle = size / 2 if geometry == 'mmpose' else (size - 1) / 2
    offset = middle - (box[:2] + box[2:] / 2) * scale
    return np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])


def match_box(box: np.ndarray, candidates: np.ndarray, min_iou: float = 0.3) -> int | None:
    """Find the detection that belongs to the person expected at ``box``.

    Args:
        box: [4] expected box of the person.
        candidates: [M, 4] detected boxes.
        min_iou: Minimum IoU; a detection below it counts as another person.

    Returns:
        The index of the candidate that overlaps most (the first on ties); None if none is close.
    """
    if len(candidates) == 0:
        return None
    overlap = box_iou(box, candidates)
    best = int(overlap.argmax())
    return best if overlap[best] >= min_iou else None


def label_boxes(labels: Iterable[PersonLabel]) -> dict[int, np.ndarray]:
    """Map frame index -> box [4] for one person's labels, except those with only a head box."""
    return {
        label.frame_index: person_box(label) for label in labels if label.has_box or label.has_joint
    }


_BLOCK = 1024
"""Number of frames whose boxes are interpolated at once."""


class TrackBoxes:
    """The person boxes of one track in all frames, for datasets and propagation.

    In a frame without an anchor, the box is interpolated linearly between the anchors and constant
    beyond them, then replaced by the detection that matches it, if there is one.

    Args:
        anchors: Frame index -> known box [4], for example from :func:`label_boxes`.
        detections: Frame index -> detections in that frame.

    Raises:
        ValueError: If there is no anchor.
    """

    def __init__(
        self, anchors: Mapping[int, np.ndarray], detections: Mapping[int, FrameBoxes] | None = None
    ) -> None:
        if not anchors:
            raise ValueError('a track needs a frame with a known box, got none')
        self._anchors = {frame: np.asarray(anchors[frame], np.float64) for frame in sorted(anchors)}
        self._frames = list(self._anchors)
        self._boxes = np.stack(list(self._anchors.values()))
        self._detections = detections or {}
        self._blocks: dict[int, np.ndarray] = {}

    def find(self, frame: int) -> tuple[np.ndarray, float]:
        """Find the box [4] in a frame and its score, which is 1 except for detections."""
        if frame in self._anchors:
            return self._anchors[frame], 1.0
        box = self._interpolated(frame // _BLOCK)[frame % _BLOCK]
        detections = self._detections.get(frame, NO_PEOPLE)
        match = match_box(box, detections.boxes)
        if match is None:
            return box, 1.0
        return detections.boxes[match], float(detections.scores[match])

    def _interpolated(self, block: int) -> np.ndarray:
        """Interpolate the boxes [F, 4] of many frames at once, which are usually all needed."""
        if block not in self._blocks:
            frames = np.arange(_BLOCK) + block * _BLOCK
            self._blocks[block] = fill_between(frames, self._frames, self._boxes)
        return self._blocks[block]


def enclose(box: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Enlarge ``box`` [4] so that it contains ``points`` [N, 2]."""
    low = np.minimum(box[:2], points.min(axis=0, initial=np.inf))
    high = np.maximum(box[:2] + box[2:], points.max(axis=0, initial=-np.inf))
    return np.concatenate([low, high - low])


def _at_least(box: np.ndarray) -> np.ndarray:
    missing = np.clip(MIN_BOX_SIDE - box[2:], 0, None)
    return np.concatenate([box[:2] - missing / 2, box[2:] + missing])
