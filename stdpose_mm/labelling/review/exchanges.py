"""Sides and people that are exchanged for a stretch of frames.

Two tracks, those of two people or of the left and the right joints of one person, are followed by a
path of two states, exchanged or not, that makes the motion smooth (Viterbi's algorithm). The motion
in a frame is measured by the distance of the joints from the straight line between the frames
before and after it, so that joints that pass each other go on.

With labels in every 3rd or 15th frame (training parts of JHMDB and of Multi-Person PoseTrack, and
two flies) one of 5,357 right labels fits better when exchanged. Of sides exchanged on purpose in
single labels, 95 % are found in every 3rd frame and 58 % in every 15th; of people, 97 %.

Given labels are right. Without any, it is unknown which side is right where an exchange begins or
ends a track: such an exchange is taken for a person who turns, and the ends count as right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from stdpose_mm.labelling.propagation import Tracks
from stdpose_mm.structures import PersonLabel, Skeleton, on_line, pose_extent, runs_of

MAX_EXCHANGED_RATIO, MAX_PAIR_RATIO = 0.65, 0.5
"""Maximum ratio of the distances after and before an exchange: of many joints, of a single pair."""

MIN_JOINTS = 4
"""Minimum number of comparable joints."""

SWITCH_COST = 0.4
"""Cost of a begin or an end of an exchange, in typical distances from the line."""

EXCHANGED_COST = 0.02
"""Cost of an exchanged frame: of the two ways to divide a track, the shorter part is exchanged."""

MIN_DISTANCE = 0.005
"""Least typical distance from the line, as a share of the pose's size."""

MIN_JUMP = 0.03
"""Least distance from the line, as a share of the size, at both ends of an exchange."""

_SMOOTHED_SIZES = 9
"""Frames over which sizes are smoothed by their median; a wrong joint enlarges the pose."""


class TrackPoses(NamedTuple):
    """The poses of a track.

    Args:
        frames: [T] frames, ascending.
        keypoints: [T, K, 2] pixels, NaN where a joint is not labelled.
        sizes: [T] larger sides of the poses in pixels, smoothed over time.
        sure: [T] bool: frames whose sides and identity are right.
    """

    frames: np.ndarray
    keypoints: np.ndarray
    sizes: np.ndarray
    sure: np.ndarray

    @classmethod
    def of(cls, track: Mapping[int, PersonLabel], ends_are_sure: bool = True) -> TrackPoses | None:
        """Collect the labels with a joint; return None if there is none.

        Given labels are sure if the track also has propagated ones; if not, its ends may be. The
        labels next to an absence are ends, too.
        """
        from scipy.ndimage import median_filter

        every = [track[frame] for frame in sorted(track)]
        labels = [label for label in every if label.has_joint]
        if not labels:
            return None
        is_given = np.array([label.is_given for label in labels])
        is_anchored = is_given.any() and not is_given.all()
        gone = np.array([not is_anchored, *(label.is_absent for label in every), not is_anchored])
        ends = ends_are_sure & (gone[:-2] | gone[2:])[[label.has_joint for label in every]]
        keypoints = np.stack([label.keypoints for label in labels])
        labelled = np.stack([label.labelled for label in labels])
        sizes = pose_extent(keypoints, labelled)[:, 2:].max(axis=1)
        return cls(
            np.array([label.frame_index for label in labels]),
            np.where(labelled[..., None], keypoints, np.nan),
            np.maximum(median_filter(sizes, _SMOOTHED_SIZES, mode='nearest'), 1.0),
            ends | (is_given & is_anchored),
        )

    def at(self, frames: np.ndarray) -> TrackPoses:
        """Select frames, all of which the track has."""
        rows = np.searchsorted(self.frames, frames)
        return TrackPoses(*(values[rows] for values in self))


class ExchangedSides(NamedTuple):
    """Left and right joints of a person that are exchanged in some frames.

    Args:
        frames: Their frames, ascending; the person may be unlabelled in frames between.
        track_id: The person.
        joints: The exchanged joints of both sides.
        doubt: From 0.5 (exchanged or not fit equally well) to 1 (only exchanged fit).
    """

    frames: tuple[int, ...]
    track_id: int
    joints: tuple[int, ...]
    doubt: float


class ExchangedPeople(NamedTuple):
    """Two people who are exchanged in some frames.

    Args:
        frames: Their frames, ascending.
        track_ids: The people, ascending.
        doubt: See :class:`ExchangedSides`.
    """

    frames: tuple[int, ...]
    track_ids: tuple[int, int]
    doubt: float


def find_exchanged_sides(
    tracks: Tracks, skeleton: Skeleton, single_pairs: bool = False
) -> list[ExchangedSides]:
    """Find frames in which left and right are exchanged, in all joints of a person together.

    Args:
        tracks: Track id -> {frame: label}; all labelled joints count.
        skeleton: The joints.
        single_pairs: Also find single pairs of joints that are exchanged, as networks do.

    Returns:
        The exchanges, by frame and person.
    """
    mirrored = np.array(skeleton.flip_indices)
    left = np.flatnonzero(mirrored > np.arange(len(mirrored)))
    exchanges = []
    for track_id, track in tracks.items():
        poses = TrackPoses.of(track)
        if poses is None or not len(left):
            continue
        exchanged = np.zeros((len(poses.frames), len(mirrored)), bool)
        doubts = np.zeros(len(poses.frames))
        for pairs in (left, *(left[:, None] if single_pairs else ())):
            order = np.where(exchanged, mirrored, np.arange(len(mirrored)))
            keypoints = np.take_along_axis(poses.keypoints, order[..., None], axis=1)
            first, second = (keypoints[:, joints] for joints in (pairs, mirrored[pairs]))
            least = 1 if len(pairs) == 1 else MIN_JOINTS // 2
            now = exchanged_frames(poses, first, second, least)
            exchanged[:, [*pairs, *mirrored[pairs]]] ^= now[:, None] > 0
            doubts = np.maximum(doubts, now)
        exchanges += [
            ExchangedSides(
                tuple(poses.frames[stretch].tolist()),
                track_id,
                joints,
                float(doubts[stretch].max()),
            )
            for stretch, joints in _joint_stretches(exchanged)
        ]
    return sorted(exchanges)


def find_exchanged_people(tracks: Tracks, ends_are_sure: bool = True) -> list[ExchangedPeople]:
    """Find frames in which two people are exchanged, in the order in which they are mended.

    Args:
        tracks: Track id -> {frame: label}; all labelled joints count.
        ends_are_sure: Whether nobody is exchanged at the ends of a track without given labels. If
            not, they are sure only where one of two people goes on without the other.
    """
    every = {i: TrackPoses.of(tracks[i], ends_are_sure) for i in sorted(tracks)}
    poses = {i: of_track for i, of_track in every.items() if of_track is not None}
    exchanges = []
    for first_id, second_id in combinations(poses, 2):
        common = np.intersect1d(poses[first_id].frames, poses[second_id].frames)
        if len(common) < 3:
            continue
        first, second = poses[first_id].at(common), poses[second_id].at(common)
        larger = first._replace(
            sizes=np.maximum(first.sizes, second.sizes), sure=first.sure | second.sure
        )
        ends = [poses[i].frames[[0, -1]] for i in (first_id, second_id)]
        sure = None if ends_are_sure else (ends != common[[0, -1]]).any(axis=0)
        doubts = exchanged_frames(larger, first.keypoints, second.keypoints, MIN_JOINTS, sure)
        exchanged = doubts > 0
        if exchanged.any():
            # What follows sees the people as they are.
            rows = common[exchanged]
            for i, other in ((first_id, second), (second_id, first)):
                keypoints = poses[i].keypoints.copy()
                keypoints[np.searchsorted(poses[i].frames, rows)] = other.keypoints[exchanged]
                poses[i] = poses[i]._replace(keypoints=keypoints)
        exchanges += [
            ExchangedPeople(
                tuple(common[stretch].tolist()), (first_id, second_id), float(doubts[stretch].max())
            )
            for stretch in runs_of(exchanged)
        ]
    return exchanges


def exchanged_frames(
    poses: TrackPoses,
    first: np.ndarray,
    second: np.ndarray,
    min_joints: int,
    ends_are_sure: np.ndarray | None = None,
) -> np.ndarray:
    """Find the frames in which two sets of joints are exchanged.

    Args:
        poses: Frames, sizes, and frames that are right.
        first: [T, J, 2] pixels, NaN where unknown.
        second: [T, J, 2] the joints that they may be exchanged with.
        min_joints: Minimum number of joints known in both sets; frames with fewer are left out.
        ends_are_sure: [2] bool: whether the first and the last frame are right; None if they are
            unless others are sure.

    Returns:
        [T] doubts, see :class:`ExchangedSides`; 0 where they are not exchanged.
    """
    known = np.isfinite(first).all(axis=-1) & np.isfinite(second).all(axis=-1)
    rows = np.flatnonzero(known.sum(axis=1) >= min_joints)
    doubts = np.zeros(len(first))
    if len(rows) < 3:
        return doubts
    known = known[rows]
    used = known.any(axis=0)
    joints, known = np.stack([first[rows], second[rows]])[:, :, used], known[:, used]
    # A joint that is unknown for a while stays where it was.
    last = np.maximum.accumulate(np.where(known, np.arange(len(rows))[:, None], -1), axis=0)
    last = np.where(last < 0, known.argmax(axis=0), last)
    joints = np.take_along_axis(joints, last[None, ..., None], axis=1)
    costs = _line_distances(joints, poses.frames[rows], poses.sizes[rows])
    typical = max(float(np.median(costs[1:-1].min(axis=(1, 2)))), MIN_DISTANCE)
    if (costs[:, :1, :1] <= costs).all():
        return doubts
    sure = poses.sure[rows]
    if ends_are_sure is not None:
        sure[[0, -1]] |= ends_are_sure
    elif not sure.any():
        sure[[0, -1]] = True
    path = _best_path(costs / typical, np.where(sure, np.inf, EXCHANGED_COST))
    after = _costs_on(costs, path)
    ratio = MAX_EXCHANGED_RATIO if min_joints > 1 else MAX_PAIR_RATIO
    for stretch in runs_of(path):
        without = path.copy()
        without[stretch] = False
        before = _costs_on(costs, without)
        borders = (at for at in (stretch.start, stretch.stop) if 0 < at < len(path))
        ends = [slice(at - 1, at + 1) for at in borders]
        if stretch.stop - stretch.start == 1 and len(ends) == 2:
            ends = [stretch]
        wrong, right = np.array([(before[end].sum(), after[end].sum()) for end in ends]).T
        if (right <= ratio * wrong).all() and (wrong >= MIN_JUMP).all():
            doubts[rows[stretch]] = wrong.sum() / (wrong + right).sum()
    return doubts


def _line_distances(joints: np.ndarray, frames: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Compute the mean distances of joints from the lines between the frames before and after.

    Args:
        joints: [2, T, J, 2] pixels of both sets.
        frames: [T].
        sizes: [T] pixels.

    Returns:
        [T, 2, 2] shares of the size: [t, a, b] if the two sets are exchanged between frames t - 1
        and t (a), and between t and t + 1 (b). Zero in the first and the last frame.
    """
    position = (frames[1:-1] - frames[:-2]) / (frames[2:] - frames[:-2])
    costs = np.zeros((len(frames), 2, 2))
    for a, b in np.ndindex(2, 2):
        before, after = joints[:: 1 - 2 * a, :-2], joints[:: 1 - 2 * b, 2:]
        line = on_line(before, after, position[:, None, None])
        distances = np.linalg.norm(joints[:, 1:-1] - line, axis=-1).mean(axis=0)
        costs[1:-1, a, b] = distances.mean(axis=1) / sizes[1:-1]
    return costs


def _best_path(costs: np.ndarray, exchanged_cost: np.ndarray) -> np.ndarray:
    """Find the path of two states with the least cost by Viterbi's algorithm.

    Args:
        costs: [T, 2, 2] cost of a change of the state before and after each frame.
        exchanged_cost: [T] cost of being exchanged.

    Returns:
        [T] bool.
    """
    change = 1 - np.eye(2, dtype=int)
    of_state = np.stack([np.zeros(len(costs)), exchanged_cost], axis=1)
    # The state of a frame and that of the next one.
    best = of_state[0][:, None] + of_state[1] + SWITCH_COST * change
    came_from = np.zeros(costs.shape, int)
    for t in range(1, len(costs) - 1):
        total = best[:, :, None] + costs[t][change[:, :, None], change]
        came_from[t] = total.argmin(axis=0)
        best = total.min(axis=0) + SWITCH_COST * change + of_state[t + 1]
    state, after = np.unravel_index(int(best.argmin()), (2, 2))
    path = [after, state]
    for t in range(len(costs) - 2, 0, -1):
        path.append(came_from[t][path[-1], path[-2]])
    return np.array(path[::-1], bool)


def _costs_on(costs: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Return the costs [T] of the changes on a path."""
    change = np.diff(path, prepend=path[0], append=path[-1]).astype(int)
    return costs[np.arange(len(path)), change[:-1], change[1:]]


def _joint_stretches(exchanged: np.ndarray) -> Iterator[tuple[slice, tuple[int, ...]]]:
    """Yield the runs of frames of [T, K] bool in which the same joints are True, and the joints."""
    changes = np.flatnonzero((exchanged[1:] != exchanged[:-1]).any(axis=1)) + 1
    for begin, end in pairwise([0, *changes.tolist(), len(exchanged)]):
        if exchanged[begin].any():
            yield slice(begin, end), tuple(np.flatnonzero(exchanged[begin]).tolist())
