"""One video under review: its labels, its shown poses, its edits."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.video_pose_propagator import FrameResult, PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.io.video import clock_of
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

from .edits import EditReader, Step, perform
from .events import EventStream
from .guidance import Guidance, GuidanceReport
from .journal import Journal
from .pictures import PictureReader
from .pose_store import ABSENT, GIVEN, PROPAGATED, UNKNOWN, PersonPoses
from .timeline import heat, person_heat, runs_of

MAX_POSES = 600
"""Frames of one answer with poses."""


class StaleEditError(Exception):
    """An edit of a page that does not know of an edit to the same pose by another page."""


@dataclass
class Change:
    """What an edit has changed, so that it can be undone.

    Args:
        labels: (person, frame) -> (label before, label after).
        skeletons: The skeleton before and after.
        is_identity: Whether labels only changed hands or went with their person.
    """

    labels: dict[tuple[int, int], tuple[PersonLabel | None, PersonLabel | None]]
    skeletons: tuple[Skeleton | None, Skeleton | None]
    is_identity: bool = False

    def reversed(self) -> Change:
        """Return the change that takes this one back."""
        labels = {key: (after, before) for key, (before, after) in self.labels.items()}
        before, after = self.skeletons
        return Change(labels, (after, before), self.is_identity)


@dataclass(frozen=True)
class Touched:
    """What an edit was about, for edits of other pages that do not know of it."""

    page: str
    people: set[int]
    frames: range | None


@dataclass(frozen=True)
class VideoFiles:
    """What is shown of the files of a video.

    Args:
        labels: Name of the label file; None for an unlabelled video.
        out: Where labels are saved.
    """

    labels: str | None
    out: Path


@dataclass
class _History:
    done: list[Change] = field(default_factory=list)
    undone: list[Change] = field(default_factory=list)


class VideoReview:
    """One video under review; every method may be called by any thread.

    Args:
        propagator: How poses between labels are found.
        state: The video with the labels of its file.
        labels: Its labels, whose propagated poses are shown until they are computed; None without.
        journal: The edits.
        files: Names of its files.
        presets: Skeletons to choose from.

    Raises:
        InputError: If the journal does not fit the labels.
    """

    def __init__(
        self,
        propagator: VideoPosePropagator,
        state: PropagationState,
        labels: VideoLabels | None,
        journal: Journal,
        files: VideoFiles,
        presets: Mapping[str, Skeleton],
    ) -> None:
        self.propagator = propagator
        self.state = state
        self.journal = journal
        self.files = files
        self.presets = presets
        self.lock = RLock()
        self.events = EventStream()
        self.pictures = PictureReader(state.frames)
        self.poses: dict[int, PersonPoses] = {}
        self.revision = 0
        self.settled = -1
        self.clicks = 0
        self.failed: str | None = None
        self._history = _History()
        self._touched: list[Touched] = []
        self._known_ids: dict[str, int | None] = {}
        self._urgent: list[tuple[int, range]] = []
        self._edited: set[tuple[int, int]] = set()
        self.on_change: Callable[[VideoReview], None] = lambda review: None
        self.view = 0
        self._listed_frames = tuple(VideoFrame(frame) for frame in range(len(state.frames)))
        for person_id, track in state.tracks.items():
            poses = self._new_poses(person_id)
            for frame, label in track.items():
                poses.show_label(frame, label)
        if labels is not None:
            self._show_file(labels)
        for entry in journal.entries:
            self._replay(entry)
        self._urgent.clear()
        for poses in self.poses.values():
            poses.ghost = None
        self.guidance = Guidance(propagator.method)

    def _show_file(self, labels: VideoLabels) -> None:
        """Show the propagated poses of the label file until they are computed."""
        for label in labels.persons:
            poses = self.poses.get(label.track_id if label.track_id is not None else -1)
            if poses is not None and poses.sources[label.frame_index] == UNKNOWN:
                poses.show(label)
                poses.pending[label.frame_index] = True

    def _replay(self, entry: dict[str, Any]) -> None:
        try:
            page, edit = str(entry['page']), entry['edit']
            people, frames = set(entry['people']), entry['frames']
            person = self._do(str(edit['type']), entry['steps'])
            clicks, edit_id = int(entry['clicks']), entry['id']
        except (KeyError, TypeError, AttributeError, InputError) as error:
            raise InputError(
                f'{self.journal.path}: edit {self.revision + 1} cannot be done again ({error}), '
                'give the files of before, or another file with --project to begin anew'
            ) from error
        assert isinstance(edit, dict)
        self._count(page, people, None if frames is None else range(*frames), clicks)
        self._known_ids[edit_id] = person

    # What is asked for by pages.

    def describe(self) -> dict[str, Any]:
        """Describe the video for the page."""
        with self.lock:
            frames, skeleton = self.state.frames, self.state.skeleton
            width, height = frames.size
            return {
                'name': frames.name,
                'frames': len(frames),
                'width': width,
                'height': height,
                'fps': frames.fps,
                'skeleton': None if skeleton is None else describe_skeleton(skeleton),
                'skeletons': [
                    {'name': name, 'joints': [*preset.keypoint_names]}
                    for name, preset in self.presets.items()
                ],
                'persons': self._persons(),
                'revision': self.revision,
                'settled': self.settled,
                'method': self.propagator.method,
                'failed': self.failed,
                **self._counts(),
                'labels_file': self.files.labels,
                'project_file': self.journal.path.name,
                'out_file': self.files.out.name,
            }

    def describe_state(self, target: float) -> dict[str, Any]:
        """Describe the video for the list of videos."""
        with self.lock:
            number = sum(
                label.has_place for track in self.state.tracks.values() for label in track.values()
            )
            report = self.guidance.report
            good = report is not None and self._is_good(report, target)
            state = 'unlabelled' if not number else 'good enough' if good else 'in work'
            return {
                'name': self.state.frames.name,
                'frames': len(self.state.frames),
                'people': len(self.state.tracks),
                'labels': number,
                'state': state,
                'error': None,
            }

    def describe_poses(self, first: int, last: int) -> dict[str, Any]:
        """Describe the poses of a range of frames.

        Raises:
            InputError: If these are not frames of the video, or too many.
        """
        if not 0 <= first <= last < len(self.state.frames):
            raise InputError(
                f'there are no frames {first} to {last}, the video has frames '
                f'0..{len(self.state.frames) - 1}'
            )
        if last - first >= MAX_POSES:
            raise InputError(f'at most {MAX_POSES} frames can be asked for at once')
        with self.lock:
            return {'revision': self.revision, 'frames': self._frames(range(first, last + 1))}

    def timeline(self, columns: int, person: int | None, first: int, last: int) -> dict[str, Any]:
        """Describe everyone's given, propagated and absent frames, and scores in columns.

        Raises:
            InputError: If there are no such frames or person.
        """
        if not 0 <= first <= last < len(self.state.frames):
            raise InputError(
                f'there are no frames {first} to {last}, the video has frames '
                f'0..{len(self.state.frames) - 1}'
            )
        if person is not None and person not in self.poses:
            raise InputError(f'there is no person {person}')
        with self.lock:
            names = () if self.state.skeleton is None else self.state.skeleton.keypoint_names
            frames = range(first, last + 1)
            persons = []
            for person_id, poses in sorted(self.poses.items()):
                lowest = person_heat(poses, frames, columns)
                lane = {'id': person_id, 'runs': runs_of(poses), 'heat': heat(lowest.min(axis=1))}
                if person == person_id:
                    lane['joints'] = dict(zip(names, map(heat, lowest.T), strict=True))
                persons.append(lane)
            report = self.guidance.report
            return {
                'revision': self.revision,
                'columns': columns,
                'persons': persons,
                'checks': [] if report is None else report.checks,
                'suggestions': [] if report is None else report.suggestions,
            }

    def describe_guidance(self, target: float) -> dict[str, Any]:
        """Say what to do next, and whether it is good enough."""
        with self.lock:
            report = self.guidance.report
            counts = self._counts()
            if report is None:
                return {
                    'expected_wrong': None,
                    'good_enough': False,
                    'next': None,
                    'doubtful': [],
                    'revision': -1,
                    'computing': bool(self.state.tracks),
                    **counts,
                }
            return {
                'expected_wrong': report.expected_wrong,
                'good_enough': self._is_good(report, target),
                'next': report.next,
                'doubtful': report.doubtful,
                'revision': report.revision,
                'computing': report.revision < self.revision or self.settled < self.revision,
                **counts,
            }

    def edit(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do an edit of a page.

        Args:
            request: ``{"id", "page", "revision", "edit"}``.

        Returns:
            The answer to the page.

        Raises:
            InputError: If it cannot be done; nothing has changed then.
            StaleEditError: If the page does not know of an edit to the same pose.
        """
        edit_id, page, revision = _checked(request)
        with self.lock:
            if edit_id in self._known_ids:
                return self._answer(None, self._known_ids[edit_id], request['edit'])
            reader = EditReader(request['edit'], self.state, self._shown, self.presets)
            people, frames = reader.touches()
            self._refuse_stale(page, revision, reader.type, people, frames)
            steps, clicks = reader.steps(), reader.clicks()
            change, person = self._perform(steps)
            if reader.type in ('undo', 'redo') and change.labels:
                people = {one for one, _ in change.labels}
                times = [frame for _, frame in change.labels]
                frames = range(min(times), max(times) + 1)
            entry = {
                'id': edit_id,
                'page': page,
                'edit': request['edit'],
                'steps': steps,
                'people': sorted(people),
                'frames': None if frames is None else [frames.start, frames.stop],
                'clicks': clicks,
            }
            try:
                self.journal.append(entry)
            except BaseException:
                self._restore(change.reversed())
                raise
            person = self._added_person(reader.type, steps, person)
            self.failed = None
            touched = self._take_over(steps, change)
            place = min(((frame, one) for one, frame in change.labels), default=None)
            self._count(page, people, frames, clicks)
            self._known_ids[edit_id] = person
            answer = self._answer(touched, person, request['edit'], place)
        self.events.send('edited', revision=self.revision, page=page)
        self.on_change(self)
        return answer

    def _refuse_stale(
        self, page: str, revision: int, kind: str, people: set[int], frames: range | None
    ) -> None:
        for other in self._touched[max(revision, 0) :]:
            if other.page == page:
                continue
            meets = (
                frames is None
                or other.frames is None
                or (max(frames.start, other.frames.start) < min(frames.stop, other.frames.stop))
            )
            same = people & other.people and meets
            if same or kind in ('undo', 'redo') or not (people or other.people):
                raise StaleEditError(
                    'another page has changed this meanwhile, look at it and do it again'
                )
        if revision > self.revision:
            raise StaleEditError('the page is ahead of the project, load it again')

    # Edits.

    def _perform(self, steps: Sequence[Step]) -> tuple[Change, int | None]:
        """Do steps to the labels, all or none; undo and redo too."""
        if steps[0]['do'] in ('undo', 'redo'):
            history = self._history
            pile = history.done if steps[0]['do'] == 'undo' else history.undone
            if not pile:
                raise InputError(f'there is nothing to {steps[0]["do"]}')
            change = pile[-1].reversed() if steps[0]['do'] == 'undo' else pile[-1]
            self._restore(change)
            return change, None
        state = self.state
        people = {step[name] for step in steps for name in _PEOPLE if name in step}
        before = {person: dict(state.tracks.get(person, {})) for person in people}
        skeleton = state.skeleton
        person: int | None = None
        try:
            for step in steps:
                person = perform(step, self.propagator, state)
        except BaseException:
            self._restore(self._changes(before, skeleton).reversed())
            raise
        if person is not None:
            before[person] = {}
        change = self._changes(before, skeleton)
        change.is_identity = any(step['do'] in ('swap', 'merge', 'split') for step in steps)
        return change, person

    def _changes(
        self, before: Mapping[int, Mapping[int, PersonLabel]], skeleton: Skeleton | None
    ) -> Change:
        changed = {}
        for person, track in before.items():
            now = self.state.tracks.get(person, {})
            for frame in track.keys() | now.keys():
                if track.get(frame) is not now.get(frame):
                    changed[person, frame] = track.get(frame), now.get(frame)
        return Change(changed, (skeleton, self.state.skeleton))

    def _restore(self, change: Change) -> None:
        self.state.skeleton = change.skeletons[1] or change.skeletons[0]
        after = {key: label for key, (_, label) in change.labels.items()}
        self.propagator.restore_labels(self.state, after)
        self.state.skeleton = change.skeletons[1]

    def _do(self, kind: str, steps: Sequence[Step]) -> int | None:
        """Do steps of the journal again."""
        change, person = self._perform(steps)
        self._take_over(steps, change)
        return self._added_person(kind, steps, person)

    def _added_person(self, kind: str, steps: Sequence[Step], person: int | None) -> int | None:
        if person is None and kind == 'add_person':
            return int(steps[0]['person'])
        return person

    def _take_over(self, steps: Sequence[Step], change: Change) -> list[list[int]]:
        """Note what was done, show it, and find out what is to be computed again."""
        history = self._history
        if steps[0]['do'] == 'undo':
            history.undone.append(history.done.pop())
        elif steps[0]['do'] == 'redo':
            history.done.append(history.undone.pop())
        else:
            history.done.append(change)
            history.undone.clear()
        return [[frames.start, frames.stop - 1] for frames in self._show_change(change)]

    def _show_change(self, change: Change) -> list[range]:
        if change.skeletons[0] is not change.skeletons[1]:
            self.poses.clear()
        ranges = []
        for person in sorted({person for person, _ in change.labels}):
            track = self.state.tracks.get(person, {})
            earlier = dict(track)
            own = {frame: pair for (one, frame), pair in change.labels.items() if one == person}
            for frame, (before, _) in own.items():
                if before is None:
                    earlier.pop(frame, None)
                else:
                    earlier[frame] = before
            affected = self.propagator.affected_frames(self.state, person, earlier)
            if affected:
                ranges.append(affected)
            self.guidance_outdated(person)
            if not track:
                self.poses.pop(person, None)
                continue
            poses = self.poses.get(person) or self._new_poses(person)
            poses.outdate(affected)
            for frame, (_, after) in own.items():
                poses.show_label(frame, after)
            self._urgent = [(one, frames) for one, frames in self._urgent if one != person]
            self._urgent.append((person, affected))
        first = min((frame for _, frame in change.labels), default=None)
        # The page goes to what has changed, which is first.
        return sorted(ranges, key=lambda frames: first not in frames)

    def guidance_outdated(self, person: int) -> None:
        """Let the guidance look at a person again."""
        if hasattr(self, 'guidance'):
            self.guidance.forget(person)

    def _new_poses(self, person: int) -> PersonPoses:
        assert self.state.skeleton is not None
        poses = PersonPoses(len(self.state.frames), self.state.skeleton.num_keypoints)
        self.poses[person] = poses
        return poses

    def _count(self, page: str, people: set[int], frames: range | None, clicks: int) -> None:
        self.revision += 1
        self.clicks += clicks
        self._touched.append(Touched(page, people, frames))

    # What is shown.

    def _shown(self, person: int, frame: int) -> PersonLabel | None:
        poses = self.poses.get(person)
        return None if poses is None else poses.label(frame, person)

    def _answer(
        self,
        touched: list[list[int]] | None,
        person: int | None,
        edit: Any,
        place: tuple[int, int] | None = None,
    ) -> dict[str, Any]:
        frame = edit.get('frame') if isinstance(edit, dict) else None
        if not isinstance(frame, int):
            frame = -1 if place is None else place[0]
        known = 0 <= frame < len(self.state.frames)
        return {
            'revision': self.revision,
            'touched': touched or [],
            'persons': self._persons(),
            **self._counts(),
            **({} if person is None else {'person': person}),
            'at': None if place is None else {'frame': place[0], 'person': place[1]},
            'frames': self._frames(range(frame, frame + 1)) if known else {},
        }

    def _frames(self, frames: range) -> dict[str, Any]:
        people = sorted(self.poses.items())
        return {
            str(frame): [
                described
                for person_id, poses in people
                if (described := poses.describe(frame, person_id)) is not None
            ]
            for frame in frames
        }

    def _persons(self) -> list[dict[str, int]]:
        """List the people with the first and last frame in which they are, as far as is known."""
        persons = []
        for person_id, poses in sorted(self.poses.items()):
            there = np.flatnonzero((poses.sources == GIVEN) | (poses.sources == PROPAGATED))
            if len(there) == 0:
                there = np.zeros(1, dtype=np.int64)
            persons.append({'id': person_id, 'first': int(there[0]), 'last': int(there[-1])})
        return persons

    def _counts(self) -> dict[str, Any]:
        labelled = {key for change in self._history.done for key in self._labelled(change)}
        tracks = self.state.tracks
        made = sum(frame in tracks.get(person, {}) for person, frame in labelled)
        return {
            'labels_made': made,
            'clicks': self.clicks,
            'can_undo': bool(self._history.done),
            'can_redo': bool(self._history.undone),
        }

    @staticmethod
    def _labelled(change: Change) -> Iterator[tuple[int, int]]:
        if not change.is_identity:
            yield from (key for key, (_, after) in change.labels.items() if after is not None)

    def _is_good(self, report: GuidanceReport, target: float) -> bool:
        return (
            bool(self.state.tracks)
            and self.settled == self.revision == report.revision
            and report.expected_wrong <= 1 - target
        )

    # What is written.

    def collect(self) -> tuple[VideoLabels, Callable[[int], float] | None]:
        """Return everyone's labels and poses in all frames, and the clock of the video.

        It is what the command line writes for these labels; what the background work has not come
        to is computed here.

        Raises:
            InputError: If nothing is labelled.
        """
        with self.lock:
            results = self.propagator.propagate_in_video(self.state)
            base = dataclasses.replace(self.state, tracks=dict(self.state.tracks))
        return self.propagator.collect_labels(base, results), clock_of(self.state.frames)

    # The work in the background.

    def take_urgent(self) -> tuple[int, range] | None:
        """Return the newest correction that was not followed yet: person and frames."""
        with self.lock:
            return self._urgent.pop() if self._urgent else None

    def put_back(self, person: int, frames: range) -> None:
        """Take an interrupted run up again, after newer ones."""
        with self.lock:
            if person in self.poses and person not in {one for one, _ in self._urgent}:
                self._urgent.insert(0, (person, frames))

    def next_pending(self, start: int, length: int) -> tuple[list[int], range] | None:
        """Find poses that are to be computed, from a frame on, then from the first one on.

        Returns:
            The people and the frames; None if there are none.
        """
        with self.lock:
            waiting = np.zeros(len(self.state.frames), dtype=bool)
            for poses in self.poses.values():
                waiting |= poses.pending
            frames = np.flatnonzero(waiting)
            if len(frames) == 0:
                return None
            later = frames[frames >= start]
            first = int((later if len(later) else frames)[0])
            window = range(first, min(first + length, len(waiting)))
            here = slice(window.start, window.stop)
            people = [one for one, poses in self.poses.items() if poses.pending[here].any()]
            return sorted(people), window

    def show_results(self, result: FrameResult) -> bool:
        """Show the computed poses of a frame; return whether any is another one than before.

        The caller holds ``lock``.
        """
        changed = False
        for person in result.persons:
            poses = self.poses.get(person.track_id if person.track_id is not None else -1)
            if poses is not None:
                changed |= poses.show(person)
        return changed

    def given_labels(self) -> VideoLabels | None:
        """Return the given labels, all frames listed; None before there is a skeleton.

        The caller holds ``lock``.
        """
        if self.state.skeleton is None:
            return None
        tracks = self.state.tracks.values()
        persons = [label for track in tracks for _, label in sorted(track.items())]
        return VideoLabels(
            self.state.frames.name, self.state.skeleton, self._listed_frames, tuple(persons)
        )

    def has_places(self) -> bool:
        """Whether any label says where somebody is. The caller holds ``lock``."""
        return any(
            label.has_place for track in self.state.tracks.values() for label in track.values()
        )

    def show_nobody(self) -> None:
        """Show that nobody has a place: all labels were taken back but those of absence.

        The caller holds ``lock``.
        """
        for poses in self.poses.values():
            poses.visibility[:] = 0
            poses.joint_sources[:] = poses.sources[:] = ABSENT
            poses.pending[:] = False

    def close(self) -> None:
        """Let go of the files."""
        self.events.close()
        self.pictures.close()
        with self.lock:
            self.journal.close()


_PEOPLE = ('person', 'one', 'other', 'into')


def _checked(request: dict[str, Any]) -> tuple[str, str, int]:
    edit_id, page, revision = request.get('id'), request.get('page'), request.get('revision')
    if 'edit' not in request:
        raise InputError('an edit is missing: {"id", "page", "revision", "edit"} are needed')
    for name, value in (('id', edit_id), ('page', page)):
        if not isinstance(value, str) or not 1 <= len(value) <= 100:
            raise InputError(f'an edit needs {name}, a text of 1 to 100 characters')
    if isinstance(revision, bool) or not isinstance(revision, int) or revision < 0:
        raise InputError('an edit needs revision, the whole number that the page knows')
    assert isinstance(edit_id, str)
    assert isinstance(page, str)
    # What is not text cannot be in the journal.
    json.dumps([edit_id, page]).encode()
    return edit_id, page, revision


def describe_skeleton(skeleton: Skeleton) -> dict[str, Any]:
    """Describe a skeleton for the page."""
    return {
        'joints': [*skeleton.keypoint_names],
        'limbs': [list(limb) for limb in skeleton.limbs],
        'parents': [*skeleton.parents],
        'flip': [*skeleton.flip_indices],
        'category': skeleton.category,
    }
