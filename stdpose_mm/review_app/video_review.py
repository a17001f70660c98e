"""One video under review: its labels, its shown poses, its edits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from threading import Lock, RLock
from typing import Any

import numpy as np

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError, collected_notes
from stdpose_mm.io.disk.atomic import atomic_path
from stdpose_mm.io.fingerprint import fingerprint, path_fingerprint
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.labels.known_skeletons import KNOWN_SKELETONS
from stdpose_mm.io.labels.rewriting import LabelRewriter
from stdpose_mm.io.video import clock_of, known_times
from stdpose_mm.labelling.propagation import BasePropagator
from stdpose_mm.labelling.review import Doubt, LabelWarning, place_pose
from stdpose_mm.structures import VISIBLE, Skeleton, VideoFrame, VideoLabels

from .drafts import Drafts, DraftSources, read_box
from .edits import Change, EditHistory, EditReader, JournalEntry, read_request
from .excerpts import clip_state
from .guidance import Guidance
from .journal import Journal
from .messages import (
    SHOWN_DECIMALS,
    DraftAnswer,
    EditAnswer,
    EventStream,
    GuidanceAnswer,
    Place,
    PlacedPose,
    Poses,
    SkeletonData,
    Timeline,
    Traced,
    Video,
    VideoState,
    WorkProgress,
)
from .pictures import PictureReader
from .proofreading import NOTHING_ADDED, Proofreading
from .scene import Scene
from .shown_poses import ShownPoses

MAX_POSES = 600
"""Maximum number of frames in one answer with poses."""

_SHOWN_SECONDS = 0.01
"""Seconds that the page tells apart."""

PoseVersion = tuple[int, BasePropagator, range]

EDITS_BEFORE_FORGETTING = 200
"""Edits after which gaps in memory are forgotten; until then undoing needs no computation."""


class VideoReview:
    """One video under review; any thread may call any method.

    Args:
        propagator: The propagator that computes the poses between labels.
        state: The video with the labels of its file.
        labels: Its labels, if any; their propagated poses are shown until they are recomputed.
        journal: The edits.
        out: File to which labels are saved.
        sources: Where drafts come from, if there are any.
        scene: The scene of which it is a view, if its camera is calibrated.
        number: Number of the video in the project.
        rewriter: Writes a result back that is proofread; None for other labels.

    Raises:
        InputError: If the journal does not fit the labels.
    """

    def __init__(
        self,
        propagator: VideoPosePropagator,
        state: PropagationState,
        labels: VideoLabels | None,
        journal: Journal,
        out: Path,
        sources: DraftSources | None = None,
        scene: Scene | None = None,
        number: int = 0,
        rewriter: LabelRewriter | None = None,
    ) -> None:
        self.scene = scene or Scene({})
        self.number = number
        self.propagator = propagator
        self.state = state
        self.journal = journal
        self.out = out
        self.lock = RLock()
        self._writing = Lock()
        self.events = EventStream()
        self.pictures = PictureReader(state.frames)
        self.guidance = Guidance(propagator.method, state.frames.size)
        self.on_change: Callable[[VideoReview], None] = lambda review: None
        self._listed_frames = tuple(VideoFrame(frame) for frame in range(len(state.frames)))
        self.view = 0
        self.writing: _Writing | None = None
        self.excerpt = range(len(state.frames))
        self._advised: PoseVersion | None = None
        self.settled = -1
        self.failed: str | None = None
        self._forgot_at = 0
        self._history = EditHistory(propagator, state)
        self.proofreading: Proofreading | None = None
        if rewriter is not None:
            self.proofreading = Proofreading(rewriter, state, self._history)
        self.shown = ShownPoses(propagator, state, are_labels=rewriter is not None)
        self.drafts = Drafts(
            propagator,
            state,
            self.shown,
            self._history,
            self.lock,
            sources or DraftSources(),
            lambda: self.scene.drafts(number),
        )
        if labels is not None and rewriter is None:
            self.shown.show_file(labels)
        for number, entry in enumerate(journal.entries):
            try:
                self._replay(entry)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                problem = str(error)
            else:
                continue
            journal.cut_off_edit(number, problem)
            break
        self.shown.forget_edits()
        self.shown.sketch(self.shown.of)
        self._publish()
        revision, network = journal.saves.get(path_fingerprint(out), (None, None))
        self.saved = -1 if revision is not None and network != self._network else revision
        """Revision of the labels in the output file; -1 if its poses differ from those shown now,
        None if there is no file."""

    def _replay(self, entry: JournalEntry) -> None:
        change = self._history.perform(entry['steps'])
        self._history.commit(entry, change)
        self._show_change(change)

    def _publish(self) -> None:
        """Tell the other views of the scene which labels there are."""
        num_frames = len(self.state.frames)
        self.scene.publish(self.number, self.state.skeleton, self.state.tracks, num_frames)

    @property
    def revision(self) -> int:
        """Return the number of edits."""
        return self._history.revision

    @property
    def labels_made(self) -> int:
        """Return the number of labels that were made on the page."""
        return self._history.counts()['labels_made']

    @property
    def pose_version(self) -> PoseVersion:
        """Return what the poses follow from: number of edits, propagator, and excerpt."""
        return self.revision, self.propagator.propagator, self.excerpt

    @property
    def is_whole(self) -> bool:
        """Tell whether the whole video is worked on, not an excerpt of it."""
        return len(self.excerpt) == len(self.state.frames)

    def state_of_excerpt(self, open_ends: bool = True) -> PropagationState:
        """Return the video with the labels that the poses follow from, see :func:`clip_state`."""
        return self.state if self.is_whole else clip_state(self.state, self.excerpt, open_ends)

    def set_excerpt(self, first: int, last: int) -> None:
        """Work on some frames only, until another excerpt is set; all poses are computed again.

        Raises:
            InputError: If these are not frames of the video.
        """
        with self.lock:
            self.excerpt = self._frames(first, last)
            saved = self.saved
            self.compute_again()
            self.saved = saved

    @property
    def _network(self) -> str | None:
        """Return the fingerprint of the network in use that has learned from labels, if any."""
        network = self.propagator.learned_network
        return None if network is None else fingerprint(network.record)

    # Requests of pages.

    def describe(self) -> Video:
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
                'times': self._times,
                'skeleton': None if skeleton is None else describe_skeleton(skeleton),
                'skeletons': {
                    name: describe_skeleton(preset) for name, preset in KNOWN_SKELETONS.items()
                },
                'persons': sorted(self.shown.of),
                'revision': self.revision,
                'settled': self.settled,
                'saved': self.saved,
                'excerpt': None if self.is_whole else [self.excerpt[0], self.excerpt[-1]],
                'method': self.propagator.method,
                'failed': self.failed,
                'views': self.scene.others(self.number),
                'proofreading': self.proofreading is not None,
                **self._history.counts(),
            }

    @cached_property
    def _times(self) -> list[float] | None:
        """The seconds of the frames, as exact as the page shows them, if not all are as long."""
        times = np.array(known_times(self.state.frames) or [], float)
        fps = self.state.frames.fps
        if fps and np.abs(times - np.arange(len(times)) / fps).max(initial=0) < _SHOWN_SECONDS / 2:
            return None
        return times.round(3).tolist() or None

    def describe_state(self, target: float) -> VideoState:
        """Describe the video for the list of videos."""
        with self.lock:
            number = sum(
                label.is_located for track in self.state.tracks.values() for label in track.values()
            )
            is_good = number and self.is_whole and self._is_good(target)
            return {
                'frames': len(self.state.frames),
                'people': len(self.state.tracks),
                'labels': number,
                'state': 'good enough' if is_good else 'in work' if number else 'unlabelled',
                'error': None,
            }

    def describe_poses(self, first: int, last: int) -> Poses:
        """Describe the poses of a range of frames.

        Raises:
            InputError: If these are not frames of the video, or too many.
        """
        frames = self._frames(first, last)
        if len(frames) > MAX_POSES:
            raise InputError(f'at most {MAX_POSES} frames can be asked for at once')
        return self._describe_frames(frames)

    def _describe_frames(self, frames: Sequence[int]) -> Poses:
        with self.lock:
            poses, drafts = self.shown.describe(frames), self.drafts.describe(frames)
            if self.proofreading is not None:
                drafts |= self.proofreading.describe({*frames})
            return {'revision': self.revision, 'frames': poses, 'drafts': drafts}

    def describe_timeline(
        self, columns: int, person: int | None, first: int, last: int, trace: Traced = None
    ) -> Timeline:
        """Describe everyone's given, propagated and absent frames, and their scores by column.

        Args:
            columns: Number of columns.
            person: The person whose joints are described one by one; None for nobody.
            first: First frame in the columns.
            last: Last frame in the columns.
            trace: What to describe over time.

        Raises:
            InputError: If there are no such frames, or no such joint.
        """
        frames = self._frames(first, last)
        with self.lock:
            names = () if self.state.skeleton is None else self.state.skeleton.keypoint_names
            if trace is not None and trace[0] >= len(names):
                raise InputError(f'there is no joint {trace[0]}, there are {len(names)} joints')
            report = self.guidance.report
            return {
                'columns': columns,
                'persons': [
                    poses.describe_lane(
                        track_id, frames, columns, names if track_id == person else (), trace
                    )
                    for track_id, poses in sorted(self.shown.of.items())
                ],
                'checks': report.checks,
                'suggestions': self._suggested_frames,
            }

    def describe_guidance(self, target: float) -> GuidanceAnswer:
        """Describe what to do next, and whether the poses are good enough."""
        self._advise()
        with self.lock:
            report, suggestions = self.guidance.report, self.open_suggestions()
            outlook = report.outlook
            return {
                'expected_wrong': None if outlook is None else float(outlook.wrong_after[0]),
                'right': None if outlook is None else outlook.right,
                'labels_needed': None if outlook is None else outlook.labels_needed(target),
                'labels_to_measure': 0 if outlook is None else outlook.labels_to_measure,
                'measuring': self.has_start() and not report.is_measured,
                'good_enough': self._is_good(target),
                'next': suggestions[0] if suggestions else None,
                'suggestions': suggestions,
                'advised': report.revision,
                'labels_judged': report.labels_made,
                'doubtful': report.checks,
                'num_doubtful': report.num_doubtful,
                'measured': report.measured,
                'computing': min(report.revision, self.settled) < self.revision,
                'warnings': [
                    *report.warnings,
                    *map(LabelWarning, self.propagator.evidence_warnings(self.state)),
                    *self.scene.warnings(self.number),
                ],
                **self._history.counts(),
            }

    def _advise(self) -> None:
        """Suggest places by the labels alone if few are left and the poses are still to come."""
        with self.lock:
            is_due = self._advised != self.pose_version
            self._advised = self.pose_version
            if not is_due or len(self.open_suggestions()) > 1 or not self.has_start():
                return
            labels, report = self.given_labels(), self.guidance.report
            is_settled = self.next_pending(0, 1) is None
        if labels is not None and not is_settled:
            self.guidance.advise(report, labels)

    def draft(self, body: dict[str, Any], target: float) -> DraftAnswer:
        """Make or discard drafts, see :meth:`.Drafts.request`.

        Raises:
            InputError: See there; also in proofreading, whose drafts are the proposals.
        """
        if self.proofreading is not None:
            raise InputError(NOTHING_ADDED)
        with self.lock:
            suggested = self._suggested_frames if self.has_start() else None
        frames, message = self.drafts.request(body, suggested, target)
        self.events.send('drafts', first=min(frames), last=max(frames))
        answer = self._describe_frames(frames)
        return {**answer, 'message': '' if answer['drafts'] else message}

    def place_pose(self, body: dict[str, Any]) -> PlacedPose:
        """Place all joints as the nearest labelled pose has them, see :func:`~.review.place_pose`.

        Args:
            body: ``frame``, ``joints`` that were placed as in an edit, ``box`` around the pose
                if there are none, and ``person`` whose label in this frame is no example.

        Raises:
            InputError: If the request cannot be used.
        """
        edit: Any = {**body, 'type': 'set_joints'}
        frame, joints = EditReader(edit, self.state, self.shown.label).placed()
        box = None if joints else read_box(body.get('box'))
        with self.lock:
            names = () if self.state.skeleton is None else self.state.skeleton.keypoint_names
            labels = [
                label
                for person, track in self.state.tracks.items()
                for label in track.values()
                if (person, label.frame_index) != (body.get('person'), frame)
            ]
        anchors = {names.index(name): np.array(joints[name][:2]) for name in joints}
        points, has_place = place_pose(self.state.frames, labels, frame, anchors, box)
        points = np.clip(points, 0, np.array(self.state.frames.size) - 1).round(SHOWN_DECIMALS)
        placed = {names[k]: [*points[k].tolist(), VISIBLE] for k in np.flatnonzero(has_place)}
        return {'joints': {**placed, **joints} if placed else {}}

    def edit(self, body: dict[str, Any]) -> EditAnswer:
        """Perform an edit of a page, see :class:`~.messages.EditRequest`.

        Raises:
            InputError: If the edit cannot be performed; nothing is changed then.
            StaleEditError: If the page does not know of an edit to the same joints.
        """
        request = read_request(body)
        edit_id = request['id']
        with self.lock:
            if edit_id in self._history.new_persons:
                return self._answer(edit_id, request['edit'].get('frame'))
            self.drafts.require_open(request['edit'].get('draft'))
            doubt: Doubt | None = None
            if self.proofreading is not None:
                request['edit'], doubt = self.proofreading.complete(request['edit'])
            are_labels = self.proofreading is not None
            reader = EditReader(request['edit'], self.state, self.shown.label, doubt, are_labels)
            entry = self._history.read(request, reader)
            change = self._history.perform(entry['steps'])
            try:
                if self.proofreading is not None:
                    self.proofreading.require_room(change)
                self.journal.append(entry)
            except BaseException:
                self._history.roll_back(change)
                raise
            self._history.commit(entry, change)
            self._publish()
            self.failed = None
            touched = [[frames.start, frames.stop - 1] for frames in self._show_change(change)]
            self.shown.sketch(change.people)
            first = change.frames.start if change.labels else None
            answer = self._answer(edit_id, request['edit'].get('frame', first))
            answer['touched'] = touched
        self.events.send('edited', revision=self.revision, page=request['page'])
        self.on_change(self)
        return answer

    def _answer(self, edit_id: str, frame: Any) -> EditAnswer:
        # If an edit is sent again, its frame has not been checked.
        is_frame = isinstance(frame, int) and 0 <= frame < len(self.state.frames)
        return {
            **self._describe_frames([frame] if is_frame else []),
            'touched': [],
            'persons': sorted(self.shown.of),
            'person': self._history.new_persons[edit_id],
            'of': self._history.reversed.get(edit_id),
            **self._history.counts(),
        }

    def _show_change(self, change: Change) -> list[range]:
        touched = self.shown.follow(change)
        if change.skeletons[0] is not change.skeletons[1]:
            self.drafts.clear()
            self.guidance.restart()
        # Poses of other people may also depend on these labels.
        waiting = [person for person, poses in self.shown.of.items() if poses.pending.any()]
        for person in (*change.people, *waiting):
            self.guidance.forget(person)
        return touched

    def _frames(self, first: int, last: int) -> range:
        number = len(self.state.frames)
        if not 0 <= first <= last < number:
            raise InputError(
                f'there are no frames {first} to {last}, the video has frames 0..{number - 1}'
            )
        return range(first, last + 1)

    def _is_good(self, target: float) -> bool:
        report = self.guidance.report
        return (
            bool(self.state.tracks)
            and self.settled == self.revision == report.revision
            and report.outlook is not None
            and report.outlook.is_enough(target)
        )

    # Output files.

    def require_own_output(self) -> None:
        """Check that saving replaces only a file that was saved by this project.

        Raises:
            InputError: If the output file comes from elsewhere, or another program changed it.
        """
        content = path_fingerprint(self.out)
        if content and content not in self.journal.saves:
            raise InputError(
                f'{self.out} exists and is not the file that was saved from {self.journal.path}, '
                'but saving would replace it: give another --out, or move it away'
            )

    def collect(
        self, given_only: bool = False
    ) -> tuple[VideoLabels, Callable[[int], float] | None]:
        """Return everyone's labels and their poses in the excerpt, and the clock of the video.

        Without an excerpt, the result is the same as the command line writes for these labels.
        Poses that have not been computed in the background yet are computed here.

        Args:
            given_only: Return the labels alone, which needs no poses.

        Raises:
            InputError: If nothing is labelled, ``writing`` was stopped, or the server is stopping.
        """
        with self.lock:
            if self.proofreading is not None:
                return self.proofreading.collect(), clock_of(self.state.frames)
            self.writing = writing = _Writing(self.events, 'writing', len(self.state.frames))
            writing.is_stopped = self.drafts.closed
            state, excerpt = self.state_of_excerpt(), self.excerpt
            within = None if self.is_whole else excerpt
            # An excerpt may have no labels, but the whole video must.
            people = None if self.is_whole else sorted(state.tracks)
            state = self.state if people == [] else state
            results = self.propagator.propagate_in_video(state, writing, people, within)
            base = dataclasses.replace(self.state, tracks=dict(self.state.tracks))
            others = [
                label
                for track in self.state.tracks.values()
                for frame, label in track.items()
                if given_only or frame not in excerpt
            ]
        try:
            labels = self.propagator.collect_labels(base, () if given_only else results)
        except InputError as error:
            if str(error) != self.failed:
                raise
            raise InputError(
                f'{error}, so nothing was written: mark an excerpt without such frames (Shift+E) '
                'and write again, or export only the given labels (Ctrl+E)'
            ) from None
        persons = sorted([*labels.persons, *others], key=lambda person: person.frame_index)
        labels = labels.with_persons(persons)
        return labels.only_given() if given_only else labels, clock_of(self.state.frames)

    def save(self) -> int:
        """Write :meth:`collect` to its file.

        Returns:
            The revision whose edits are certainly in the file; -1 if it lacks the poses outside of
            an excerpt, or a network was learned meanwhile, so that its poses differ from those
            shown now.

        Raises:
            InputError: If nothing is labelled, the file or the journal cannot be written, or the
                file is not the one saved before (:meth:`require_own_output`).
        """
        with self._writing:
            self.require_own_output()
            version, network = self.pose_version, self._network
            revision = version[0] if self.is_whole else -1
            is_folder = self.proofreading is not None and self.proofreading.is_folder
            with nullcontext(self.out) if is_folder else atomic_path(self.out) as temporary:
                labels, time_of = self.collect()
                if self.proofreading is None:
                    write_labels(labels, temporary, None, time_of)
                else:
                    self.proofreading.write(temporary, self.out, labels, time_of)
                # Recorded before the file exists: even after a kill, the server knows its own file.
                with self.lock:
                    self.journal.add_save(path_fingerprint(temporary), revision, network)
            with self.lock:
                self.saved = revision if self.pose_version[1:] == version[1:] else -1
                return self.saved

    def write(
        self,
        path: Path,
        format: str,
        given_only: bool,
        cvat_tolerance: float | None,
        rate: float | None = None,
    ) -> list[str]:
        """Write :meth:`collect` in a format; ``rate`` is the frame rate of a folder of pictures.

        If several are written at once, the last one has the newest labels. Notes and errors name
        the file without its folder.

        Returns:
            Notes about what the file lacks.

        Raises:
            InputError: If nothing is labelled, or the file cannot be written.
        """
        with self._writing:
            try:
                labels, time_of = self.collect(given_only)
                if time_of is None and rate is not None:
                    time_of = lambda frame: frame / rate  # noqa: E731
                with collected_notes() as notes:
                    write_labels(labels, path, format, time_of, cvat_tolerance)
            except InputError as error:
                raise InputError(str(error).replace(str(path), path.name)) from None
        return [sentence.replace(str(path), path.name) for sentence in notes]

    @property
    def _suggested_frames(self) -> list[int]:
        return list(dict.fromkeys(place['frame'] for place in self.open_suggestions()))

    # Background work; the caller holds ``lock``.

    def open_suggestions(self) -> list[Place]:
        """List the planned frames, then the suggestions of the report, that have no label yet."""
        reason = 'worth labelling first by the motion in the pictures'
        people = self.shown.of or (None,)
        planned: list[Place] = [
            {'frame': frame, 'person': person, 'reason': reason}
            for frame in self.drafts.planned
            for person in people
        ]
        located = self.scene.drafts(self.number)
        return [
            place
            for place in [*planned, *self.guidance.report.suggestions]
            if place['frame'] in self.excerpt
            # What two other views see needs no label by hand.
            and all(draft.person != place['person'] for draft in located.get(place['frame'], []))
            and (place['person'] is None or self.shown.can_label(place['person'], place['frame']))
        ]

    def given_labels(self) -> VideoLabels | None:
        """Return the given labels of the excerpt, with all its frames; None without a skeleton."""
        if self.state.skeleton is None:
            return None
        tracks = self.state_of_excerpt(open_ends=False).tracks.values()
        persons = [label for track in tracks for _, label in sorted(track.items())]
        indices = {*self.excerpt, *(label.frame_index for label in persons)}
        frames = tuple(self._listed_frames[index] for index in sorted(indices))
        return VideoLabels(self.state.frames.name, self.state.skeleton, frames, tuple(persons))

    def compute_again(self) -> None:
        """Recompute all poses and the guidance, after the propagator has changed."""
        with self.lock:
            self.settled = self.saved = -1
            self.shown.outdate_all()
            self.guidance.restart()
            for person in self.shown.of:
                self.guidance.forget(person)
        self.on_change(self)

    def next_pending(self, start: int, length: int) -> tuple[list[int], range] | None:
        """Find poses that must be computed, see :meth:`ShownPoses.next_pending`."""
        people = self.state_of_excerpt().tracks
        return self.shown.next_pending(start, length, people, self.excerpt)

    def has_start(self) -> bool:
        """Tell whether there is a label to propagate poses from."""
        if self.proofreading is not None:
            return False
        tracks = self.state_of_excerpt().tracks.values()
        return any(label.has_joint_or_box for track in tracks for label in track.values())

    def check_result(self, revision: int) -> None:
        """Renew the doubts about a result that is proofread, and tell the pages."""
        assert self.proofreading is not None
        with self.lock:
            tracks = {person: dict(track) for person, track in self.state.tracks.items()}
            self.guidance.is_measured_anew = False
        checked, doubts = self.proofreading.check(tracks)
        with self.lock:
            self.proofreading.renew(checked, doubts)
            self.guidance.report = self.proofreading.report(revision)
        self.events.send('drafts', first=0, last=len(self.state.frames) - 1)

    def forget_unused(self) -> None:
        """Forget gaps of earlier labels after many edits, once all poses are computed."""
        if self.revision - self._forgot_at >= EDITS_BEFORE_FORGETTING and self.has_start():
            self._forgot_at = self.revision
            # A run over all frames forgets them before it yields the first frame.
            next(self.propagator.propagate_in_video(self.state_of_excerpt()))

    def stop(self) -> None:
        """End the event streams, and what is being written."""
        self.drafts.closed = True
        if self.writing is not None:
            self.writing.is_stopped = True
        self.events.close()

    def close(self) -> None:
        """End everything, and close the files."""
        self.stop()
        self.pictures.close()
        with self.lock:
            self.journal.close()


class _Writing(WorkProgress):
    is_stopped = False

    def check(self) -> None:
        if self.is_stopped:
            raise InputError('writing was stopped, so nothing was written')


def describe_skeleton(skeleton: Skeleton) -> SkeletonData:
    """Describe the joints of a video for the page."""
    return {
        'joints': [*skeleton.keypoint_names],
        'limbs': [list(limb) for limb in skeleton.limbs],
        'parents': [*skeleton.parents],
        'flip': [*skeleton.flip_indices],
        'category': skeleton.category,
    }
