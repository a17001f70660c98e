"""Poses and labels of a whole video that may be wrong, worst first, with a proposal for each.

The checks look at each track as a whole, so they suit dense results of any program as well as
labels. Thresholds were chosen on training clips, see ``docs/guide/checking.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from stdpose_mm.labelling.propagation import Tracks
from stdpose_mm.structures import (
    CLASS_NAME,
    TRACK_NAME,
    VISIBLE,
    PersonLabel,
    Skeleton,
    VideoLabels,
    fill_between,
    runs_of,
)

from .exchanges import TrackPoses, find_exchanged_people, find_exchanged_sides
from .flow_checks import CarriedPoses
from .suspicious_labels import find_doubled_people, find_joints_outside

Reason = Literal[
    'people exchanged',
    'sides exchanged',
    'doubled',
    'jump',
    'long limb',
    'missing',
    'outside',
    'low score',
    'unlike flow',
]
"""Why something may be wrong."""

MAX_STRETCH = 8
"""Labels in a row that are searched for a jump there and back, or that a person may be missing."""

STRETCH_COST = 0.5
"""Share by which every further label of a stretch raises the least detour."""

USUAL_SPEED = 1.5
"""Speed that is no jump, in 75th percentiles of the track's speed."""

LEAST_SPEED = 0.01
"""Speed that is no jump, in pose sizes per frame."""

USUAL_DETOUR = 3.0
"""Detour that is no jump, in those that are usual in the track."""

LONG_LIMB = 1.4
"""Length of a limb, in its 95th percentile in the track, above which it is too long."""

LEAST_LIMB = 0.02
"""Least usual length of a limb, as a share of the pose's size."""

MIN_SHARE = 0.8
"""Minimum share of a person's labels that have a joint that is missing in others."""

LOW_SCORE = 0.2
"""Doubt that a score of 0 adds: networks that score low everywhere must not hide what is wrong."""

FLOW_DISTANCE = 0.1
"""Distance from where optical flow carries a joint from both neighbouring frames, as a share of the
pose's size."""


@dataclass(frozen=True)
class Doubt:
    """Joints of a person that may be wrong in some frames.

    Args:
        frames: Their frames, ascending.
        track_id: The person.
        reason: Why.
        size: Size of the doubt, from 0.5 (just worth a look) to 1.
        joints: The joints; all of the person's if there are none.
        other_id: The person who is exchanged with this one or doubles it.
        proposals: Labels to use instead in these frames, also of the other person; none if nothing
            is proposed.
    """

    frames: tuple[int, ...]
    track_id: int
    reason: Reason
    size: float
    joints: tuple[int, ...] = ()
    other_id: int | None = None
    proposals: tuple[PersonLabel, ...] = ()


def check_poses(
    labels: VideoLabels,
    size: tuple[int, int] | None = None,
    carried: CarriedPoses | None = None,
    min_score: float = 0.5,
) -> list[Doubt]:
    """Find what may be wrong in the poses or labels of a video, worst first.

    Args:
        labels: The poses, with track ids. Given labels among propagated ones are taken as right.
        size: (width, height) of the frames in pixels; None if unknown.
        carried: The poses as optical flow has carried them, to compare with; None without pictures.
        min_score: Scores below are low.
    """
    mended, people = mend_people(labels)
    mended, sides = mend_sides(mended)
    tracks = mended.tracks()
    doubts = [*people, *sides, *_doubled(tracks)]
    for track_id, track in tracks.items():
        doubts += _check_track(track_id, track, labels.skeleton)
    doubts += _low_scores(tracks, min_score)
    if size is not None:
        located = find_joints_outside(tracks, size)
        doubts += [Doubt((f,), i, 'outside', 0.75, (joint,)) for f, i, joint in located]
    if carried is not None:
        doubts += _unlike_flow(tracks, carried)
    return sorted(doubts, key=lambda doubt: (-doubt.size, doubt.frames, doubt.track_id))


def apply_proposals(labels: VideoLabels, doubts: Iterable[Doubt]) -> VideoLabels:
    """Replace labels by those that are proposed; all others stay the same objects.

    Args:
        labels: The labels that were checked.
        doubts: Those whose proposals are accepted, in the order in which they apply.
    """
    proposed = {(p.frame_index, p.track_id): p for doubt in doubts for p in doubt.proposals}
    persons = [proposed.pop((p.frame_index, p.track_id), p) for p in labels.persons]
    return labels.with_persons([*persons, *proposed.values()])


def mend_sides(labels: VideoLabels) -> tuple[VideoLabels, list[Doubt]]:
    """Exchange left and right where they are exchanged for a stretch of frames.

    Args:
        labels: The poses, with track ids; given labels among propagated ones stay.

    Returns:
        The mended poses, and what was mended.
    """
    doubts = _exchanged_sides(labels.tracks(), labels.skeleton)
    return apply_proposals(labels, doubts), doubts


def mend_people(labels: VideoLabels) -> tuple[VideoLabels, list[Doubt]]:
    """Exchange people who are exchanged for a stretch of frames, see :func:`mend_sides`."""
    doubts = list(_exchanged_people(labels.tracks()))
    return apply_proposals(labels, doubts), doubts


def _exchanged_sides(tracks: Tracks, skeleton: Skeleton) -> list[Doubt]:
    doubts = []
    for frames, track_id, joints, doubt in find_exchanged_sides(tracks, skeleton, True):
        order = np.arange(skeleton.num_keypoints)
        order[[*joints]] = np.array(skeleton.flip_indices)[[*joints]]
        proposals = tuple(tracks[track_id][frame].reordered(order.tolist()) for frame in frames)
        doubts.append(
            Doubt(frames, track_id, 'sides exchanged', doubt, joints, proposals=proposals)
        )
    return doubts


def _exchanged_people(tracks: Tracks) -> Iterator[Doubt]:
    # A frame may be exchanged with several people, one after the other.
    now = {track_id: dict(track) for track_id, track in tracks.items()}
    for frames, (first, second), doubt in find_exchanged_people(tracks, ends_are_sure=False):
        proposals = []
        for frame in frames:
            pair = now[first][frame], now[second][frame]
            for label, other in (pair, pair[::-1]):
                proposals.append(_as_person(other, label))
                now[_id_of(label)][frame] = proposals[-1]
        yield Doubt(frames, first, 'people exchanged', doubt, (), second, tuple(proposals))


def _id_of(label: PersonLabel) -> int:
    assert label.track_id is not None
    return label.track_id


def _as_person(label: PersonLabel, person: PersonLabel) -> PersonLabel:
    """Give a label the identity of another one."""
    extra = {k: v for k, v in label.extra.items() if k not in (TRACK_NAME, CLASS_NAME)}
    extra |= {k: v for k, v in person.extra.items() if k in (TRACK_NAME, CLASS_NAME)}
    return replace(label, track_id=person.track_id, extra=extra)


def _doubled(tracks: Tracks) -> Iterator[Doubt]:
    for (first, second), frames in find_doubled_people(tracks).items():
        yield Doubt(tuple(frames), second, 'doubled', 0.9, (), first)


def _low_scores(tracks: Tracks, min_score: float) -> Iterator[Doubt]:
    for track_id, track in tracks.items():
        labels = [p for p in track.values() if p.scores is not None and p.has_joint]
        scores = np.array(
            [np.where(label.propagated, np.asarray(label.scores), np.inf) for label in labels]
        )
        for joint, of_joint in enumerate(scores.T):
            for run in runs_of(of_joint < min_score):
                frames = tuple(label.frame_index for label in labels[run])
                lack = 1 - max(float(of_joint[run].min()), 0.0) / min_score
                size = 0.5 + LOW_SCORE * lack
                yield Doubt(frames, track_id, 'low score', size, (joint,))


class _Jumps(NamedTuple):
    """What counts as a jump: a detour of joints by a label, or by several in a row.

    Args:
        least: Least detour, as a share of the pose's size, by a single label.
        usual: Percentile of the detours by single labels that is usual in the track. A wrong pose
            also makes detours of those before and after it.
    """

    least: float
    usual: float

    def find(
        self, frames: np.ndarray, distances: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> Iterator[tuple[slice, float]]:
        """Yield the stretches without which a track is smoother, and the sizes of the doubts.

        Args:
            frames: [T] frames of the labels, ascending.
            distances: Function of labels [N] and later labels [N]: how far the joints are apart
                [N], as a share of the pose's size.
        """
        rows = np.arange(len(frames))
        if len(rows) < 3:
            return
        steps, gaps = distances(rows[:-1], rows[1:]), np.diff(frames)
        speed = max(USUAL_SPEED * float(np.percentile(steps / gaps, 75)), LEAST_SPEED)
        detours = steps[:-1] + steps[1:] - distances(rows[:-2], rows[2:])
        least = max(self.least, USUAL_DETOUR * float(np.percentile(detours, self.usual)))
        # A straight way is no detour, however fast; before and after the track there is no way.
        jumps = np.concatenate([[0], np.maximum(steps - speed * gaps, 0), [0]])
        stretches = []
        for length in range(1, min(MAX_STRETCH, len(rows) // 2) + 1):
            across = np.zeros(len(rows) - length + 1)
            before, after = rows[: -length - 1], rows[length + 1 :]
            way = distances(before, after) - speed * (frames[after] - frames[before])
            across[1:-1] = np.maximum(way, 0)
            limit = least * (1 + STRETCH_COST * (length - 1))
            ratios = (jumps[: len(across)] + jumps[length:] - across) / limit
            stretches += [(ratios[at], at, at + length) for at in np.flatnonzero(ratios > 1)]
        taken = np.zeros(len(rows) + 2, bool)
        for ratio, begin, end in sorted(stretches, reverse=True):
            if not taken[begin : end + 2].any():
                taken[begin + 1 : end + 1] = True
                yield slice(begin, end), float(ratio / (1 + ratio))


POSE_JUMPS, JOINT_JUMPS = _Jumps(0.06, 80), _Jumps(0.15, 95)
"""Jumps of the median joint of a pose, and of single joints."""


def _check_track(
    track_id: int, track: Mapping[int, PersonLabel], skeleton: Skeleton
) -> Iterator[Doubt]:
    """Find poses and joints that jump, limbs that are too long, and joints that are missing."""
    poses = TrackPoses.of(track)
    if poses is None:
        return
    frames, keypoints, sizes, _ = poses
    known = np.isfinite(keypoints).all(axis=-1)
    trusted = known.copy()
    doubts: list[tuple[Reason, np.ndarray, float, list[int]]] = []

    def distances(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        apart = np.linalg.norm(keypoints[end] - keypoints[start], axis=-1) / sizes[start, None]
        return np.where(trusted[start] & trusted[end], apart, np.nan)

    def median_distances(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        apart = distances(start, end)
        apart[np.isnan(apart).all(axis=1)] = 0
        return np.nanmedian(apart, axis=1)

    rows, joints = np.arange(len(frames)), [*range(keypoints.shape[1])]
    for stretch, size in POSE_JUMPS.find(frames, median_distances):
        doubts.append(('jump', rows[stretch], size, joints))
    for _, wrong, *_ in doubts:
        trusted[wrong] = False
    for joint in joints:
        of_joint = np.flatnonzero(trusted[:, joint])

        def joint_distances(
            start: np.ndarray, end: np.ndarray, rows: np.ndarray = of_joint, joint: int = joint
        ) -> np.ndarray:
            return distances(rows[start], rows[end])[:, joint]

        for stretch, size in JOINT_JUMPS.find(frames[of_joint], joint_distances):
            doubts.append(('jump', of_joint[stretch], size, [joint]))
    for _, wrong, _, wrong_joints in doubts:
        trusted[wrong[:, None], wrong_joints] = False
    for limb in skeleton.limbs:
        lengths = np.linalg.norm(np.diff(keypoints[:, limb], axis=1)[:, 0], axis=-1) / sizes
        lengths[~trusted[:, limb].all(axis=1)] = np.nan
        if np.isfinite(lengths).any():
            usual = LONG_LIMB * max(float(np.nanpercentile(lengths, 95)), LEAST_LIMB)
            for stretch in runs_of(lengths > usual):
                size = float(1 - 0.5 * usual / lengths[stretch].max())
                doubts.append(('long limb', rows[stretch], size, [*limb]))
    for joint in np.flatnonzero(known.mean(axis=0) >= MIN_SHARE).tolist():
        for hole in runs_of(~known[:, joint]):
            length = hole.stop - hole.start
            if hole.start > 0 and hole.stop < len(frames) and length <= MAX_STRETCH:
                doubts.append(('missing', rows[hole], 0.5 + 0.25 / length, [joint]))
    for reason, wrong, size, wrong_joints in doubts:
        labels = [track[frame] for frame in frames[wrong].tolist()]
        places = {
            joint: fill_between(frames[wrong], frames[near], keypoints[near, joint])
            for joint in wrong_joints
            if len(near := np.flatnonzero(trusted[:, joint]))
        }
        proposals = [
            with_joints(label, {joint: place[row] for joint, place in places.items()})
            for row, label in enumerate(labels)
            if places and reason != 'long limb'
        ]
        of = () if len(wrong_joints) == len(joints) else tuple(wrong_joints)
        yield Doubt(
            tuple(frames[wrong].tolist()), track_id, reason, size, of, None, tuple(proposals)
        )


def with_joints(label: PersonLabel, places: Mapping[int, np.ndarray]) -> PersonLabel:
    """Put joints of a label at other places [2] in pixels, which are 'propagated'."""
    joints = [*places]
    keypoints, visibility, sources = (
        values.copy() for values in (label.keypoints, label.visibility, label.keypoint_sources)
    )
    keypoints[joints] = [*places.values()]
    visibility[joints] = np.where(label.labelled[joints], label.visibility[joints], VISIBLE)
    sources[joints] = 'propagated'
    return replace(
        label,
        keypoints=keypoints,
        visibility=visibility,
        source='given' if (sources == 'given').any() else 'propagated',
        keypoint_sources=sources,
    )


def _unlike_flow(tracks: Tracks, carried: CarriedPoses) -> Iterator[Doubt]:
    """Find joints that optical flow carries elsewhere from the frames before and after.

    Given joints are right if others have been propagated from them.
    """
    for track_id, track in tracks.items():
        poses = TrackPoses.of(track)
        if poses is None:
            continue
        frames = poses.frames.tolist()
        apart = np.stack([carried.distances(track, frame) for frame in frames])
        ratios = apart / poses.sizes[:, None] / FLOW_DISTANCE
        labels = [track[frame] for frame in frames]
        if any(label.has_propagated_joint for label in labels):
            ratios[np.stack([label.given for label in labels])] = np.nan
        for joint, of_joint in enumerate(ratios.T):
            for stretch in runs_of(of_joint > 1):
                size = float(of_joint[stretch].max())
                wrong = tuple(frames[stretch])
                yield Doubt(wrong, track_id, 'unlike flow', size / (1 + size), (joint,))
