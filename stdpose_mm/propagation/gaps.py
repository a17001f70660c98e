"""Gaps, the unlabelled frames of a track that every propagator is asked to fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.choices import LifeSpan
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, PersonLabel

NEVER = -1
"""Frame of an anchor that does not exist."""


@dataclass(frozen=True)
class NearestLabels:
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
        """Return [K] bool: which joints have a label on this side."""
        return self.frames != NEVER


@dataclass(frozen=True, eq=False)
class Gap:
    """Neighbouring frames without a label of one track, and the labels around them.

    Two gaps are equal if they are the same object; :meth:`fingerprint` compares content.

    Args:
        track_id: The track.
        frames: The unlabelled frames, at least one, ascending.
        left: The label on the frame before the gap; None before the first label.
        right: The label on the frame after the gap; None after the last label.
        before, after: Nearest label of every joint on either side; further away than ``left`` and
            ``right`` where a joint is not labelled there.
        second_before, second_after: Second nearest label of every joint on either side, for
            methods that look further than the ends of the gap.
        bboxes: [len(frames), 4] person boxes ``[x, y, w, h]``.
    """

    track_id: int
    frames: range
    left: PersonLabel | None
    right: PersonLabel | None
    before: NearestLabels
    after: NearestLabels
    second_before: NearestLabels
    second_after: NearestLabels
    bboxes: np.ndarray

    @property
    def first(self) -> int:
        """Return the frame of the label on the left; without one the gap's first."""
        return self.frames[0] if self.left is None else self.left.frame_index

    @property
    def last(self) -> int:
        """Return the frame of the label on the right; without one the gap's last."""
        return self.frames[-1] if self.right is None else self.right.frame_index

    @property
    def given(self) -> list[int]:
        """Return the frames of the labels at the ends, ascending."""
        return [label.frame_index for label in (self.left, self.right) if label is not None]

    @property
    def known(self) -> np.ndarray:
        """Return [K] bool: joints with a label somewhere in the presence interval."""
        return self.before.exists | self.after.exists

    def bbox_of(self, frame_index: int) -> np.ndarray:
        """Return the person box [4] of one of the frames."""
        return self.bboxes[self.frames.index(frame_index)]

    def distance_to_label(self, frame_index: int) -> np.ndarray:
        """Return [K] frames to the nearest label of each joint; infinite where there is none."""
        return self._distances(frame_index).min(axis=0)

    def visibility_at(self, frame_index: int) -> np.ndarray:
        """Return [K] the visibility of each joint's nearest label, the left one at equal distance.

        Not labelled (0) where the track has no label of the joint.
        """
        left, right = self._distances(frame_index)
        return np.where(left <= right, self.before.visibility, self.after.visibility)

    def _distances(self, frame_index: int) -> np.ndarray:
        """Return [2, K] frames to the labels before and after; infinite where there is none."""
        left = np.where(self.before.exists, frame_index - self.before.frames, np.inf)
        right = np.where(self.after.exists, self.after.frames - frame_index, np.inf)
        return np.stack([left, right])

    def fingerprint(self, with_second_labels: bool = False) -> str:
        """Compute the key of a cache: equal for gaps that a propagator fills equally.

        Args:
            with_second_labels: Whether the propagator reads ``second_before`` and
                ``second_after`` (:attr:`BasePropagator.reads_second_labels`). Others need not
                redo a gap after a correction there.
        """
        read = [self.before, self.after]
        if with_second_labels:
            read += [self.second_before, self.second_after]
        ends = [
            label and (label.keypoints, label.visibility, label.bbox)
            for label in (self.left, self.right)
        ]
        return fingerprint(self.track_id, self.frames, self.bboxes, read, ends)


@dataclass(frozen=True)
class PresenceInterval:
    """Neighbouring frames in which a person is in the picture, as far as the labels tell.

    Args:
        frames: The frames, at least one.
        labels: Frame index -> label with a place, frames ascending; at least one.
    """

    frames: range
    labels: Mapping[int, PersonLabel]


def find_presence_intervals(
    labels: Mapping[int, PersonLabel], num_frames: int, life_span: LifeSpan = 'video'
) -> list[PresenceInterval]:
    """Find when the person of a track is in the picture.

    An interval goes on until a label without a place, and the next begins with the next label that
    has one. The first interval begins and the last one ends as ``life_span`` says, unless a label
    without a place does it.

    Args:
        labels: Frame index -> label of the track.
        num_frames: Length of the video.
        life_span: 'video': from the first to the last frame; 'labels': from the first to the last
            label.
    """
    given = sorted(labels)
    intervals = []
    current: dict[int, PersonLabel] = {}
    start: int | None = 0 if life_span == 'video' else None
    for frame in given:
        if labels[frame].has_place:
            start = frame if start is None else start
            current[frame] = labels[frame]
            continue
        if current and start is not None:
            intervals.append(PresenceInterval(range(start, frame), current))
        start, current = None, {}
    if current and start is not None:
        stop = num_frames if life_span == 'video' else given[-1] + 1
        intervals.append(PresenceInterval(range(start, stop), current))
    return intervals


def find_gaps(
    track_id: int,
    labels: Mapping[int, PersonLabel],
    bboxes: Mapping[int, np.ndarray],
    frames: range,
) -> list[Gap]:
    """Find the gaps of one track in one presence interval.

    Args:
        track_id: The track.
        labels: Frame index -> label; at least one.
        bboxes: Frame index -> [4] person box of every unlabelled frame.
        frames: The frames of the interval.
    """
    given = sorted(labels)
    before = _anchors_along([labels[frame] for frame in given])
    after = _anchors_along([labels[frame] for frame in reversed(given)])[::-1]
    gaps = []
    ends = zip([frames.start - 1, *given], [*given, frames.stop], strict=True)
    for slot, (start, stop) in enumerate(ends):
        between = range(start + 1, stop)
        if not between:
            continue
        gaps.append(
            Gap(
                track_id=track_id,
                frames=between,
                left=labels[start] if slot > 0 else None,
                right=labels[stop] if slot < len(given) else None,
                before=before[slot][0],
                after=after[slot][0],
                second_before=before[slot][1],
                second_after=after[slot][1],
                bboxes=np.stack([bboxes[frame] for frame in between]).astype(np.float64),
            )
        )
    return gaps


def _anchors_along(labels: Sequence[PersonLabel]) -> list[tuple[NearestLabels, NearestLabels]]:
    """Find the nearest and second nearest labels of each joint, from every place along a track.

    Args:
        labels: At least one, in the order in which they are passed by.

    Returns:
        Before the first label, after the first, ..., after the last.
    """
    num_keypoints = len(labels[0].visibility)
    nothing = NearestLabels(
        frames=np.full(num_keypoints, NEVER),
        keypoints=np.zeros((num_keypoints, 2)),
        visibility=np.full(num_keypoints, NOT_LABELLED, dtype=np.int8),
    )
    anchors = [(nothing, nothing)]
    for label in labels:
        nearest, second = anchors[-1]
        of_label = NearestLabels(
            np.full(num_keypoints, label.frame_index), label.keypoints, label.visibility
        )
        shown = label.labelled
        anchors.append((_merge(shown, of_label, nearest), _merge(shown, nearest, second)))
    return anchors


def _merge(chosen: np.ndarray, these: NearestLabels, others: NearestLabels) -> NearestLabels:
    """Take ``these`` where ``chosen`` [K], ``others`` elsewhere."""
    return NearestLabels(
        frames=np.where(chosen, these.frames, others.frames),
        keypoints=np.where(chosen[:, None], these.keypoints, others.keypoints),
        visibility=np.where(chosen, these.visibility, others.visibility),
    )


def visibility_of_estimates(gap: Gap, frame_index: int) -> np.ndarray:
    """Return [K] visibility of joints that a model estimated, labelled in the track or not.

    Occluded where the nearest label says so, visible otherwise.
    """
    visibility = gap.visibility_at(frame_index)
    return np.where(visibility == NOT_LABELLED, VISIBLE, visibility).astype(np.int8)
