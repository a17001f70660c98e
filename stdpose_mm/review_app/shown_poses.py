"""The shown poses of everyone in a video, and which of them are to be computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.frame_result import FrameResult
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.structures import PersonLabel, VideoLabels

from .label_history import Change
from .person_poses import ABSENT, GIVEN, PROPAGATED, UNKNOWN, PersonPoses


class ShownPoses:
    """Hold the shown poses of everyone; callers must hold the lock of the video.

    Args:
        propagator: Knows which poses depend on which labels.
        state: The video with its labels, which are shown from the beginning.

    Attributes:
        of: Person id -> their poses.
    """

    def __init__(self, propagator: VideoPosePropagator, state: PropagationState) -> None:
        self.of: dict[int, PersonPoses] = {}
        self._propagator = propagator
        self._state = state
        self._urgent: list[tuple[int, range]] = []
        for person, track in state.tracks.items():
            poses = self._add(person)
            for frame, label in track.items():
                poses.show_label(frame, label)

    def show_file(self, labels: VideoLabels) -> None:
        """Show the propagated poses of a label file until they are computed."""
        for label in labels.persons:
            poses = self._poses_of(label)
            if poses is not None and poses.sources[label.frame_index] == UNKNOWN:
                poses.show(label)
                poses.pending[label.frame_index] = True

    def show_results(self, result: FrameResult) -> bool:
        """Show the computed poses of a frame; return whether any of them has changed."""
        changed = False
        for person in result.persons:
            poses = self._poses_of(person)
            if poses is not None:
                changed |= poses.show(person)
        return changed

    def show_nobody(self) -> None:
        """Show everyone as absent, after all labels but those of absence were removed."""
        for poses in self.of.values():
            poses.visibility[:] = 0
            poses.joint_sources[:] = poses.sources[:] = ABSENT
            poses.boxes[:] = np.nan
            poses.pending[:] = False

    def follow(self, change: Change) -> list[range]:
        """Show the labels of an edit, and mark the poses that depend on them as outdated.

        Returns:
            The frames of these poses, those around the first changed label first.
        """
        if change.skeletons[0] is not change.skeletons[1]:
            self.of.clear()
        earlier: dict[int, Mapping[int, PersonLabel]] = dict(self._state.tracks)
        for person in change.people:
            track = self._state.tracks.get(person, {})
            earlier[person] = _before(track, change.of_person(person))
        affected = self._propagator.affected_frames(self._state, earlier)
        for person in change.people:
            if not self._state.tracks.get(person):
                self.of.pop(person, None)
                continue
            poses = self.of.get(person) or self._add(person)
            frames = affected.get(person, range(0))
            poses.outdate(frames)
            for frame, (_, after) in change.of_person(person).items():
                poses.show_label(frame, after)
            self._urgent = [task for task in self._urgent if task[0] != person]
            self._urgent.append((person, frames))
        for person, frames in affected.items():
            # Poses that depend on where the people of the edit are.
            if person in self.of and person not in change.people:
                self.of[person].pending[frames.start : frames.stop] = True
        first = min((frame for _, frame in change.labels), default=None)
        ranges = [affected[person] for person in change.people if person in affected]
        return sorted(ranges, key=lambda frames: first not in frames)

    def forget_edits(self) -> None:
        """Forget the poses from before the edits, and the order in which edits are followed."""
        self._urgent.clear()
        for poses in self.of.values():
            poses.ghost = None

    def label(self, person: int, frame: int) -> PersonLabel | None:
        """Convert a shown pose to a label; None if there is no such person."""
        poses = self.of.get(person)
        return None if poses is None else poses.label(frame, person)

    def describe(self, frames: Iterable[int]) -> dict[str, list[dict[str, Any]]]:
        """Describe the poses of frames for the page, by frame."""
        people = sorted(self.of.items())
        return {
            str(frame): [
                described
                for person, poses in people
                if (described := poses.describe(frame, person)) is not None
            ]
            for frame in frames
        }

    def persons(self) -> list[dict[str, int]]:
        """List the people with the first and last frame in which they are, as far as is known."""
        persons = []
        for person, poses in sorted(self.of.items()):
            there = np.flatnonzero((poses.sources == GIVEN) | (poses.sources == PROPAGATED))
            if len(there) == 0:
                there = np.zeros(1, dtype=np.int64)
            persons.append({'id': person, 'first': int(there[0]), 'last': int(there[-1])})
        return persons

    def take_urgent(self) -> tuple[int, range] | None:
        """Return and remove the newest edit whose poses are not computed yet: person and frames."""
        return self._urgent.pop() if self._urgent else None

    def put_back(self, person: int, frames: range) -> None:
        """Queue an interrupted run again, after newer ones."""
        if person in self.of and all(person != other for other, _ in self._urgent):
            self._urgent.insert(0, (person, frames))

    def next_pending(self, start: int, length: int) -> tuple[Sequence[int], range] | None:
        """Find poses that are to be computed, first from a frame on, then from frame 0 on.

        Returns:
            The people and the frames; None if there are none.
        """
        waiting = np.zeros(len(self._state.frames), dtype=bool)
        for poses in self.of.values():
            waiting |= poses.pending
        frames = np.flatnonzero(waiting)
        if len(frames) == 0:
            return None
        later = frames[frames >= start]
        first = int((later if len(later) else frames)[0])
        window = range(first, min(first + length, len(waiting)))
        here = slice(window.start, window.stop)
        people = [person for person, poses in self.of.items() if poses.pending[here].any()]
        return sorted(people), window

    def _add(self, person: int) -> PersonPoses:
        assert self._state.skeleton is not None
        poses = PersonPoses(len(self._state.frames), self._state.skeleton.num_keypoints)
        self.of[person] = poses
        return poses

    def _poses_of(self, label: PersonLabel) -> PersonPoses | None:
        return None if label.track_id is None else self.of.get(label.track_id)


def _before(
    track: Mapping[int, PersonLabel],
    changed: Mapping[int, tuple[PersonLabel | None, PersonLabel | None]],
) -> dict[int, PersonLabel]:
    """Return the labels of a person before an edit; ``changed`` has those before and after it."""
    earlier = dict(track)
    for frame, (before, _) in changed.items():
        if before is None:
            earlier.pop(frame, None)
        else:
            earlier[frame] = before
    return earlier
