"""The labels of a video under review, changed step by step, with undo and redo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.structures import PersonLabel, Skeleton

from .edits import Step, perform

_PEOPLE = ('person', 'one', 'other', 'into')
"""Fields of a step that name a person whose labels it may change."""


@dataclass
class Change:
    """Hold the changes of an edit, so that it can be undone.

    Args:
        labels: (person, frame) -> (label before, label after).
        skeletons: The skeleton before and after.
        is_identity: Whether labels only moved between people: by a swap, merge or split.
        edit_id: Identifier of the edit, once it is committed.
    """

    labels: dict[tuple[int, int], tuple[PersonLabel | None, PersonLabel | None]]
    skeletons: tuple[Skeleton | None, Skeleton | None]
    is_identity: bool = False
    edit_id: str = ''

    @property
    def people(self) -> list[int]:
        """Return the people whose labels have changed, in ascending order."""
        return sorted({person for person, _ in self.labels})

    def of_person(self, person: int) -> dict[int, tuple[PersonLabel | None, PersonLabel | None]]:
        """Return a person's part: frame -> (label before, label after)."""
        return {frame: pair for (one, frame), pair in self.labels.items() if one == person}

    def reversed(self) -> Change:
        """Return the change that undoes this one."""
        labels = {key: (after, before) for key, (before, after) in self.labels.items()}
        before, after = self.skeletons
        return Change(labels, (after, before), self.is_identity)


class LabelHistory:
    """Apply steps to the labels of a video, and undo them.

    Only :meth:`commit` remembers a change, so that the change can be written to the journal before,
    and rolled back if writing fails.

    Args:
        propagator: The API that changes labels.
        state: The video with its labels.
    """

    def __init__(self, propagator: VideoPosePropagator, state: PropagationState) -> None:
        self._propagator = propagator
        self._state = state
        self._done: list[Change] = []
        self._undone: list[Change] = []

    @property
    def can_undo(self) -> bool:
        """Tell whether there is a change to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Tell whether there is an undone change to redo."""
        return bool(self._undone)

    def next_to(self, do: str) -> str | None:
        """Return the identifier of the edit that 'undo' or 'redo' would concern."""
        changes = self._changes_to(do)
        return changes[-1].edit_id if changes else None

    @property
    def num_labels_made(self) -> int:
        """Count the labels, one per person and frame, that edits made and that still exist."""
        made = {
            key
            for change in self._done
            if not change.is_identity
            for key, (_, after) in change.labels.items()
            if after is not None
        }
        tracks = self._state.tracks
        return sum(frame in tracks.get(person, {}) for person, frame in made)

    def perform(self, steps: Sequence[Step]) -> tuple[Change, int | None]:
        """Apply steps to the labels, all or none; also undo and redo.

        Returns:
            The change, and the new person of a split, else None.

        Raises:
            InputError: If a step cannot be done.
        """
        do = steps[0]['do']
        if do in ('undo', 'redo'):
            changes = self._changes_to(do)
            if not changes:
                raise InputError(f'there is nothing to {do}')
            change = changes[-1].reversed() if do == 'undo' else changes[-1]
            self._apply(change)
            return change, None
        state = self._state
        people = {step[name] for step in steps for name in _PEOPLE if name in step}
        before = {person: dict(state.tracks.get(person, {})) for person in people}
        skeleton = state.skeleton
        person: int | None = None
        try:
            for step in steps:
                person = perform(step, self._propagator, state)
        except BaseException:
            self.roll_back(self._changes(before, skeleton))
            raise
        if person is not None:
            before[person] = {}
        change = self._changes(before, skeleton)
        change.is_identity = any(step['do'] in ('swap', 'merge', 'split') for step in steps)
        return change, person

    def roll_back(self, change: Change) -> None:
        """Undo a change of :meth:`perform` that was not committed."""
        self._apply(change.reversed())

    def commit(self, steps: Sequence[Step], change: Change, edit_id: str) -> None:
        """Remember a change that was done by :meth:`perform`, as that of an edit."""
        do = steps[0]['do']
        if do == 'undo':
            self._undone.append(self._done.pop())
        elif do == 'redo':
            self._done.append(self._undone.pop())
        else:
            change.edit_id = edit_id
            self._done.append(change)
            self._undone.clear()

    def _changes_to(self, do: str) -> list[Change]:
        return self._done if do == 'undo' else self._undone

    def _changes(
        self, before: Mapping[int, Mapping[int, PersonLabel]], skeleton: Skeleton | None
    ) -> Change:
        changed = {}
        for person, track in before.items():
            now = self._state.tracks.get(person, {})
            for frame in track.keys() | now.keys():
                if track.get(frame) is not now.get(frame):
                    changed[person, frame] = track.get(frame), now.get(frame)
        return Change(changed, (skeleton, self._state.skeleton))

    def _apply(self, change: Change) -> None:
        # Labels need a skeleton while they are restored, also where none is left afterwards.
        self._state.skeleton = change.skeletons[1] or change.skeletons[0]
        after = {key: label for key, (_, label) in change.labels.items()}
        self._propagator.restore_labels(self._state, after)
        self._state.skeleton = change.skeletons[1]
