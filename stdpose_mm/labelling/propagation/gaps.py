"""Gaps: the unlabelled frames of a track that propagators fill."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from stdpose_mm.constants import LifeSpan
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, PersonLabel

NEVER = -1
"""Frame index that stands for a label that does not exist."""


Frames = int | Sequence[int] | np.ndarray
"""A frame, or several."""


@dataclass(frozen=True)
class NearestLabels:
    """The nearest label of every joint of a track on one side of a gap.

    Args:
        frames: [K] frame indices, ``NEVER`` where the joint has no label on this side.
        keypoints: [K, 2] pixels, zeros without a label.
        visibility: [K], 0 without a label.
    """

    frames: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray

    @property
    def exists(self) -> np.ndarray:
        """Return [K] bool: joints with a label on this side."""
        return self.frames != NEVER


@dataclass(frozen=True, eq=False)
class Gap:
    """Consecutive frames in which some joints of a track have no label, and the labels around.

    If every label determines the whole pose, all joints of a track share its gaps. If a label
    determines only some joints, the others have a longer gap across it, see :func:`find_gaps`.

    Two gaps are equal if they are the same object; :meth:`fingerprint` compares content.

    Args:
        track_id: The track.
        joints: [K] bool: the joints to fill; the others are evidence.
        frames: The frames in which these joints are not labelled, ascending; at least one.
        left: The label on the frame before the gap; None before the first label.
        right: The label on the frame after the gap; None after the last label.
        inner: Labels of other joints on frames of the gap, frames ascending.
        before, after: Nearest label of every joint on either side; further away than ``left`` and
            ``right`` if a joint is not labelled there.
        second_before, second_after: Second nearest label of every joint on either side, for methods
            that look beyond the ends of the gap.
        bboxes: [len(frames), 4] person boxes ``[x, y, w, h]``.
        crowded: [len(frames)] bool: frames in which another person's box covers much of this
            person's box, if computed (:func:`~.track_plans.find_crowded_frames`).
    """

    track_id: int
    joints: np.ndarray
    frames: range
    left: PersonLabel | None
    right: PersonLabel | None
    inner: tuple[PersonLabel, ...]
    before: NearestLabels
    after: NearestLabels
    second_before: NearestLabels
    second_after: NearestLabels
    bboxes: np.ndarray
    crowded: np.ndarray

    @property
    def first(self) -> int:
        """Return the frame of the left label, or the gap's first frame if there is none."""
        return self.frames[0] if self.left is None else self.left.frame_index

    @property
    def last(self) -> int:
        """Return the frame of the right label, or the gap's last frame if there is none."""
        return self.frames[-1] if self.right is None else self.right.frame_index

    @property
    def given(self) -> list[int]:
        """Return the frames of the labels at the ends, ascending."""
        return [label.frame_index for label in (self.left, self.right) if label is not None]

    @property
    def has_label(self) -> np.ndarray:
        """Return [K] bool: joints with a label anywhere in the presence interval."""
        return self.before.exists | self.after.exists

    def nearest_labels(self, frames: Frames) -> tuple[NearestLabels, NearestLabels]:
        """Return ``before`` and ``after`` as seen from frames, or nearer labels in ``inner``.

        With labels in ``inner``, the fields are [K, ...] for a frame, [F, K, ...] for F frames.
        """
        if not self.inner:
            return self.before, self.after
        place = self._along_inner.place_of(frames)
        before, _ = self._along_inner.before(place)
        after, _ = self._along_inner.after(place)
        return _merge(before, self.before), _merge(after, self.after)

    @cached_property
    def _along_inner(self) -> _NearestAlong:
        # Computed once: a search from each frame would take hours with thousands of labels inside.
        return _NearestAlong(self.inner, np.stack([label.given for label in self.inner]))

    def bbox_of(self, frame_index: int) -> np.ndarray:
        """Return the person box [4] of one of the frames."""
        return self.bboxes[self.frames.index(frame_index)]

    def is_crowded(self, frames: Collection[int]) -> bool:
        """Return whether somebody else covers much of this person in one of these frames."""
        return bool(self.crowded[[self.frames.index(frame) for frame in frames]].any())

    def distance_to_label(self, frames: Frames) -> np.ndarray:
        """Return the distance [K] in frames to each joint's nearest label, infinite if none.

        It is [F, K] for F frames.
        """
        return distances_to_labels(self.before, self.after, frames).min(axis=0)

    def visibility_at(self, frames: Frames) -> np.ndarray:
        """Return the visibility [K] at each joint's nearest label; the left one at equal distance.

        It is 0 (not labelled) for joints without a label in the track, and [F, K] for F frames.
        """
        left, right = distances_to_labels(self.before, self.after, frames)
        return np.where(left <= right, self.before.visibility, self.after.visibility)

    def fingerprint(self, with_second_labels: bool) -> str:
        """Compute the key for a cache: equal for gaps that a propagator fills in the same way.

        Args:
            with_second_labels: Whether the propagator reads ``second_before`` and ``second_after``
                (:attr:`BasePropagator.reads_second_labels`). If it does not, a correction there
                does not change the key.
        """
        read = [self.before, self.after]
        if with_second_labels:
            read += [self.second_before, self.second_after]
        labels = [
            label
            and (
                label.frame_index,
                label.keypoints,
                label.visibility,
                label.bbox,
                label.keypoint_sources,
            )
            for label in (self.left, *self.inner, self.right)
        ]
        return fingerprint(
            self.track_id, self.joints, self.frames, self.bboxes, self.crowded, read, labels
        )


@dataclass(frozen=True)
class PresenceInterval:
    """Consecutive frames in which a person is in the picture, according to the labels.

    Args:
        frames: The frames, at least one.
        labels: Frame index -> label with a position, or with joints to propagate, frames ascending;
            at least one.
    """

    frames: range
    labels: Mapping[int, PersonLabel]


def find_presence_intervals(
    labels: Mapping[int, PersonLabel], num_frames: int, life_span: LifeSpan = 'video'
) -> list[PresenceInterval]:
    """Find the intervals in which the person of a track is in the picture.

    An interval ends at a label that marks the person as absent; the next one begins at the next
    other label. Without such a label, ``life_span`` decides where the first interval begins and the
    last one ends.

    Args:
        labels: Frame index -> label of the track.
        num_frames: Length of the video.
        life_span: 'video': from the first to the last frame; 'labels': from the first to the last
            label.
    """
    labelled_frames = sorted(labels)
    intervals = []
    current: dict[int, PersonLabel] = {}
    start: int | None = 0 if life_span == 'video' else None
    for frame in labelled_frames:
        if not labels[frame].is_absent:
            start = frame if start is None else start
            current[frame] = labels[frame]
            continue
        if current and start is not None:
            intervals.append(PresenceInterval(range(start, frame), current))
        start, current = None, {}
    if current and start is not None:
        stop = num_frames if life_span == 'video' else labelled_frames[-1] + 1
        intervals.append(PresenceInterval(range(start, stop), current))
    return intervals


def find_gaps(
    track_id: int,
    labels: Mapping[int, PersonLabel],
    bboxes: Mapping[int, np.ndarray],
    frames: range,
    within: range | None = None,
) -> list[Gap]:
    """Find the gaps of one track in one presence interval.

    A label determines a joint if it gives the joint or leaves it out. A joint that the label marks
    as propagated is in a gap there. Joints with the same gaps share them. A joint that no label
    determines has the gaps of the joint that most labels determine.

    Args:
        track_id: The track.
        labels: Frame index -> label; at least one.
        bboxes: Frame index -> [4] person box of every frame that is not wholly labelled.
        frames: The frames of the interval.
        within: Only gaps with one of these frames are returned; by default all.

    Returns:
        Gaps in order of time. In a frame without a label that determines it, a joint is in exactly
        one gap.
    """
    in_order = [labels[time] for time in sorted(labels)]
    nearest = _NearestAlong(in_order, np.stack([label.labelled for label in in_order]))
    gaps = []
    within = frames if within is None else within
    for (start, stop), joints in sorted(_joints_between_labels(in_order).items()):
        first = frames.start if start < 0 else in_order[start].frame_index + 1
        end = frames.stop if stop == len(in_order) else in_order[stop].frame_index
        between = range(first, end)
        # There is no gap between labels of neighbouring frames.
        if not shared_frames(between, within):
            continue
        before, second_before = nearest.before(start + 1)
        after, second_after = nearest.after(stop)
        gaps.append(
            Gap(
                track_id=track_id,
                joints=joints,
                frames=between,
                left=None if start < 0 else in_order[start],
                right=None if stop == len(in_order) else in_order[stop],
                inner=tuple(in_order[start + 1 : stop]),
                before=before,
                after=after,
                second_before=second_before,
                second_after=second_after,
                bboxes=np.stack([bboxes[frame] for frame in between]).astype(np.float64),
                crowded=np.zeros(len(between), dtype=bool),
            )
        )
    return gaps


def split_into_chunks(gaps: Iterable[Gap]) -> list[list[Gap]]:
    """Group gaps in order of time so that no two chunks share a pair of neighbouring frames."""
    chunks: list[list[Gap]] = []
    end = -1
    for gap in sorted(gaps, key=lambda gap: (gap.first, gap.last)):
        if not chunks or gap.first >= end:
            chunks.append([])
        chunks[-1].append(gap)
        end = max(end, gap.last)
    return chunks


def shared_frames(frames: range, others: range) -> range:
    """Return the frames that two runs of frames share; empty if none."""
    return range(max(frames.start, others.start), min(frames.stop, others.stop))


def _joints_between_labels(labels: Sequence[PersonLabel]) -> dict[tuple[int, int], np.ndarray]:
    """Find the pairs of consecutive labels that determine each joint.

    Returns:
        Indices of both labels (-1 before the first and L after the last of L labels) -> [K] bool:
        the joints.
    """
    spoken = np.stack([~label.propagated for label in labels])
    if not spoken.any():
        # All labels have boxes only: each of them is the end of a gap.
        spoken[:] = True
    most = spoken.sum(axis=0).argmax()
    spoken = np.where(spoken.any(axis=0), spoken, spoken[:, [most]])
    patterns, pattern_of = np.unique(spoken, axis=1, return_inverse=True)
    between: dict[tuple[int, int], np.ndarray] = {}
    for number, pattern in enumerate(patterns.T):
        joints = pattern_of.reshape(-1) == number
        for pair in pairwise([-1, *np.flatnonzero(pattern).tolist(), len(labels)]):
            between[pair] = between.get(pair, False) | joints
    return between


class _NearestAlong:
    """Nearest and second nearest labels of each joint, from every place along a track.

    Args:
        labels: L labels in order of time, at least one.
        counted: [L, K] bool: the joints of each label that count.
    """

    def __init__(self, labels: Sequence[PersonLabel], counted: np.ndarray) -> None:
        self._frames = np.array([label.frame_index for label in labels])
        self._keypoints = np.stack([label.keypoints for label in labels])
        self._visibility = np.stack([label.visibility for label in labels])
        last = len(labels) - 1
        # Row p: indices among the first p labels; reversed, among the last p.
        self._backward = _latest_two(counted)
        self._forward = [
            np.where(rows >= 0, last - rows, NEVER)[::-1] for rows in _latest_two(counted[::-1])
        ]

    def place_of(self, frames: Frames) -> np.ndarray:
        """Count the labels up to and including each frame."""
        return np.searchsorted(self._frames, frames, side='right')

    def before(self, place: int | np.ndarray) -> tuple[NearestLabels, NearestLabels]:
        """Return the two nearest labels before the label of index ``place``."""
        return self._at(self._backward[0][place]), self._at(self._backward[1][place])

    def after(self, place: int | np.ndarray) -> tuple[NearestLabels, NearestLabels]:
        """Return the two nearest labels from index ``place`` on, itself included."""
        return self._at(self._forward[0][place]), self._at(self._forward[1][place])

    def _at(self, positions: np.ndarray) -> NearestLabels:
        """Return the labels at indices ``positions`` [..., K]; negative ones do not exist."""
        exists, joints = positions >= 0, np.arange(positions.shape[-1])
        return NearestLabels(
            frames=np.where(exists, self._frames[positions], NEVER),
            keypoints=np.where(exists[..., None], self._keypoints[positions, joints], 0.0),
            visibility=np.where(exists, self._visibility[positions, joints], NOT_LABELLED).astype(
                np.int8
            ),
        )


def _latest_two(counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the last and the second last row in which each joint counts.

    Args:
        counted: [L, K] bool: the joints of each row that count.

    Returns:
        Two arrays [L + 1, K]: row p holds positions among the first p rows, -1 where there is none.
    """
    length, joints = counted.shape
    rows = np.where(counted, np.arange(length)[:, None], -1)
    last = np.concatenate([np.full((1, joints), -1), np.maximum.accumulate(rows)])
    second = np.where(last >= 0, np.take_along_axis(last, np.maximum(last, 0), axis=0), -1)
    return last, second


def _merge(these: NearestLabels, others: NearestLabels) -> NearestLabels:
    """Take ``these`` where they exist, ``others`` elsewhere."""
    chosen = these.exists
    return NearestLabels(
        frames=np.where(chosen, these.frames, others.frames),
        keypoints=np.where(chosen[..., None], these.keypoints, others.keypoints),
        visibility=np.where(chosen, these.visibility, others.visibility),
    )


def find_nearest_labels(
    frames: np.ndarray, labels: Mapping[int, PersonLabel]
) -> tuple[NearestLabels, NearestLabels]:
    """Find the nearest label of every joint at or before, and after, each of F frames of a track.

    Args:
        frames: [F] frame indices.
        labels: Frame index -> label; at least one.

    Returns:
        Fields of [F, K, ...].
    """
    in_order = [labels[time] for time in sorted(labels)]
    nearest = _NearestAlong(in_order, np.stack([label.labelled for label in in_order]))
    place = nearest.place_of(frames)
    return nearest.before(place)[0], nearest.after(place)[0]


def distances_to_labels(before: NearestLabels, after: NearestLabels, frames: Frames) -> np.ndarray:
    """Return distances [2, ..., K] in frames to the labels on both sides, infinite if none."""
    times = np.asarray(frames)[..., None]
    left = np.where(before.exists, times - before.frames, np.inf)
    right = np.where(after.exists, after.frames - times, np.inf)
    return np.stack([left, right])


def visibility_of_estimates(gap: Gap, frames: Frames) -> np.ndarray:
    """Return the visibility [F, K] of joints that a model estimated, labelled in the track or not.

    It is occluded where the nearest label says so, otherwise visible.
    """
    visibility = gap.visibility_at(frames)
    return np.where(visibility == NOT_LABELLED, VISIBLE, visibility).astype(np.int8)
