"""Conversion of a page's edits, after checks, to steps on the labels for the journal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.structures import NOT_LABELLED, PersonLabel, Skeleton, kept_box, unused_track_ids

from .person_poses import SHOWN_DECIMALS

Step = dict[str, Any]

MAX_PIXEL = 1e6
MAX_JOINTS = 1000

EDIT_TYPES = (
    *('set_joints', 'accept', 'forget', 'mark_absent', 'mark_present', 'add_person'),
    *('copy_nearest', 'swap', 'merge', 'split', 'remove_person', 'set_skeleton', 'undo', 'redo'),
)


class EditReader:
    """Check one edit of a page, and convert it to steps.

    Args:
        edit: The edit.
        state: The video with its labels.
        shown: Gives the shown pose of a person in a frame as a label; None if there is none.
        presets: Skeletons by name.
    """

    def __init__(
        self,
        edit: Any,
        state: PropagationState,
        shown: Callable[[int, int], PersonLabel | None],
        presets: Mapping[str, Skeleton],
    ) -> None:
        if not isinstance(edit, dict) or edit.get('type') not in EDIT_TYPES:
            raise InputError(f'an edit needs a type, one of {", ".join(EDIT_TYPES)}')
        self.edit = edit
        self.type: str = edit['type']
        self.of: str | None = edit.get('of') if self.type in ('undo', 'redo') else None
        """The edit to undo or redo, where a page means one of its own; else the newest one."""
        self._state = state
        self._shown = shown
        self._presets = presets

    def steps(self) -> list[Step]:
        """List the steps that change the labels.

        Raises:
            InputError: If a field is missing or cannot be used.
        """
        return list(getattr(self, f'_{self.type}')())

    def clicks(self) -> int:
        """Count the user's actions: one, or one per joint for ``add_person``."""
        return max(1, len(self.edit['joints'])) if self.type == 'add_person' else 1

    def touches(self) -> tuple[set[int], range | None]:
        """Return the people that the edit concerns, and the frames; None for all frames."""
        people = {self._int(name) for name in ('person', 'a', 'b', 'into') if name in self.edit}
        if self.type in ('swap', 'merge', 'split', 'remove_person') or 'frame' not in self.edit:
            return people, None
        frame = self._frame()
        last = self._frame('last') if self.type == 'forget' and 'last' in self.edit else frame
        return people, range(frame, last + 1)

    def _set_joints(self) -> list[Step]:
        person, frame = self._person(), self._frame()
        return [self._add(person, frame, self._as_shown(person, frame, self._joints()))]

    def _accept(self) -> list[Step]:
        person, frame = self._person(), self._frame()
        if 'joints' in self.edit:
            joints = self._as_shown(person, frame, self._joints())
        else:
            joints = self._shown_joints(person, frame)
        return [self._add(person, frame, joints, replace=True)]

    def _forget(self) -> list[Step]:
        person, frame = self._person(), self._frame()
        last = self._frame('last') if 'last' in self.edit else frame
        if last < frame:
            raise InputError(f'frames {frame} to {last} are none, name the earlier one first')
        joints = self.edit.get('joints')
        if joints is not None and (
            not isinstance(joints, list) or not all(isinstance(name, str) for name in joints)
        ):
            raise InputError('joints to forget must be a list of names of joints')
        step = {'do': 'remove', 'person': person, 'frame': frame, 'last': last, 'joints': joints}
        return [step]

    def _mark_absent(self) -> list[Step]:
        return [{'do': 'absent', 'person': self._person(), 'frame': self._frame()}]

    def _mark_present(self) -> list[Step]:
        return self._copy_nearest()

    def _copy_nearest(self) -> list[Step]:
        person, frame = self._person(), self._frame()
        track = self._state.tracks[person]
        labelled = [n for n, label in track.items() if n != frame and label.labelled.any()]
        if not labelled:
            raise InputError(f'person {person} has no other label to copy, place its joints')
        nearest = min(labelled, key=lambda n: (abs(n - frame), n))
        joints = self._names_of(track[nearest])
        if track[nearest].propagated.any():
            joints = {**self._shown_joints(person, nearest), **joints}
        return [self._add(person, frame, joints, replace=True)]

    def _add_person(self) -> list[Step]:
        person = next(unused_track_ids(self._state.tracks))
        if not self.edit.get('joints'):
            raise InputError('a new person needs joints, place at least one')
        return [self._add(person, self._frame(), self._joints())]

    def _swap(self) -> list[Step]:
        a, b = self._person('a'), self._person('b')
        return [{'do': 'swap', 'frame': self._frame(), 'one': a, 'other': b}]

    def _merge(self) -> list[Step]:
        return [{'do': 'merge', 'person': self._person(), 'into': self._person('into')}]

    def _split(self) -> list[Step]:
        person, frame = self._person(), self._frame()
        steps = []
        if frame not in self._state.tracks[person]:
            # The new person begins here, so the shown pose becomes its first label.
            joints = self._shown_joints(person, frame)
            steps.append(self._add(person, frame, joints, replace=True))
        return [*steps, {'do': 'split', 'person': person, 'frame': frame}]

    def _remove_person(self) -> list[Step]:
        return [{'do': 'drop', 'person': self._person()}]

    def _set_skeleton(self) -> list[Step]:
        if self._state.tracks:
            raise InputError('the skeleton is settled by the labels that are there')
        if 'joints' not in self.edit:
            name = self.edit.get('name')
            if not isinstance(name, str) or name not in self._presets:
                raise InputError(
                    f'there is no such skeleton, choose one of {", ".join(self._presets)}'
                )
            skeleton = self._presets[name]
        else:
            skeleton = read_skeleton(self.edit)
        return [
            {
                'do': 'skeleton',
                'joints': [*skeleton.keypoint_names],
                'limbs': [list(limb) for limb in skeleton.limbs],
                'category': skeleton.category,
            }
        ]

    def _undo(self) -> list[Step]:
        return [{'do': 'undo'}]

    def _redo(self) -> list[Step]:
        return [{'do': 'redo'}]

    def _add(
        self, person: int, frame: int, joints: dict[str, list[float]], replace: bool = False
    ) -> Step:
        if not joints:
            raise InputError('no joint is named, name at least one')
        return {'do': 'add', 'person': person, 'frame': frame, 'joints': joints, 'replace': replace}

    def _int(self, name: str) -> int:
        value = self.edit.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f'the edit {self.type} needs {name}, a whole number')
        return value

    def _person(self, name: str = 'person') -> int:
        person = self._int(name)
        if person not in self._state.tracks:
            known = ', '.join(map(str, sorted(self._state.tracks)[:20])) or 'none'
            raise InputError(f'there is no person {person}, the people with labels are: {known}')
        return person

    def _frame(self, name: str = 'frame') -> int:
        frame = self._int(name)
        if not 0 <= frame < len(self._state.frames):
            raise InputError(
                f'there is no frame {frame}, the video has frames 0..{len(self._state.frames) - 1}'
            )
        return frame

    def _joints(self) -> dict[str, list[float]]:
        skeleton = self._state.skeleton
        if skeleton is None:
            raise InputError('there is no skeleton yet, choose one first')
        joints = self.edit.get('joints')
        if not isinstance(joints, dict) or not joints:
            raise InputError('joints must be an object {name: [x, y, v]} with at least one joint')
        for name, value in joints.items():
            if name not in skeleton.keypoint_names:
                raise InputError(
                    f'there is no joint {name[:100]!r}, choose from '
                    f'{", ".join(skeleton.keypoint_names)}'
                )
            if not _is_joint(value):
                raise InputError(
                    f'joint {name!r} must be [x, y, v] with pixels up to {MAX_PIXEL:.0f} and v 0, '
                    '1 or 2'
                )
        return {name: [float(x), float(y), int(v)] for name, (x, y, v) in joints.items()}

    def _as_shown(
        self, person: int, frame: int, joints: dict[str, list[float]]
    ) -> dict[str, list[float]]:
        """Restore the digits of coordinates that the page, which gets few, has not changed."""
        label = self._shown(person, frame)
        if label is None:
            return joints
        restored = {}
        for name, (*place, visibility) in joints.items():
            exact = label.keypoints[self._names().index(name)]
            is_same = np.array(place) == exact.round(SHOWN_DECIMALS)
            restored[name] = [*np.where(is_same, exact, place).tolist(), visibility]
        return restored

    def _shown_joints(self, person: int, frame: int) -> dict[str, list[float]]:
        """Return the joints of a shown pose by name.

        Raises:
            InputError: If no pose is shown.
        """
        label = self._shown(person, frame)
        if label is None or not label.labelled.any():
            raise InputError(f'person {person} has no pose in frame {frame}, place its joints')
        return self._names_of(label)

    def _names_of(self, label: PersonLabel) -> dict[str, list[float]]:
        names = self._names()
        return {
            names[k]: [*label.keypoints[k].tolist(), int(label.visibility[k])]
            for k in np.flatnonzero(label.labelled)
        }

    def _names(self) -> tuple[str, ...]:
        assert self._state.skeleton is not None
        return self._state.skeleton.keypoint_names


def _is_joint(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in value)
        and all(math.isfinite(n) and abs(n) <= MAX_PIXEL for n in value)
        and value[2] in (0, 1, 2)
    )


def read_skeleton(data: Any) -> Skeleton:
    """Read a skeleton ``{"joints": [names], "limbs": [[i, j], ...]}`` with 0-based limbs.

    Raises:
        InputError: If ``data`` is no such skeleton.
    """
    joints = data.get('joints') if isinstance(data, dict) else None
    limbs = (data.get('limbs') or []) if isinstance(data, dict) else None
    pairs_of_joints = isinstance(limbs, list) and all(
        isinstance(limb, list)
        and len(limb) == 2
        and all(isinstance(joint, int) and not isinstance(joint, bool) for joint in limb)
        for limb in limbs
    )
    if not isinstance(joints, list) or not 0 < len(joints) <= MAX_JOINTS or not pairs_of_joints:
        raise InputError(
            'a skeleton needs {"joints": [names], "limbs": [[0, 1], ...]} with 1 to '
            f'{MAX_JOINTS} joints and limbs as pairs of them, counted from 0'
        )
    assert isinstance(limbs, list)
    try:
        category = data.get('category') if isinstance(data, dict) else None
        limbs = tuple((a, b) for a, b in limbs)
        return Skeleton(tuple(joints), limbs, category if isinstance(category, str) else 'person')
    except (ValueError, TypeError) as error:
        raise InputError(f'the skeleton cannot be used: {error}') from error


def perform(step: Step, propagator: VideoPosePropagator, state: PropagationState) -> int | None:
    """Apply a step to the labels.

    Returns:
        The new person of a split; else None.

    Raises:
        InputError: If the step cannot be done.
    """
    do, person, frame = step['do'], step.get('person', -1), step.get('frame', -1)
    if do == 'add':
        _add_joints(step, propagator, state)
    elif do == 'absent':
        propagator.mark_absent(state, frame, person)
    elif do == 'remove':
        _remove(step, propagator, state)
    elif do == 'swap':
        propagator.swap_persons(state, frame, step['one'], step['other'])
    elif do == 'merge':
        propagator.merge_persons(state, person, step['into'])
    elif do == 'split':
        return propagator.split_person(state, frame, person)
    elif do == 'drop':
        propagator.remove_person(state, person)
    elif do == 'skeleton':
        state.skeleton = read_skeleton(step)
    else:
        raise InputError(f'there is no step {do!r}, the project is of another version')
    return None


def _add_joints(step: Step, propagator: VideoPosePropagator, state: PropagationState) -> None:
    if state.skeleton is None:
        raise InputError('there is no skeleton')
    keypoints = np.zeros((state.skeleton.num_keypoints, 3))
    for name, value in step['joints'].items():
        keypoints[state.skeleton.index_of(name)] = value
    left_out = [name for name, (_, _, v) in step['joints'].items() if v == NOT_LABELLED]
    earlier = state.tracks.get(step['person'], {}).get(step['frame'])
    box = None
    if step['replace'] and earlier is not None:
        box = kept_box(earlier, keypoints[:, :2], keypoints[:, 2] > NOT_LABELLED)
    propagator.add_labels(
        state, step['frame'], step['person'], keypoints, box, step['replace'], left_out
    )


def _remove(step: Step, propagator: VideoPosePropagator, state: PropagationState) -> None:
    person, frames = step['person'], range(step['frame'], step['last'] + 1)
    labelled = [n for n in sorted(state.tracks[person]) if n in frames]
    # Without labels in the range, the propagator's error lists the existing ones.
    for frame in labelled or [step['frame']]:
        propagator.remove_labels(state, frame, person, step['joints'])
