"""The edits of a video: they are read from pages, applied to its labels, and undone.

An edit (:class:`~.messages.Edit`) is an action of the user on the page. Its steps, which the
journal keeps with it, are its changes to the labels; they do not depend on what was shown.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, TypeGuard, cast, get_args

import numpy as np

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels.known_skeletons import KNOWN_SKELETONS
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_JOINTS
from stdpose_mm.labelling.review import Doubt
from stdpose_mm.structures import NOT_LABELLED, PersonLabel, Skeleton, kept_box, unused_track_ids

from .messages import SHOWN_DECIMALS, Counts, DoubtEdit, Edit, EditRequest, EditType

MAX_ID_LENGTH = 100

Step = dict[str, Any]
"""``{'do': ...}`` with its fields, see :func:`perform_step`."""

Joints = dict[str, list[float]]
"""Joint name -> [x, y, visibility]."""

LabelKey = tuple[int, int]
"""A person and a frame."""

LabelPairs = dict[LabelKey, tuple[PersonLabel | None, PersonLabel | None]]
"""Labels before and after an edit."""


class StaleEditError(InputError):
    """Refusal of an edit of a page that does not know another page's edit to the same joints.

    Args:
        sentence: The reason.
        details: For the page, if it can send the edit again: ``theirs``, the edits that it does not
            know, and ``revision``, the number of edits that it knows once it has read them.
    """

    def __init__(self, sentence: str, **details: Any) -> None:
        super().__init__(sentence)
        self.details = details


class JournalEntry(TypedDict):
    """An edit in the journal; ``frames`` are [start, stop] of its poses, None for all."""

    id: str
    page: str
    edit: Edit
    steps: list[Step]
    people: list[int]
    frames: list[int] | None
    clicks: int


def read_request(body: dict[str, Any]) -> EditRequest:
    """Check all fields except the edit, which :class:`EditReader` checks.

    Raises:
        InputError: If a field is missing or cannot be used.
    """
    edit, revision = body.get('edit'), body.get('revision')
    if not isinstance(edit, dict) or edit.get('type') not in get_args(EditType):
        raise InputError(f'an edit needs a type, one of {", ".join(get_args(EditType))}')
    for name in ('id', 'page'):
        value = body.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_LENGTH:
            raise InputError(f'an edit needs {name}, a string of 1 to {MAX_ID_LENGTH} characters')
    draft = edit.get('draft')
    if draft is not None and not (isinstance(draft, str) and len(draft) <= MAX_ID_LENGTH):
        raise InputError(f'draft must be a string of at most {MAX_ID_LENGTH} characters')
    if not _is_int(revision) or revision < 0:
        raise InputError('an edit needs revision, the number of edits that the page knows')
    return cast(EditRequest, body)


@dataclass(frozen=True)
class EditReader:
    """Reader of one edit of a page, which checks it and converts it to steps.

    Args:
        edit: The edit.
        state: The video with its labels.
        shown: Returns the shown pose of a person in a frame as a label; None if there is none.
        doubt: The doubt that the edit answers, in proofreading.
        are_labels: Whether all shown poses are labels, so that none has to become one.
    """

    edit: Edit
    state: PropagationState
    shown: Callable[[int, int], PersonLabel | None]
    doubt: Doubt | None = None
    are_labels: bool = False

    def steps(self) -> list[Step]:
        """List the steps that change the labels.

        Raises:
            InputError: If a field is missing or cannot be used.
        """
        type_: EditType = self.edit['type']
        match type_:
            case 'set_joints':
                return [self._add(self._joints_as_shown())]
            case 'accept' if 'joints' in self.edit:
                return [self._add(self._joints_as_shown(), replace=True)]
            case 'accept':
                return [self._add(self._shown_joints(self._frame()), replace=True)]
            case 'copy_nearest' | 'mark_present':
                return [self._add(self._nearest_joints(), replace=True)]
            case 'add_person':
                # The people of an unlabelled video are numbered from 1, as their keys are.
                person = next(unused_track_ids([0, *self.state.tracks]))
                return [self._add(self._joints(), person=person)]
            case 'mark_absent':
                return [{'do': 'absent', 'person': self._person(), 'frame': self._frame()}]
            case 'forget':
                return [self._remove()]
            case 'swap':
                return self._swap(self._person('a'), self._person('b'), self._frame())
            case 'merge':
                return [{'do': 'merge', 'person': self._person(), 'into': self._person('into')}]
            case 'split':
                return self._split()
            case 'exchange_sides':
                return self._exchange_sides()
            case 'remove_person':
                return [{'do': 'drop', 'person': self._person()}]
            case 'set_skeleton':
                return [self._set_skeleton()]
            case 'accept_proposal':
                return self._accept_proposal()
            case 'confirm':
                doubt = self._asked_doubt()
                people = [self._person(), *([] if doubt.other_id is None else [doubt.other_id])]
                self._frame()
                joints = [self._names[joint] for joint in doubt.joints] or None
                fields = {'frames': [*doubt.frames], 'joints': joints}
                return [{'do': 'confirm', 'person': person, **fields} for person in people]
            case 'undo' | 'redo':
                return [{'do': type_}]

    def placed(self) -> tuple[int, Joints]:
        """Return the frame and the joints of a pose that is being placed.

        Raises:
            InputError: If there are no such frame or joints, or there is no skeleton.
        """
        return self._frame(), self._joints() if self.edit.get('joints') else {}

    def people(self) -> list[int]:
        """List the people that the edit concerns."""
        names = ('person', 'a', 'b', 'into')
        return sorted({self._int(name) for name in names if name in self.edit})

    def frames(self) -> list[int] | None:
        """Return [start, stop] of the frames that the edit concerns; None for all."""
        of_person = self.edit['type'] in ('swap', 'merge', 'split', 'remove_person')
        if of_person or self.edit.get('on') or 'frame' not in self.edit:
            return None
        return [self._frame(), self._frame() + 1]

    def _remove(self) -> Step:
        person, frame, joints = self._person(), self._frame(), self._chosen()
        # The journal can hold a range of frames; pages remove labels of one frame at a time.
        return {'do': 'remove', 'person': person, 'frame': frame, 'last': frame, 'joints': joints}

    def _chosen(self) -> list[str] | None:
        joints = self.edit.get('joints')
        if joints is not None and not _is_list_of(joints, str):
            raise InputError('the chosen joints must be a list of joint names')
        return joints

    def _swap(self, a: int, b: int, frame: int) -> list[Step]:
        """Exchange two people from a frame on, or only up to the frame ``last``.

        The shown poses on both sides of each end become labels, so that exactly the poses of these
        frames are exchanged. Where :meth:`_mistaken`, labels are exchanged alone: the poses outside
        that were drawn to them follow.
        """
        number = len(self.state.frames)
        last = self._frame('last') if 'last' in self.edit else number - 1
        if last < frame:
            raise InputError(f'a swap from frame {frame} on cannot end earlier, in frame {last}')
        ends = [(n, way) for n, way in ((frame, -1), (last, 1)) if 0 <= n + way < number]
        settled = {m for n, way in ends if not self._mistaken(a, b, n, way) for m in (n, n + way)}
        labels = self._settle(itertools.product((a, b), sorted(settled)))
        starts = [n for n in (frame, last + 1) if n < number]
        return labels + [{'do': 'swap', 'frame': n, 'one': a, 'other': b} for n in starts]

    def _mistaken(self, a: int, b: int, frame: int, way: int) -> bool:
        """Tell whether labels in a frame fit the next ones on a side better once exchanged."""
        tracks = [self.state.tracks[person] for person in (a, b)]
        labels = [track[frame] for track in tracks if frame in track]
        for track in tracks:
            beside = [n for n in track if (n - frame) * way > 0 and track[n].labelled.any()]
            labels += [track[n] for n in sorted(beside, key=lambda n: abs(n - frame))[:1]]
        if len(labels) < 4:
            return False
        common = np.all([label.labelled for label in labels], axis=0)
        points = np.stack([label.keypoints[common] for label in labels])
        distance = np.linalg.norm(points[:2, None] - points[None, 2:], axis=-1).sum(axis=-1)
        return bool(distance[0, 1] + distance[1, 0] < np.trace(distance))

    def _settle(self, places: Iterable[LabelKey], joints: Sequence[str] = ()) -> list[Step]:
        """Make shown poses, or only some joints of them, labels unless all joints are labelled."""
        steps: list[Step] = []
        for person, frame in () if self.are_labels else places:
            label, pose = self.state.tracks[person].get(frame), self.shown(person, frame)
            if pose is not None and (label is None or label.propagated.any()):
                points = self._by_name(pose)
                chosen = {name: points[name] for name in joints or points if name in points}
                steps += [self._add(chosen, not joints, person, frame)] if chosen else []
        return steps

    def _split(self) -> list[Step]:
        """Split a person; the shown poses on both sides become labels."""
        person, frame = self._person(), self._frame()
        if frame not in self.state.tracks[person]:
            self._shown_joints(frame)
        labels = self._settle((person, n) for n in range(max(frame - 1, 0), frame + 1))
        return [*labels, {'do': 'split', 'person': person, 'frame': frame}]

    def _exchange_sides(self) -> list[Step]:
        """Exchange left and right of a person in a frame or, if ``on``, in all frames from it on.

        The joints become labels first; if ``on``, also those of the frame before, unless they were
        drawn to a label in this frame.
        """
        person, frame = self._person(), self._frame()
        self._shown_joints(frame)
        assert self.state.skeleton is not None
        names, flip = self._names, self.state.skeleton.flip_indices
        chosen = {*(self._chosen() or names)}
        order = [m if chosen & {names[k], names[m]} else k for k, m in enumerate(flip)]
        joints = [names[k] for k, m in enumerate(order) if k != m]
        if not joints:
            raise InputError('these joints have no left and right, choose one of a pair')
        last = len(self.state.frames) - 1 if self.edit.get('on') else frame
        first = frame - (last > frame > 0 and frame not in self.state.tracks[person])
        labels = self._settle(((person, n) for n in range(first, frame + 1)), joints)
        step = {'do': 'exchange', 'person': person, 'frame': frame, 'last': last, 'order': order}
        return [*labels, step]

    def _asked_doubt(self) -> Doubt:
        if self.doubt is None:
            raise InputError('there are no doubts here, start the review with --proofread')
        return self.doubt

    def _accept_proposal(self) -> list[Step]:
        """Take what is proposed for a doubt, in all its frames."""
        doubt = self._asked_doubt()
        person, frames = doubt.track_id, doubt.frames
        if doubt.reason == 'people exchanged':
            stretch = {'frame': frames[0], 'last': frames[-1]}
            return [{'do': 'swap_within', 'one': person, 'other': doubt.other_id, **stretch}]
        if doubt.reason == 'sides exchanged':
            assert self.state.skeleton is not None
            flip = self.state.skeleton.flip_indices
            order = [m if k in doubt.joints else k for k, m in enumerate(flip)]
            stretch = {'frame': frames[0], 'last': frames[-1]}
            return [{'do': 'exchange', 'person': person, 'order': order, **stretch}]
        if not doubt.proposals:
            raise InputError('nothing is proposed here: drag the joints, or confirm them')
        names = {self._names[joint] for joint in doubt.joints} or {*self._names}
        steps = []
        for pose in doubt.proposals:
            joints = {name: place for name, place in self._by_name(pose).items() if name in names}
            rounded = {
                name: [round(x, SHOWN_DECIMALS), round(y, SHOWN_DECIMALS), v]
                for name, (x, y, v) in joints.items()
            }
            steps.append(self._add(rounded, False, person, pose.frame_index))
        return steps

    def _set_skeleton(self) -> Step:
        if self.state.tracks and 'name' in self.edit:
            raise InputError('there are labels, so that joints can be changed, but not all of them')
        if 'joints' in self.edit:
            skeleton = read_skeleton(self.edit)
        else:
            name = self.edit.get('name')
            if not isinstance(name, str) or name not in KNOWN_SKELETONS:
                names = ', '.join(KNOWN_SKELETONS)
                raise InputError(f'this skeleton is unknown, choose one of {names}')
            skeleton = KNOWN_SKELETONS[name]
        return {
            'do': 'skeleton',
            'joints': [*skeleton.keypoint_names],
            'limbs': [list(limb) for limb in skeleton.limbs],
            'category': skeleton.category,
            'origins': self._origins(skeleton.keypoint_names) if self.state.tracks else None,
        }

    def _origins(self, names: Sequence[str]) -> list[int]:
        """Return which joint each one was before; added ones follow the last one of before.

        The edit's ``origins`` map new names to those of before. Without them, joints without their
        name among the new ones were renamed, in order.
        """
        before, origins = self._names, self.edit.get('origins')
        lost = [name for name in before if name not in names]
        added = [name for name in names if name not in before]
        if origins is None:
            if 0 < len(lost) < len(added):
                raise InputError(
                    f'it is unclear which of {", ".join(added)} have the labels of '
                    f'{", ".join(lost)}: give origins, new names with those of before'
                )
            origins = dict(zip(added, lost, strict=False))
        elif not isinstance(origins, dict) or not all(
            new in added and old in lost for new, old in origins.items()
        ):
            raise InputError('origins must map names of new joints to names of joints of before')
        sources = [name if name in before else origins.get(name) for name in names]
        if left := [name for name in before if sources.count(name) != 1]:
            raise InputError(
                f'there are labels, so that no joint can be left out: add {", ".join(left)}'
            )
        fresh = itertools.count(len(before))
        return [next(fresh) if name is None else before.index(name) for name in sources]

    def _add(
        self,
        joints: Joints,
        replace: bool = False,
        person: int | None = None,
        frame: int | None = None,
    ) -> Step:
        person = self._person() if person is None else person
        frame = self._frame() if frame is None else frame
        return {'do': 'add', 'person': person, 'frame': frame, 'joints': joints, 'replace': replace}

    def _int(self, name: str) -> int:
        value = self.edit.get(name)
        if not _is_int(value):
            raise InputError(f'the edit {self.edit["type"]} needs {name}, a whole number')
        return value

    def _person(self, name: str = 'person') -> int:
        person = self._int(name)
        if person not in self.state.tracks:
            people = ', '.join(map(str, sorted(self.state.tracks)[:20])) or 'none'
            raise InputError(f'there is no person {person}, choose one with labels: {people}')
        return person

    def _frame(self, name: str = 'frame') -> int:
        frame, number = self._int(name), len(self.state.frames)
        if not 0 <= frame < number:
            raise InputError(f'there is no frame {frame}, the video has frames 0..{number - 1}')
        return frame

    def _joints(self) -> Joints:
        skeleton = self.state.skeleton
        if skeleton is None:
            raise InputError('there is no skeleton yet, choose one first')
        joints = self.edit.get('joints')
        if not isinstance(joints, dict) or not joints:
            raise InputError('joints must be an object {name: [x, y, v]} with at least one joint')
        for name, value in joints.items():
            if name not in skeleton.keypoint_names:
                names = ', '.join(skeleton.keypoint_names)
                raise InputError(f'there is no joint {name[:100]!r}, choose from {names}')
            if not _is_joint(value):
                raise InputError(
                    f'joint {name!r} must be [x, y, v] with pixels up to {MAX_COORDINATE:.0f} '
                    'and v 0, 1 or 2'
                )
        return {name: [float(x), float(y), int(v)] for name, (x, y, v) in joints.items()}

    def _joints_as_shown(self) -> Joints:
        """Restore all digits of unchanged coordinates, since the page gets rounded ones."""
        joints = self._joints()
        label = self.shown(self._person(), self._frame())
        assert label is not None
        restored = {}
        for name, (*place, visibility) in joints.items():
            exact = label.keypoints[self._names.index(name)]
            is_same = np.array(place) == exact.round(SHOWN_DECIMALS)
            restored[name] = [*np.where(is_same, exact, place).tolist(), visibility]
        return restored

    def _shown_joints(self, frame: int) -> Joints:
        person = self._person()
        label = self.shown(person, frame)
        if label is None or not label.has_joint:
            raise InputError(f'person {person} has no pose in frame {frame}, place its joints')
        return self._by_name(label)

    def _nearest_joints(self) -> Joints:
        person, frame = self._person(), self._frame()
        track = self.state.tracks[person]
        labelled = [n for n, label in track.items() if n != frame and label.has_joint]
        if not labelled:
            raise InputError(f'person {person} has no other label to copy, place its joints')
        nearest = min(labelled, key=lambda n: (abs(n - frame), n))
        return self._shown_joints(nearest)

    def _by_name(self, label: PersonLabel) -> Joints:
        return {
            self._names[k]: [*label.keypoints[k].tolist(), int(label.visibility[k])]
            for k in np.flatnonzero(label.labelled)
        }

    @property
    def _names(self) -> tuple[str, ...]:
        assert self.state.skeleton is not None
        return self.state.skeleton.keypoint_names


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list_of(value: Any, type_: type) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and all(isinstance(item, type_) for item in value)


def _is_joint(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(_is_int(n) or isinstance(n, float) for n in value)
        and all(math.isfinite(n) and abs(n) <= MAX_COORDINATE for n in value)
        and value[2] in (0, 1, 2)
    )


def read_skeleton(data: Mapping[str, Any]) -> Skeleton:
    """Read a skeleton ``{"joints": [names], "limbs": [[i, j], ...]}`` with 0-based limbs.

    Raises:
        InputError: If ``data`` is no such skeleton.
    """
    joints, limbs = data.get('joints'), data.get('limbs') or []
    has_pairs = _is_list_of(limbs, list) and all(_is_int(joint) for limb in limbs for joint in limb)
    if not _is_list_of(joints, str) or len(joints) > MAX_JOINTS or not has_pairs:
        raise InputError(
            'a skeleton needs {"joints": [names], "limbs": [[0, 1], ...]} with 1 to '
            f'{MAX_JOINTS} joints and limbs as pairs of them, counted from 0'
        )
    category = data.get('category')
    if not isinstance(category, str):
        category = 'person'
    try:
        return Skeleton(tuple(joints), tuple(map(tuple, limbs)), category)
    except ValueError as error:
        raise InputError(f'the skeleton cannot be used: {error}') from error


STEPS = {
    'absent': ('mark_absent', ('frame', 'person')),
    'swap': ('swap_persons', ('frame', 'one', 'other')),
    'merge': ('merge_persons', ('person', 'into')),
    'split': ('split_person', ('frame', 'person')),
    'drop': ('remove_person', ('person',)),
}
"""Step -> the method of the propagator that performs it, and the fields that it takes."""

_MOVES = ('swap', 'swap_within', 'merge', 'split', 'exchange', 'skeleton')
"""Steps that move labels and make none."""

PEOPLE = ('person', 'one', 'other', 'into')
"""Fields of a step that name a person whose labels it may change."""


def perform_step(step: Step, propagator: VideoPosePropagator, state: PropagationState) -> None:
    """Apply a step to the labels.

    Raises:
        InputError: If the step cannot be done.
    """
    match step['do']:
        case 'add':
            _add_joints(step, propagator, state)
        case 'remove':
            person, first = step['person'], step['frame']
            frames = range(first, step['last'] + 1)
            # If there are no labels in the range, the propagator's error lists the existing ones.
            for frame in sorted(state.tracks[person].keys() & frames) or [first]:
                propagator.remove_labels(state, frame, person, step['joints'])
        case 'exchange':
            track = state.tracks[step['person']]
            for frame in track.keys() & range(step['frame'], step['last'] + 1):
                track[frame] = track[frame].reordered(step['order'])
        case 'swap_within':
            first, second = (state.tracks[step[name]] for name in ('one', 'other'))
            for frame in (first.keys() | second.keys()) & {*range(step['frame'], step['last'] + 1)}:
                pair = (step['one'], second.get(frame)), (step['other'], first.get(frame))
                propagator.restore_labels(state, {(i, frame): label for i, label in pair})
        case 'confirm':
            track = state.tracks[step['person']]
            names = None if step['joints'] is None else {*step['joints']}
            assert state.skeleton is not None
            joints = [
                k for k, n in enumerate(state.skeleton.keypoint_names) if not names or n in names
            ]
            for frame in track.keys() & {*step['frames']}:
                track[frame] = _confirm_joints(track[frame], joints)
        case 'skeleton':
            state.skeleton = read_skeleton(step)
            _change_joints(step.get('origins') or [], propagator, state)
        case do if do in STEPS:
            method, fields = STEPS[do]
            getattr(propagator, method)(state, *(step[field] for field in fields))
        case do:
            raise InputError(f'step {do!r} is unknown, the project comes from another version')


def _confirm_joints(label: PersonLabel, joints: Sequence[int]) -> PersonLabel:
    """Mark joints of a label as given; their places and scores stay."""
    chosen = label.labelled & np.isin(np.arange(len(label.visibility)), joints)
    if not chosen.any():
        return label
    sources = np.where(chosen, 'given', label.keypoint_sources)
    return replace(label, source='given', keypoint_sources=sources)


def _change_joints(
    origins: Sequence[int], propagator: VideoPosePropagator, state: PropagationState
) -> None:
    """Give all labels the joints of a changed skeleton, see :meth:`EditReader._origins`."""
    labels: dict[LabelKey, PersonLabel | None] = {}
    for person, track in state.tracks.items():
        for frame, label in track.items():
            while len(label.visibility) < len(origins):
                label = label.with_joint()
            labels[person, frame] = label.reordered(origins)
    propagator.restore_labels(state, labels)


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


@dataclass
class Change:
    """The changes of an edit, for undoing it.

    Args:
        labels: (person, frame) -> label before and after.
        skeletons: The skeleton before and after.
        new_person: The person that the edit has created, if any.
    """

    labels: LabelPairs
    skeletons: tuple[Skeleton | None, Skeleton | None]
    new_person: int | None = None

    @property
    def frames(self) -> range:
        """Return the frames from the first changed label to the last."""
        frames = [frame for _, frame in self.labels]
        return range(min(frames), max(frames) + 1) if frames else range(0)

    @property
    def people(self) -> list[int]:
        """List the people whose labels are changed."""
        return sorted({person for person, _ in self.labels})

    def reversed(self) -> Change:
        """Return the change that undoes this one."""
        labels = {key: (after, before) for key, (before, after) in self.labels.items()}
        return Change(labels, self.skeletons[::-1])


class EditHistory:
    """The edits of a video and their changes to its labels, with undo and redo.

    An edit counts only after :meth:`commit`; it can be written to the journal before, and rolled
    back if writing fails.

    Args:
        propagator: The API that changes labels.
        state: The video with its labels.

    Attributes:
        new_persons: Identifier of each edit -> the person that it has created, if any.
        reversed: Identifier of each undo and redo -> the edit that it concerns.
    """

    def __init__(self, propagator: VideoPosePropagator, state: PropagationState) -> None:
        self._propagator = propagator
        self._state = state
        self._entries: list[JournalEntry] = []
        self.new_persons: dict[str, int | None] = {}
        self.reversed: dict[str, Edit] = {}
        self._done: list[tuple[JournalEntry, Change]] = []
        self._undone: list[tuple[JournalEntry, Change]] = []

    @property
    def revision(self) -> int:
        """Return the number of edits."""
        return len(self._entries)

    def counts(self) -> Counts:
        """Count the existing labels (one per person and frame) that edits made, and the actions."""
        made = {
            key
            for entry, change in self._done
            if entry['steps'][-1]['do'] not in _MOVES
            for key, (_, after) in change.labels.items()
            if after is not None
        }
        tracks = self._state.tracks
        return {
            'labels_made': sum(frame in tracks.get(person, {}) for person, frame in made),
            'clicks': sum(entry['clicks'] for entry in self._entries),
            'can_undo': bool(self._done),
            'can_redo': bool(self._undone),
        }

    def accepted_drafts(self) -> dict[str, int]:
        """Map each draft that an edit in effect has accepted to its person."""
        return {
            entry['edit']['draft']: change.people[0]
            for entry, change in self._done
            if entry['edit'].get('draft') is not None and change.people
        }

    def settled_doubts(self) -> set[str]:
        """Return the doubts that an edit in effect has answered."""
        answers = get_args(DoubtEdit)
        edits = (entry['edit'] for entry, _ in self._done)
        return {edit.get('draft', '') for edit in edits if edit['type'] in answers}

    def in_effect(self) -> list[tuple[JournalEntry, Change]]:
        """Return the edits that are not undone, with their changes."""
        return [*self._done]

    def read(self, request: EditRequest, reader: EditReader) -> JournalEntry:
        """Check an edit against those of other pages, and convert it to steps.

        Raises:
            InputError: If the edit cannot be used.
            StaleEditError: If its page does not know of another page's edit to the same joints. For
                edits of the whole video, undo and redo without ``of``, it must know of all edits.
        """
        edit = request['edit']
        people, frames = reader.people(), reader.frames()
        is_reversal = edit['type'] in ('undo', 'redo')
        joints, theirs = _named_joints(edit), list[Edit]()
        for other in self._entries[request['revision'] :]:
            # New people touch nobody.
            is_new = 'add_person' in (edit['type'], other['edit']['type'])
            of_video = not (edit.get('of') if is_reversal else people or other['people'] or is_new)
            meets = set(people) & set(other['people']) and _overlap(frames, other['frames'])
            named = [some for some in (joints, _named_joints(other['edit'])) if some is not None]
            meets = meets and (len(named) < 2 or not set.isdisjoint(*named))
            if other['page'] != request['page'] and (of_video or meets):
                theirs.append(other['edit'])
        if theirs:
            details = {} if is_reversal else {'theirs': theirs, 'revision': self.revision}
            raise StaleEditError('another page has changed this meanwhile, do it again', **details)
        if request['revision'] > self.revision:
            raise StaleEditError('the page is newer than the project, reload the page')
        if is_reversal:
            changes = self._done if edit['type'] == 'undo' else self._undone
            newest, change = changes[-1] if changes else (None, None)
            if edit.get('of') not in (None, newest and newest['id']):
                raise StaleEditError(
                    f'another page has made edits since, so this page cannot {edit["type"]}'
                )
            if change is not None and change.labels:
                people = change.people
                frames = [change.frames.start, change.frames.stop]
        return {
            'id': request['id'],
            'page': request['page'],
            'edit': edit,
            'steps': reader.steps(),
            'people': people,
            'frames': frames,
            # Number of actions; each joint of a new person counts, unless it was drafted.
            'clicks': 1 if edit['type'] != 'add_person' or 'draft' in edit else len(edit['joints']),
        }

    def perform(self, steps: Sequence[Step]) -> Change:
        """Apply steps to the labels, all or none; a step may be undo or redo.

        Raises:
            InputError: If a step cannot be done.
        """
        do = steps[0]['do']
        if do in ('undo', 'redo'):
            changes = self._done if do == 'undo' else self._undone
            if not changes:
                raise InputError(f'there is nothing to {do}')
            _, newest = changes[-1]
            change = newest.reversed() if do == 'undo' else newest
            self._apply(change)
            return change
        state, skeleton, ids_before = self._state, self._state.skeleton, set(self._state.tracks)
        people = {step[name] for step in steps for name in PEOPLE if name in step}
        if do == 'skeleton':
            people |= ids_before
        before = self._labels_of(people)
        try:
            for step in steps:
                perform_step(step, self._propagator, state)
        except BaseException:
            self.roll_back(Change(self._compare(before, people), (skeleton, state.skeleton)))
            raise
        created = state.tracks.keys() - ids_before
        labels = self._compare(before, people | created)
        return Change(labels, (skeleton, state.skeleton), next(iter(created), None))

    def roll_back(self, change: Change) -> None:
        """Undo a change of :meth:`perform` that was not committed."""
        self._apply(change.reversed())

    def commit(self, entry: JournalEntry, change: Change) -> None:
        """Remember an edit whose change was done by :meth:`perform`."""
        match entry['steps'][0]['do']:
            case 'undo':
                self._undone.append(self._done.pop())
                self.reversed[entry['id']] = self._undone[-1][0]['edit']
            case 'redo':
                self._done.append(self._undone.pop())
                self.reversed[entry['id']] = self._done[-1][0]['edit']
            case _:
                self._done.append((entry, change))
                self._undone.clear()
        self._entries.append(entry)
        self.new_persons[entry['id']] = change.new_person

    def _labels_of(self, people: set[int]) -> dict[LabelKey, PersonLabel]:
        tracks = self._state.tracks
        return {(i, frame): label for i in people for frame, label in tracks.get(i, {}).items()}

    def _compare(self, before: dict[LabelKey, PersonLabel], people: set[int]) -> LabelPairs:
        """Pair the earlier and the current labels where they differ."""
        after = self._labels_of(people)
        pairs = {key: (before.get(key), after.get(key)) for key in sorted(before | after)}
        return {key: (old, new) for key, (old, new) in pairs.items() if old is not new}

    def _apply(self, change: Change) -> None:
        # Restoring labels needs a skeleton, even if none is left afterwards.
        self._state.skeleton = change.skeletons[1] or change.skeletons[0]
        after = {key: label for key, (_, label) in change.labels.items()}
        self._propagator.restore_labels(self._state, after)
        self._state.skeleton = change.skeletons[1]


def _overlap(frames: Sequence[int] | None, others: Sequence[int] | None) -> bool:
    return frames is None or others is None or max(frames[0], others[0]) < min(frames[1], others[1])


def _named_joints(edit: Edit) -> set[str] | None:
    """Return the joints that an edit changes; None for the whole pose."""
    joints = edit.get('joints') if edit['type'] in ('set_joints', 'forget') else None
    return set(joints) if isinstance(joints, dict) or _is_list_of(joints, str) else None
