"""Given labels that may be wrong: exchanged or doubled people, exchanged sides, joints outside.

A label that was given to another person, who has none in that frame, is found in 99.7, 99.2 and
97.5 % of the cases with labels in every 3rd, 7th and 15th frame (60 videos of Multi-Person
PoseTrack; 2 of 33,171 right labels are reported); for two flies, in 99 % of the cases with labels
in every 15th frame and in 86 % with every 75th.

In 60 videos with all their people labelled (Multi-Person PoseTrack), all 39,936 pairs of people in
a frame are at least 6.1 % of a person's size apart, averaged over joints. Two tracks of one person,
for example from overlapping jobs of CVAT, may have no labelled frame in common.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from stdpose_mm.labelling.propagation import Tracks
from stdpose_mm.structures import (
    PersonLabel,
    Skeleton,
    interpolate_pose,
    is_outside,
    pose_extent,
)
from stdpose_mm.text import counted, listed, ranges
from stdpose_mm.tracking.association import average_joints

from .exchanges import MIN_JOINTS, find_exchanged_people, find_exchanged_sides

MAX_OTHER_RATIO = 0.5
"""Maximum ratio of the distances of a label from another person's line and from its own."""

MAX_DOUBLED_DISTANCE = 0.05
"""Maximum mean distance of joints, as a share of the person's size, of labels of one person."""

MAX_NAMED = 5
"""Maximum number of labels of a kind that are named; the others are counted."""


_Pose = tuple[np.ndarray, np.ndarray]
"""[K, 2] pixels, and [K] bool: joints that have a position."""


class NamedPlace(NamedTuple):
    """A label that a sentence names.

    Args:
        words: The words of the sentence that name it.
        frame: Its frame; the first one, if the words name several.
        person: Its track id; the first one, if the words name a pair.
    """

    words: str
    frame: int
    person: int


class LabelWarning(NamedTuple):
    """A sentence about labels that may be wrong.

    Args:
        text: The sentence.
        places: The labels that it names, in the order of their words.
    """

    text: str
    places: Sequence[NamedPlace] = ()

    def __str__(self) -> str:
        """Return the sentence."""
        return self.text


def label_warnings(tracks: Tracks, skeleton: Skeleton, size: tuple[int, int]) -> list[LabelWarning]:
    """Report labels that may be wrong, in one sentence for each kind.

    Args:
        tracks: Track id -> {frame index: given label}.
        skeleton: The joints.
        size: (width, height) of the frames in pixels.
    """
    who, joints = skeleton.category, skeleton.keypoint_names
    tracks = _given(tracks)
    exchanged = sorted(find_exchanged_people(tracks))
    named = {(f, person) for e in exchanged for f in e.frames for person in e.track_ids}
    outside = find_joints_outside(tracks, size)
    advice = 'judging by the labels before and after: check them before you go on'
    kinds = {
        (f'{counted(len(outside), "joint")} outside the picture: ', ''): [
            (f'{joints[joint]} of ', NamedPlace(f'{who} {i} in frame {frame}', frame, i), '')
            for frame, i, joint in outside
        ],
        ('left and right of ', f' seem to be swapped, {advice}'): [
            ('', NamedPlace(f'{who} {i} in frame {frame}', frame, i), '')
            for frames, i, *_ in find_exchanged_sides(tracks, skeleton)
            for frame in frames
        ],
        ('', f' seem to be swapped, {advice}'): [
            ('', NamedPlace(f'{who} {a} and {who} {b} in frame {frame}', frame, a), '')
            for frames, (a, b), _ in exchanged
            for frame in frames
        ],
        ('', f', {advice}'): [
            ('', NamedPlace(f'{who} {i} in frame {frame}', frame, i), f' may be {who} {other}')
            for frame, i, other in find_labels_of_others(tracks)
            if (frame, i) not in named
        ],
    }
    warnings = [
        _warn_of(before, places, after) for (before, after), places in kinds.items() if places
    ]
    return warnings + doubled_warnings(tracks, skeleton)


def _warn_of(
    before: str, places: Sequence[tuple[str, NamedPlace, str]], after: str
) -> LabelWarning:
    """Join the names of places, with the words before and after each, to a sentence."""
    names = [f'{left}{place.words}{right}' for left, place, right in places]
    return LabelWarning(
        f'{before}{listed(names, MAX_NAMED)}{after}', [place for _, place, _ in places[:MAX_NAMED]]
    )


def doubled_warnings(tracks: Tracks, skeleton: Skeleton) -> list[LabelWarning]:
    """Report people who seem to be labelled twice, in one sentence, if there are any."""
    who, tracks = skeleton.category, _given(tracks)
    doubled = [
        (
            '',
            NamedPlace(
                f'{who} {a} and {who} {b} in frame{"s" if len(frames) > 1 else ""} '
                f'{ranges(frames)}',
                frames[0],
                a,
            ),
            '',
        )
        for (a, b), frames in sorted(find_doubled_people(tracks).items())
    ]
    if not doubled:
        return []
    after = (
        f' lie on each other, as if one {who} were labelled twice: if so, remove one of the two '
        'labels or, if one track continues the other (overlapping jobs of CVAT), give both the '
        'same number, otherwise they are propagated as separate tracks'
    )
    return [_warn_of('', doubled, after)]


def find_joints_outside(tracks: Tracks, size: tuple[int, int]) -> list[tuple[int, int, int]]:
    """Find given joints outside of the picture's pixels: (frame, track id, joint)."""
    return sorted(
        (frame, track_id, int(joint))
        for track_id, track in tracks.items()
        for frame, label in track.items()
        for joint in np.flatnonzero(label.labelled & is_outside(label.keypoints, size))
    )


def find_labels_of_others(tracks: Tracks) -> list[tuple[int, int, int]]:
    """Find labels on the line of a person without a label there: (frame, track id, that person)."""
    frames = {i: sorted(track) for i, track in tracks.items() if track}
    triples = [
        (i, *triple)
        for i, labelled in frames.items()
        for triple in zip(labelled, labelled[1:], labelled[2:], strict=False)
    ]
    labels = []
    for track_id, before, frame, after in triples:
        track = tracks[track_id]
        share = (frame - before) / (after - before)
        expected, known = _on_line(track[before], track[after], share)
        pose = [track[frame].keypoints], [track[frame].labelled]
        distance = _mean_distances(*pose, [expected], [known])[0, 0]
        size = pose_extent(*map(np.stack, pose))[0, 2:].max()
        # Two different people are never so close that one could fit better.
        if not distance > MAX_DOUBLED_DISTANCE / MAX_OTHER_RATIO * size:
            continue
        others = [
            i
            for i, labelled in frames.items()
            if labelled[0] < frame < labelled[-1] and frame not in tracks[i]
        ]
        if others:
            lines = [_pose_at(tracks[i], frames[i], frame) for i in others]
            means = _mean_distances(*pose, *zip(*lines, strict=True))[0]
            mean, other = min(zip(np.nan_to_num(means, nan=np.inf), others, strict=True))
            if mean < MAX_OTHER_RATIO * distance:
                labels.append((frame, track_id, other))
    return sorted(labels)


def find_doubled_people(tracks: Tracks) -> dict[tuple[int, int], list[int]]:
    """Find people whose labels coincide: (one, the other) -> frames, ascending.

    For tracks that do not coincide in a frame in which both are labelled, each label within the
    span of the other track is compared with the other's line; if all coincide, the frames are those
    that both tracks span.
    """
    by_frame: dict[int, dict[int, _Pose]] = {}
    for track_id in sorted(tracks):
        for frame, label in tracks[track_id].items():
            by_frame.setdefault(frame, {})[track_id] = label.keypoints, label.labelled
    doubled: dict[tuple[int, int], list[int]] = {}
    for frame in sorted(by_frame):
        for pair in _near_pairs(by_frame[frame]):
            doubled.setdefault(pair, []).append(frame)

    def coincide(person: int, other: int, span: range) -> bool:
        """Return whether two tracks coincide wherever one of them is labelled."""
        frames = sorted(frame for frame in {*placed[person], *placed[other]} if frame in span)
        poses = (
            {i: _pose_at(tracks[i], every[i], frame) for i in (person, other)} for frame in frames
        )
        return len(frames) > 1 and all(map(_near_pairs, poses))

    every = {i: sorted(tracks[i]) for i in tracks}
    placed = {i: [f for f in every[i] if tracks[i][f].labelled.any()] for i in tracks}
    for person, other in combinations(sorted(i for i in tracks if placed[i]), 2):
        # A track ends at the frame that marks the person as absent.
        end = min(max(tracks[person]), max(tracks[other])) + 1
        span = range(max(placed[person][0], placed[other][0]), end)
        if (person, other) not in doubled and span and coincide(person, other, span):
            doubled[person, other] = [*span]
    return doubled


def _near_pairs(poses: Mapping[int, _Pose]) -> list[tuple[int, int]]:
    """Find the pairs of poses that coincide."""
    ids, (keypoints, placed) = [*poses], zip(*poses.values(), strict=True)
    sizes = pose_extent(np.stack(keypoints), np.stack(placed))[:, 2:].max(axis=1)
    least = min(MIN_JOINTS, max(3, len(placed[0])))
    means = _mean_distances(keypoints, placed, keypoints, placed, least)
    is_near = means <= MAX_DOUBLED_DISTANCE * np.maximum(sizes[:, None], sizes[None])
    return [(ids[a], ids[b]) for a, b in np.argwhere(np.triu(is_near, 1))]


def _pose_at(track: Mapping[int, PersonLabel], frames: Sequence[int], frame: int) -> _Pose:
    """Return the pose of a label, or on the line between two; before an absence the last pose.

    Args:
        track: The labels.
        frames: Their frames, ascending.
        frame: The frame, not before the first label.
    """
    before = frames[bisect_right(frames, frame) - 1]
    after = frames[min(bisect_left(frames, frame), len(frames) - 1)]
    if after == before or not track[after].labelled.any():
        return track[before].keypoints, track[before].labelled
    return _on_line(track[before], track[after], (frame - before) / (after - before))


def _on_line(before: PersonLabel, after: PersonLabel, share: float) -> _Pose:
    is_placed = np.stack([before.labelled, after.labelled])
    return interpolate_pose(np.stack([before.keypoints, after.keypoints]), is_placed, share)


def _mean_distances(
    keypoints: Sequence[np.ndarray],
    placed: Sequence[np.ndarray],
    others: Sequence[np.ndarray],
    known: Sequence[np.ndarray],
    least: int = MIN_JOINTS,
) -> np.ndarray:
    """Compute the mean distances [N, M] of the joints of N poses from the joints of M others.

    They are NaN for poses that have fewer than ``least`` joints in common.
    """
    means, number = average_joints(
        np.stack(keypoints), np.stack(placed), np.stack(others), np.stack(known)
    )
    return np.where(number >= least, means, np.nan)


def _given(tracks: Tracks) -> Tracks:
    """Unlabel propagated joints."""
    return {i: {f: label.only_given() for f, label in track.items()} for i, track in tracks.items()}
