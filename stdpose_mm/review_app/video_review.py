"""One video under review: its labels, its shown poses, its edits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock
from typing import Any

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import atomic_path
from stdpose_mm.io.fingerprint import path_fingerprint
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video import clock_of
from stdpose_mm.structures import Skeleton, VideoFrame, VideoLabels

from .edit_log import EditLog, EditRequest, EditScope, StaleEditError
from .edits import EditReader, Step
from .events import EventStream
from .guidance import Guidance, GuidanceReport
from .journal import Journal
from .label_history import Change, LabelHistory
from .pictures import PictureReader
from .shown_poses import ShownPoses
from .timeline import heat, person_heat, runs_of

MAX_POSES = 600
"""Maximum number of frames in one answer with poses."""

EDITS_BEFORE_FORGETTING = 200
"""Edits after which gaps in memory are forgotten; until then undoing computes none again."""


@dataclass(frozen=True)
class VideoFiles:
    """Hold what the page shows about the files of a video.

    Args:
        labels: Name of the label file; None for an unlabelled video.
        out: Where labels are saved.
    """

    labels: str | None
    out: Path


class VideoReview:
    """Hold one video under review; any thread may call any method.

    Args:
        propagator: Computes the poses between labels.
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
        self._writing = Lock()
        self.events = EventStream()
        self.pictures = PictureReader(state.frames)
        self.settled = -1
        self.failed: str | None = None
        self._forgot_at = 0
        self._labels = LabelHistory(propagator, state)
        self._log = EditLog()
        self.shown = ShownPoses(propagator, state)
        if labels is not None:
            self.shown.show_file(labels)
        self.on_change: Callable[[VideoReview], None] = lambda review: None
        self.view = 0
        self._listed_frames = tuple(VideoFrame(frame) for frame in range(len(state.frames)))
        self.guidance = Guidance(propagator.method)
        for entry in journal.entries:
            self._replay(entry)
        self.shown.forget_edits()
        self.saved = journal.saves.get(path_fingerprint(files.out))
        """Revision of the labels in the output file; None if it is not there."""

    def require_own_output(self) -> None:
        """Check that saving replaces nothing but what was saved from here.

        Raises:
            InputError: If the output file is another one, or was changed by another program.
        """
        content = path_fingerprint(self.files.out)
        if content and content not in self.journal.saves:
            raise InputError(
                f'{self.files.out} is there already and is not what was saved from '
                f'{self.journal.path}, so that saving would replace it: give another --out, or '
                'move it away'
            )

    def _replay(self, entry: dict[str, Any]) -> None:
        try:
            page, edit = str(entry['page']), entry['edit']
            people, frames = set(entry['people']), entry['frames']
            clicks, edit_id = int(entry['clicks']), entry['id']
            person = self._do(str(edit['type']), entry['steps'], edit_id)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f'{self.journal.path}: edit {self.revision + 1} cannot be done again ({error}), '
                'give the files and options of before, or another file with --project to begin '
                'anew'
            ) from None
        assert isinstance(edit, dict)
        scope = EditScope(people, None if frames is None else range(*frames))
        self._log.add(edit_id, page, scope, clicks, person)

    @property
    def revision(self) -> int:
        """Return the number of edits."""
        return self._log.revision

    # Requests of pages.

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
                'persons': self.shown.persons(),
                'revision': self.revision,
                'settled': self.settled,
                'saved': self.saved,
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
            return {
                'revision': self.revision,
                'frames': self.shown.describe(range(first, last + 1)),
            }

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
        if person is not None and person not in self.shown.of:
            raise InputError(f'there is no person {person}')
        with self.lock:
            names = () if self.state.skeleton is None else self.state.skeleton.keypoint_names
            frames = range(first, last + 1)
            persons = []
            for person_id, poses in sorted(self.shown.of.items()):
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
        """Describe what to do next, and whether the poses are good enough."""
        with self.lock:
            report = self.guidance.report
            always = {
                'evidence': self.propagator.describe_doubts(self.state),
                **self._counts(),
            }
            if report is None:
                return {
                    'expected_wrong': None,
                    'labels_needed': None,
                    'good_enough': False,
                    'next': None,
                    'doubtful': [],
                    'num_doubtful': 0,
                    'measured': None,
                    'revision': -1,
                    'computing': bool(self.state.tracks),
                    **always,
                }
            return {
                'expected_wrong': report.expected_wrong,
                'labels_needed': report.labels_needed(target),
                'good_enough': self._is_good(report, target),
                'next': report.next,
                'doubtful': report.doubtful,
                'num_doubtful': report.num_doubtful,
                'measured': report.measured,
                'revision': report.revision,
                'computing': report.revision < self.revision or self.settled < self.revision,
                **always,
            }

    def edit(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do an edit of a page.

        Args:
            request: ``{"id", "page", "revision", "edit"}``.

        Returns:
            The answer to the page.

        Raises:
            InputError: If the edit cannot be done; nothing is changed then.
            StaleEditError: If the page does not know of an edit to the same pose.
        """
        asked = EditRequest.from_json(request)
        with self.lock:
            if asked.id in self._log:
                return self._answer(None, self._log.person_of(asked.id), asked.edit)
            reader = EditReader(asked.edit, self.state, self.shown.label, self.presets)
            scope = EditScope(*reader.touches())
            self._log.refuse_stale(asked, reader.type, scope)
            if reader.of is not None and reader.of != self._labels.next_to(reader.type):
                raise StaleEditError(
                    f'another page has made edits since, so there is nothing here to {reader.type}'
                )
            steps, clicks = reader.steps(), reader.clicks()
            change, person = self._labels.perform(steps)
            if reader.type in ('undo', 'redo') and change.labels:
                times = [frame for _, frame in change.labels]
                scope = EditScope(set(change.people), range(min(times), max(times) + 1))
            frames = scope.frames
            entry = {
                'id': asked.id,
                'page': asked.page,
                'edit': asked.edit,
                'steps': steps,
                'people': sorted(scope.people),
                'frames': None if frames is None else [frames.start, frames.stop],
                'clicks': clicks,
            }
            try:
                self.journal.append(entry)
            except BaseException:
                self._labels.roll_back(change)
                raise
            self._labels.commit(steps, change, asked.id)
            self.failed = None
            touched = [[frames.start, frames.stop - 1] for frames in self._show_change(change)]
            place = min(((frame, one) for one, frame in change.labels), default=None)
            person = _added_person(reader.type, steps, person)
            self._log.add(asked.id, asked.page, scope, clicks, person)
            answer = self._answer(touched, person, asked.edit, place)
        self.events.send('edited', revision=self.revision, page=asked.page)
        self.on_change(self)
        return answer

    # Edits.

    def _do(self, kind: str, steps: Sequence[Step], edit_id: str) -> int | None:
        """Apply steps from the journal again."""
        change, person = self._labels.perform(steps)
        self._labels.commit(steps, change, edit_id)
        self._show_change(change)
        return _added_person(kind, steps, person)

    def _show_change(self, change: Change) -> list[range]:
        touched = self.shown.follow(change)
        # Poses of other people may depend on these labels, too.
        waiting = [person for person, poses in self.shown.of.items() if poses.pending.any()]
        for person in (*change.people, *waiting):
            self.guidance.forget(person)
        return touched

    # What is shown.

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
            'persons': self.shown.persons(),
            **self._counts(),
            **({} if person is None else {'person': person}),
            'at': None if place is None else {'frame': place[0], 'person': place[1]},
            'frames': self.shown.describe([frame]) if known else {},
        }

    def _counts(self) -> dict[str, Any]:
        return {
            'labels_made': self._labels.num_labels_made,
            'clicks': self._log.clicks,
            'can_undo': self._labels.can_undo,
            'can_redo': self._labels.can_redo,
        }

    def _is_good(self, report: GuidanceReport, target: float) -> bool:
        return (
            bool(self.state.tracks)
            and self.settled == self.revision == report.revision
            # What is expected may be less when it was measured for the first time.
            and (self.guidance.measured_revision == self.revision or report.measured is not None)
            and report.expected_wrong is not None
            and report.expected_wrong <= 1 - target
        )

    # What is written.

    def collect(self) -> tuple[VideoLabels, Callable[[int], float] | None]:
        """Return everyone's labels and poses in all frames, and the clock of the video.

        The result equals what the command line writes for these labels; poses that the background
        work has not computed yet are computed here.

        Raises:
            InputError: If nothing is labelled.
        """
        with self.lock:
            results = self.propagator.propagate_in_video(self.state)
            base = dataclasses.replace(self.state, tracks=dict(self.state.tracks))
        return self.propagator.collect_labels(base, results), clock_of(self.state.frames)

    def save(self) -> int:
        """Write :meth:`collect` to its file.

        Returns:
            The revision whose edits are surely in the file.

        Raises:
            InputError: If nothing is labelled, the file or the journal cannot be written, or the
                file is not what was saved before (:meth:`require_own_output`).
        """
        with self._writing:
            self.require_own_output()
            revision = self.revision
            with atomic_path(self.files.out) as temporary:
                self._write(temporary)
                # Noted before it is there: a server that is killed now still knows its own file.
                with self.lock:
                    self.journal.add_save(path_fingerprint(temporary), revision)
            self.saved = revision
        return revision

    def write(self, path: Path, format: str | None = None) -> None:
        """Write :meth:`collect`, in the format of the path's suffix by default.

        Of several at once, the last has the newest labels. Errors name the file alone.

        Raises:
            InputError: If nothing is labelled, or the file cannot be written.
        """
        with self._writing:
            try:
                self._write(path, format)
            except InputError as error:
                raise InputError(str(error).replace(str(path), path.name)) from None

    def _write(self, path: Path, format: str | None = None) -> None:
        labels, time_of = self.collect()
        write_labels(labels, path, format, time_of)

    # The work in the background.

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

    def has_start(self) -> bool:
        """Tell whether poses can be propagated from any label. The caller holds ``lock``."""
        return any(
            label.has_joint_or_box
            for track in self.state.tracks.values()
            for label in track.values()
        )

    def forget_unused(self) -> None:
        """Forget gaps of former labels, once there were many edits.

        The caller holds ``lock``, and has computed all poses.
        """
        if self.revision - self._forgot_at >= EDITS_BEFORE_FORGETTING and self.has_start():
            self._forgot_at = self.revision
            # A run over all frames does so before it yields the first.
            next(self.propagator.propagate_in_video(self.state))

    def close(self) -> None:
        """End the event streams, and close the files."""
        self.events.close()
        self.pictures.close()
        with self.lock:
            self.journal.close()


def _added_person(kind: str, steps: Sequence[Step], person: int | None) -> int | None:
    """Return the person that an edit created, by a split or a first label; else None."""
    if person is None and kind == 'add_person':
        return int(steps[0]['person'])
    return person


def describe_skeleton(skeleton: Skeleton) -> dict[str, Any]:
    """Describe a skeleton for the page."""
    return {
        'joints': [*skeleton.keypoint_names],
        'limbs': [list(limb) for limb in skeleton.limbs],
        'parents': [*skeleton.parents],
        'flip': [*skeleton.flip_indices],
        'category': skeleton.category,
    }
