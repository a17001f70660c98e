"""The unlabelled stretches of a track: what every propagator is asked to fill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import NOT_LABELLED, VISIBLE, PersonLabel

NEVER = -1
"""Frame of an anchor that does not exist."""


@dataclass(frozen=True)
class JointAnchors:
    """For every joint of a track the nearest label of this joint on one side of a gap.

    Args:
        frames: [K] frame indices, ``NEVER`` where the joint has no label on this side.
        keypoints: [K, 2] pixels, zeros where there is none.
        visibility: [K], 0 where there is none.
    """

    frames: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray

    @property
    def exists(self) -> np.ndarray:
        """[K] bool: which joints have a label on this side."""
        return self.frames != NEVER


@dataclass(frozen=True)
class Gap:
    """Neighbouring frames without a label of one track, and the labels around them.

    Args:
        track_id: Whose frames these are.
        frames: The unlabelled frames, at least one, ascending.
        left: The label on the frame before the gap; None before the first label.
        right: The label on the frame after the gap; None after the last label.
        before, after: Nearest label of every joint on either side; further away than ``left`` and
            ``right`` where a joint is not labelled there.
        bboxes: [len(frames), 4] person boxes ``[x, y, w, h]``.
    """

    track_id: int
    frames: range
    left: PersonLabel | None
    right: PersonLabel | None
    before: JointAnchors
    after: JointAnchors
    bboxes: np.ndarray

    @property
    def first(self) -> int:
        """First frame that matters: that of the label on the left, or the gap's first."""
        return self.frames[0] if self.left is None else self.left.frame_index

    @property
    def last(self) -> int:
        """Last frame that matters: that of the label on the right, or the gap's last."""
        return self.frames[-1] if self.right is None else self.right.frame_index

    @property
    def given(self) -> list[int]:
        """Frames of the labels at the ends, ascending."""
        return [label.frame_index for label in (self.left, self.right) if label is not None]

    @property
    def known(self) -> np.ndarray:
        """[K] bool: joints with a label somewhere in the track."""
        return self.before.exists | self.after.exists

    def bbox_of(self, frame_index: int) -> np.ndarray:
        """[4] person box of one of the frames."""
        return self.bboxes[self.frames.index(frame_index)]

    def distance_to_label(self, frame_index: int) -> np.ndarray:
        """[K] frames to the nearest label of each joint; infinite where there is none."""
        return np.minimum(
            np.where(self.before.exists, frame_index - self.before.frames, np.inf),
            np.where(self.after.exists, self.after.frames - frame_index, np.inf),
        )

    def visibility_at(self, frame_index: int) -> np.ndarray:
        """[K] the visibility of each joint's nearest label, the left one at equal distance.

        Not labelled (0) where the track has no label of the joint.
        """
        left_distance = np.where(self.before.exists, frame_index - self.before.frames, np.inf)
        right_distance = np.where(self.after.exists, self.after.frames - frame_index, np.inf)
        return np.where(
            left_distance <= right_distance, self.before.visibility, self.after.visibility
        )

    def fingerprint(self) -> tuple[object, ...]:
        """Equal for gaps that any propagator fills equally: what a cache is keyed by."""
        arrays = [self.bboxes]
        for anchors in (self.before, self.after):
            arrays += [anchors.frames, anchors.keypoints, anchors.visibility]
        for label in (self.left, self.right):
            if label is not None:
                arrays += [label.keypoints, label.visibility]
        ends = (self.left is None, self.right is None)
        return self.track_id, self.frames, ends, *(array.tobytes() for array in arrays)


def find_gaps(
    track_id: int,
    labels: Mapping[int, PersonLabel],
    bboxes: Mapping[int, np.ndarray],
    num_frames: int,
) -> list[Gap]:
    """The gaps of one track, from the first to the last frame of the video.

    Args:
        track_id: The track.
        labels: Frame index -> label; at least one.
        bboxes: Frame index -> [4] person box of every unlabelled frame.
        num_frames: Length of the video.
    """
    given = sorted(labels)
    before, after = _anchors_between(labels, given)
    gaps = []
    for slot, (start, stop) in enumerate(zip([-1, *given], [*given, num_frames], strict=True)):
        frames = range(start + 1, stop)
        if not frames:
            continue
        gaps.append(
            Gap(
                track_id=track_id,
                frames=frames,
                left=labels[start] if slot > 0 else None,
                right=labels[stop] if slot < len(given) else None,
                before=before[slot],
                after=after[slot],
                bboxes=np.stack([bboxes[frame] for frame in frames]).astype(np.float64),
            )
        )
    return gaps


def _anchors_between(
    labels: Mapping[int, PersonLabel], given: list[int]
) -> tuple[list[JointAnchors], list[JointAnchors]]:
    """Anchors on the left and right of each of the ``len(given) + 1`` slots around the labels."""
    num_keypoints = len(labels[given[0]].visibility)
    nothing = JointAnchors(
        frames=np.full(num_keypoints, NEVER),
        keypoints=np.zeros((num_keypoints, 2)),
        visibility=np.full(num_keypoints, NOT_LABELLED, dtype=np.int8),
    )
    before, after = [nothing], [nothing]
    for frame in given:
        before.append(_updated(before[-1], labels[frame]))
    for frame in reversed(given):
        after.append(_updated(after[-1], labels[frame]))
    return before, after[::-1]


def _updated(anchors: JointAnchors, label: PersonLabel) -> JointAnchors:
    shown = label.labelled
    return JointAnchors(
        frames=np.where(shown, label.frame_index, anchors.frames),
        keypoints=np.where(shown[:, None], label.keypoints, anchors.keypoints),
        visibility=np.where(shown, label.visibility, anchors.visibility),
    )


def visibility_of_estimates(gap: Gap, frame_index: int) -> np.ndarray:
    """[K] visibility of joints that an image model estimated, labelled in the track or not.

    Occluded where the nearest label says so, visible otherwise.
    """
    visibility = gap.visibility_at(frame_index)
    return np.where(visibility == NOT_LABELLED, VISIBLE, visibility).astype(np.int8)
