"""A plain model of labels, of edits to them, and of straight lines between them.

A label is an array [K, 3] of x, y, v: v is 1 or 2 for a given joint, 0 for one that is left out,
and -1 for one that is yet to be propagated. A label of zeros alone says that the person is absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

OPEN = -1
NUM_JOINTS = 3
MIRRORS = {1: 2, 2: 1}

Track = dict[int, np.ndarray]
"""Frame -> label."""

Tracks = dict[int, Track]


class RefusedError(Exception):
    """The edit cannot be done."""


def is_absent(label: np.ndarray) -> bool:
    return not label[:, 2].any()


def is_placed(label: np.ndarray) -> bool:
    return bool((label[:, 2] > 0).any())


def is_gone(track: Track, frame: int) -> bool:
    before = [n for n in track if n < frame]
    return bool(before) and is_absent(track[max(before)])


def stays(track: Track, num_frames: int) -> Iterator[tuple[range, Track]]:
    """The frames in which a person is in the picture, and the labels in them."""
    start, labels = 0, Track()
    for frame in sorted(track):
        if is_absent(track[frame]):
            yield range(start, frame), labels
            start, labels = num_frames, {}
        else:
            start, labels = min(start, frame), {**labels, frame: track[frame]}
    yield range(start, num_frames), labels


def lines(track: Track, num_frames: int) -> np.ndarray:
    """The poses [F, K, 3] on straight lines between the labels of each joint."""
    poses = np.zeros((num_frames, NUM_JOINTS, 3))
    for frames, labels in stays(track, num_frames):
        for joint in range(NUM_JOINTS):
            given = [frame for frame in labels if labels[frame][joint, 2] > 0]
            values = np.array([labels[frame][joint] for frame in given]).T
            for frame in frames if given else ():
                if frame in labels and labels[frame][joint, 2] != OPEN:
                    poses[frame, joint] = labels[frame][joint]
                else:
                    place = [np.interp(frame, given, axis) for axis in values[:2]]
                    nearest = np.argmin(np.abs(np.subtract(given, frame)))
                    poses[frame, joint] = *place, values[2, nearest]
    return poses


class LabelModel:
    """Labels of a video; each method is an edit that returns the labels after it.

    Args:
        tracks: The labels.
        poses: Person -> shown poses [F, K, 3].
        num_frames: F.
    """

    def __init__(self, tracks: Tracks, poses: Mapping[int, np.ndarray], num_frames: int) -> None:
        self.tracks, self.poses, self.num_frames = tracks, poses, num_frames

    def do(self, type: str, edit: Mapping[str, Any]) -> Tracks:
        named = {edit[name] for name in ('person', 'a', 'b', 'into') if name in edit}
        if not named <= self.tracks.keys():
            raise RefusedError
        tracks = getattr(self, type)(**edit)
        return {person: track for person, track in tracks.items() if track}

    def label(self, person: int, frame: int, label: np.ndarray) -> Tracks:
        if is_absent(label):
            raise RefusedError
        return {**self.tracks, person: {**self.tracks.get(person, {}), frame: label}}

    def corrected(
        self, person: int, frame: int, label: np.ndarray, joints: dict[int, list]
    ) -> Tracks:
        """What is sent as it was shown, with two decimals, is meant with all of them."""
        shown = self.poses.get(person, np.zeros((self.num_frames, NUM_JOINTS, 3)))[frame]
        for joint, (*place, v) in joints.items():
            exact = shown[joint, :2]
            label[joint] = *np.where(exact.round(2) == place, exact, place), v
        label[label[:, 2] < 1, :2] = 0
        return self.label(person, frame, label)

    def set_joints(self, person: int, frame: int, joints: dict[int, list]) -> Tracks:
        label = self.tracks.get(person, {}).get(frame, np.zeros((NUM_JOINTS, 3)))
        label = np.tile([0.0, 0, OPEN], (NUM_JOINTS, 1)) if is_absent(label) else label.copy()
        return self.corrected(person, frame, label, joints)

    def add_person(self, frame: int, joints: dict[int, list]) -> Tracks:
        return self.set_joints(max(self.tracks, default=0) + 1, frame, joints)

    def accept(self, person: int, frame: int, joints: dict[int, list] | None = None) -> Tracks:
        if joints is None:
            return self.label(person, frame, self.poses[person][frame])
        return self.corrected(person, frame, np.zeros((NUM_JOINTS, 3)), joints)

    def copy_nearest(self, person: int, frame: int) -> Tracks:
        placed = [n for n, label in self.tracks[person].items() if n != frame and is_placed(label)]
        if not placed:
            raise RefusedError
        nearest = min(placed, key=lambda n: (abs(n - frame), n))
        return self.label(person, frame, self.poses[person][nearest])

    mark_present = copy_nearest

    def mark_absent(self, person: int, frame: int) -> Tracks:
        absent = np.zeros((NUM_JOINTS, 3))
        return {**self.tracks, person: {**self.tracks[person], frame: absent}}

    def forget(
        self, person: int, frame: int, joints: dict[int, list] | slice = slice(None)
    ) -> Tracks:
        track = dict(self.tracks[person])
        if frame not in track:
            raise RefusedError
        label = track.pop(frame).copy()
        label[[*joints] if isinstance(joints, dict) else joints] = 0, 0, OPEN
        return {
            **self.tracks,
            person: track if (label[:, 2] == OPEN).all() else {**track, frame: label},
        }

    def remove_person(self, person: int) -> Tracks:
        return {**self.tracks, person: {}}

    def swap(self, a: int, b: int, frame: int, last: int | None = None) -> Tracks:
        end = self.num_frames - 1
        last = end if last is None else last
        if a == b or last < frame:
            raise RefusedError
        tracks = dict(self.tracks)
        for n, beside in ((frame, frame - 1), (last, last + 1)):
            if 0 <= beside <= end and not self.were_mistaken(a, b, n, beside > n):
                for person in (a, b):
                    tracks[person] = self.settled(self.settled(tracks, person, n), person, beside)[
                        person
                    ]
        for start in [frame] if last == end else [frame, last + 1]:
            if not (tracks[a] and tracks[b]):
                raise RefusedError
            gone = {i: is_gone(tracks[i], start) for i in (a, b)}
            parts = {i: split(tracks[i], start) for i in (a, b)}
            for i, other in ((a, b), (b, a)):
                before, after = parts[i][0], parts[other][1]
                if before and gone[other] and not gone[i] and start not in after:
                    # There was nobody whose place this one could take.
                    after = {start: np.zeros((NUM_JOINTS, 3)), **after}
                tracks[i] = {**before, **after}
        return tracks

    def were_mistaken(self, a: int, b: int, frame: int, is_after: bool) -> bool:
        """Whether the labels in a frame are nearer to the next ones on a side once exchanged."""

        def next_of(track: Track) -> np.ndarray:
            beside = [
                n for n in track if is_placed(track[n]) and (n > frame, n < frame)[not is_after]
            ]
            return track[(min if is_after else max)(beside)]

        try:
            one, other = self.tracks[a][frame], self.tracks[b][frame]
            one_next, other_next = next_of(self.tracks[a]), next_of(self.tracks[b])
        except (KeyError, ValueError):
            return False
        own = exchanged = 0.0
        for k in range(NUM_JOINTS):
            if min(label[k, 2] for label in (one, other, one_next, other_next)) > 0:
                own += np.hypot(*(one - one_next)[k, :2]) + np.hypot(*(other - other_next)[k, :2])
                exchanged += np.hypot(*(one - other_next)[k, :2]) + np.hypot(
                    *(other - one_next)[k, :2]
                )
        return exchanged < own

    def settled(self, tracks: Tracks, person: int, frame: int) -> Tracks:
        """The labels once the shown pose of a frame is one."""
        label, shown = tracks[person].get(frame), self.poses[person][frame]
        is_open = label is None or (label[:, 2] == OPEN).any()
        if not is_open or not is_placed(shown):
            return tracks
        return {**tracks, person: {**tracks[person], frame: shown}}

    def split(self, person: int, frame: int) -> Tracks:
        if frame not in self.tracks[person]:
            self.accept(person, frame)
        track = self.settled(self.tracks, person, frame)[person]
        if frame > 0:
            track = self.settled({person: track}, person, frame - 1)[person]
        before, after = split(track, frame)
        if not all(any(map(is_placed, part.values())) for part in (before, after)):
            raise RefusedError
        absent = np.zeros((NUM_JOINTS, 3))
        new = max(self.tracks) + 1
        return {**self.tracks, person: {**before, frame: absent}, new: {0: absent, **after}}

    def exchange_sides(
        self, person: int, frame: int, joints: dict[int, list] | None = None, on: bool = False
    ) -> Tracks:
        is_chosen = joints is None or bool(joints.keys() & MIRRORS.keys())
        if not is_placed(self.poses[person][frame]) or not is_chosen:
            raise RefusedError
        track = dict(self.tracks[person])
        begins = on and 0 < frame < self.num_frames - 1 and frame not in track
        for n in (frame - 1, frame) if begins else (frame,):
            label = track.get(n, np.tile([0.0, 0, OPEN], (NUM_JOINTS, 1))).copy()
            shown = [k for k in MIRRORS if self.poses[person][n][k, 2] > 0]
            if (label[:, 2] == OPEN).any() and shown:
                label[shown] = self.poses[person][n][shown]
                track[n] = label
        for n in track:
            if n == frame or (on and n > frame):
                track[n] = track[n][[MIRRORS.get(k, k) for k in range(NUM_JOINTS)]]
        return {**self.tracks, person: track}

    def merge(self, person: int, into: int) -> Tracks:
        ending, staying = self.tracks[person], self.tracks[into]
        both = ending.keys() & staying.keys()
        if person == into or any(is_placed(ending[n]) and is_placed(staying[n]) for n in both):
            raise RefusedError
        merged = Track()
        for track, other in ((ending, staying), (staying, ending)):
            begin, begin_other = (
                min((n for n in labels if not is_absent(labels[n])), default=-1)
                for labels in (track, other)
            )
            for n, label in track.items():
                # Who is not there yet says nothing of the other one, who already is.
                is_early = is_absent(label) and begin_other <= n < begin
                if not is_early and (n not in merged or is_absent(merged[n])):
                    merged[n] = label
        return {**self.tracks, person: {}, into: merged}


def split(values: dict[int, Any], frame: int) -> tuple[dict[int, Any], dict[int, Any]]:
    before = {n: value for n, value in values.items() if n < frame}
    return before, {n: value for n, value in values.items() if n >= frame}
