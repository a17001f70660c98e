"""Proofreading of a result: what may be wrong in it, worst first, and what is written back.

All poses of the result are the labels of the video, 'propagated' until a person corrects, accepts
or confirms them. Nothing is computed between them, and everything else keeps its digits.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.atomic import write_text
from stdpose_mm.io.disk.outputs import changes_file
from stdpose_mm.io.labels.rewriting import LabelRewriter
from stdpose_mm.labelling.propagation import Tracks
from stdpose_mm.labelling.review import CarriedPoses, Doubt, check_poses
from stdpose_mm.labelling.review.pose_checks import with_joints
from stdpose_mm.structures import NOT_LABELLED, PersonLabel, VideoFrame, VideoLabels, person_box
from stdpose_mm.structures.video_labels import forget_joints
from stdpose_mm.text import ranges

from .edits import Change, EditHistory, JournalEntry
from .guidance import NUM_CHECKS, GuidanceReport
from .messages import SHOWN_DECIMALS, Check, DraftPose, Edit

REFUSED = ('forget', 'add_person', 'set_skeleton')
"""Edits that would add poses to a result, or leave places in it to be computed."""

NOTHING_ADDED = (
    'poses of a result are corrected here, not added or computed: correct another one, mark the '
    'person as absent, or undo'
)

_WORDS = {
    'accept_proposal': 'accepted proposal',
    'exchange_sides': 'sides exchanged by hand',
    'swap': 'people exchanged by hand',
}
"""Reasons of changes by the type of the edit; others are corrections by hand."""

_OF_PEOPLE = ('people exchanged', 'sides exchanged', 'doubled')
"""Doubts that another place of a joint does not answer."""

AROUND, SHORT, LONGEST = 3, 12, 100
"""Frames on each side of a doubt that tell its joints; most frames of a doubt that does not wait
for others, and for which pictures propose anything at all."""

_COLUMNS = ('frame', 'person', 'joint', 'from_x', 'from_y', 'from_score', 'to_x', 'to_y')


def as_estimates(labels: VideoLabels) -> VideoLabels:
    """Mark all poses of a result as estimates, unless some are marked so already."""
    if any(person.has_propagated_joint for person in labels.persons):
        return labels
    persons = [p.with_source('propagated') if p.has_joint else p for p in labels.persons]
    return labels.with_persons(persons)


class Proofreading:
    """The doubts about a result, and its way back into its file.

    Callers hold the lock of the video, but for :meth:`check` and :meth:`carry`.

    Args:
        rewriter: Writes the poses back; its labels are the result, on the frames of the video.
        state: The video, whose labels are those of the result and what edits have made of them.
        history: The edits.
    """

    def __init__(
        self, rewriter: LabelRewriter, state: PropagationState, history: EditHistory
    ) -> None:
        self._rewriter, self._state, self._history = rewriter, state, history
        self._labels = rewriter.labels
        self._doubts: dict[str, Doubt] = {}
        self._checked: Tracks = {}
        self._carried = CarriedPoses(state.frames)
        # People whom flow has carried since they were checked.
        self._carried_people: set[int] = set()
        # Doubts that pictures have proposed something for, and the labels that it followed from.
        self._proposed: dict[str, Mapping[int, PersonLabel]] = {}

    # What may be wrong.

    def check(self, tracks: Tracks) -> tuple[set[int], list[Doubt]]:
        """Check the tracks that have changed since the last time, and the people named with them.

        Args:
            tracks: Copies of the labels.

        Returns:
            The people who were checked, and the doubts about them, for :meth:`renew`.
        """
        changed, self._carried_people = self._carried_people, set()
        changed |= {
            track_id
            for track_id in {*tracks, *self._checked}
            if not _same_labels(tracks.get(track_id, {}), self._checked.get(track_id, {}))
        }
        near = [_people_of(doubt) for doubt in self._doubts.values()]
        checked = changed.union(*(people for people in near if people & changed))
        people = [label for i in sorted(checked & tracks.keys()) for label in tracks[i].values()]
        frames = tuple(VideoFrame(frame) for frame in range(len(self._state.frames)))
        labels = VideoLabels(self._labels.name, self._labels.skeleton, frames, tuple(people))
        size = self._state.frames.size
        doubts = check_poses(labels, size, self._carried) if people else []
        self._checked = tracks
        return checked, doubts

    def renew(self, checked: set[int], doubts: Iterable[Doubt]) -> None:
        """Replace the doubts about some people; what pictures have proposed stays.

        Args:
            checked: The people.
            doubts: All doubts about them.
        """
        renewed = {_name_of(doubt): doubt for doubt in doubts}
        for name, doubt in self._doubts.items():
            if not _people_of(doubt) <= checked or (name in renewed and name in self._proposed):
                renewed[name] = doubt
        self._doubts = dict(sorted(renewed.items(), key=lambda item: -item[1].size))

    def carry(self, tracks: Tracks) -> Iterator[int]:
        """Carry poses by optical flow, see :meth:`CarriedPoses.carry`, for the next check.

        Args:
            tracks: Copies of the labels.
        """
        people = self._carried.people_to_carry(tracks)
        for frame in self._carried.carry(tracks):
            # Another thread may check these people before all their poses are carried.
            self._carried_people |= people
            yield frame

    def has_carried(self, tracks: Tracks) -> bool:
        """Tell whether all poses are carried, and somebody was not checked since."""
        return bool(self._carried_people) and not self._carried.people_to_carry(tracks)

    def report(self, revision: int) -> GuidanceReport:
        """Report the worst open doubts."""
        opened = [*self._open()]
        checks: list[Check] = [
            {
                'frame': doubt.frames[0],
                'person': doubt.track_id,
                'reason': self._describe(doubt),
                'score': round(1 - doubt.size, 3),
                'draft': name,
            }
            for name, doubt in opened[:NUM_CHECKS]
        ]
        return GuidanceReport(
            revision,
            checks=checks,
            num_doubtful=len(opened),
            is_measured=True,
            labels_made=self._history.counts()['labels_made'],
        )

    def _open(self) -> Iterator[tuple[str, Doubt]]:
        """Yield the doubts that nobody has answered, worst first."""
        settled = self._history.settled_doubts()
        for name, doubt in self._doubts.items():
            if name not in settled and not self._is_corrected(doubt):
                yield name, doubt

    def _is_corrected(self, doubt: Doubt) -> bool:
        """Tell whether a person has placed or accepted all joints of a doubt."""
        track = self._state.tracks.get(doubt.track_id, {})
        joints = [*doubt.joints] or slice(None)
        labels = [track[frame] for frame in doubt.frames if frame in track]
        return all(bool(p.given[joints].any() and not p.propagated[joints].any()) for p in labels)

    def _describe(self, doubt: Doubt) -> str:
        skeleton = self._labels.skeleton
        joints = ', '.join(skeleton.keypoint_names[joint] for joint in doubt.joints[:4])
        other = '' if doubt.other_id is None else f' with {skeleton.category} {doubt.other_id}'
        frames = f'frame{"s" * (len(doubt.frames) > 1)} {ranges(doubt.frames)}'
        more = f', {len(doubt.joints)} joints' if len(doubt.joints) > 4 else ''
        what = '' if not joints else f': {joints}{more}'
        return f'{doubt.reason}{other}, {frames}{what}'

    def next_to_propose(self) -> tuple[str, Doubt, dict[int, PersonLabel]] | None:
        """Find the worst listed doubt about joints for which pictures have proposed nothing.

        Returns:
            Its name, the doubt, and the labels around it, without the joints that are in doubt.
        """
        opened = [*self._open()]
        waiting = [
            (name, doubt)
            for name, doubt in opened[:NUM_CHECKS]
            if name not in self._proposed
            and doubt.reason not in _OF_PEOPLE
            and doubt.frames[-1] - doubt.frames[0] < LONGEST
        ]
        if not waiting:
            return None
        name, doubt = min(waiting, key=lambda named: len(named[1].frames) > SHORT)
        frames = range(doubt.frames[0] - AROUND, doubt.frames[-1] + AROUND + 1)
        track = self._state.tracks[doubt.track_id]
        labels = {frame: track[frame] for frame in frames if frame in track}
        self._proposed[name] = labels
        near = [d for _, d in opened if d.track_id == doubt.track_id]
        return name, doubt, _trusted(labels, [d for d in near if d.reason not in _OF_PEOPLE])

    def propose(self, name: str, poses: Collection[PersonLabel]) -> None:
        """Propose the poses that pictures tell for a doubt; joints without a place stay.

        Args:
            name: The doubt.
            poses: The poses; none if there was no search, or it was interrupted.
        """
        doubt = self._doubts.get(name)
        track = {} if doubt is None else self._state.tracks.get(doubt.track_id, {})
        if doubt is None or any(track.get(f) is not p for f, p in self._proposed[name].items()):
            del self._proposed[name]
            return
        proposals = []
        for pose in poses:
            label = track.get(pose.frame_index)
            joints = [*doubt.joints] or [*range(len(pose.visibility))]
            places = {joint: pose.keypoints[joint] for joint in joints if pose.labelled[joint]}
            if label is not None and places:
                proposals.append(with_joints(label, places))
        if proposals:
            self._doubts[name] = replace(doubt, proposals=tuple(proposals))

    def describe(self, frames: Collection[int]) -> dict[str, list[DraftPose]]:
        """Describe the open doubts of frames for the page, as drafts of what is proposed."""
        described: dict[str, list[DraftPose]] = {}
        for name, doubt in self._open():
            for frame in doubt.frames:
                label = self._state.tracks.get(doubt.track_id, {}).get(frame)
                if frame in frames and label is not None and label.is_located:
                    described.setdefault(str(frame), []).append(self._draft(name, doubt, label))
        return described

    def _draft(self, name: str, doubt: Doubt, label: PersonLabel) -> DraftPose:
        proposal = next(
            (
                p
                for p in doubt.proposals
                if (p.frame_index, p.track_id) == (label.frame_index, doubt.track_id)
            ),
            None,
        )
        points = np.zeros((len(label.visibility), 4))
        if proposal is not None:
            joints = [*doubt.joints] or slice(None)
            points[joints, :2] = proposal.keypoints[joints].round(SHOWN_DECIMALS)
            points[joints, 2] = proposal.visibility[joints]
        return {
            'id': name,
            'person': doubt.track_id,
            'keypoints': points.tolist(),
            'box': person_box(label).round(SHOWN_DECIMALS).tolist(),
            'reason': self._describe(doubt),
        }

    # Edits.

    def complete(self, edit: Edit) -> tuple[Edit, Doubt | None]:
        """Name the person and the frames of an edit that answers a doubt, and return the doubt.

        Raises:
            InputError: If there is no such doubt, or the edit is none of proofreading.
        """
        if edit['type'] in REFUSED:
            raise InputError(NOTHING_ADDED)
        if edit['type'] == 'accept':
            # Unlike a label, a pose of a result keeps its scores.
            pose = Doubt((edit.get('frame', -1),), edit.get('person', -1), 'low score', 0.5)
            return {**edit, 'type': 'confirm'}, pose
        if edit['type'] not in ('accept_proposal', 'confirm'):
            return edit, None
        doubt = self._doubts.get(edit.get('draft', ''))
        if doubt is None or not _people_of(doubt) <= self._state.tracks.keys():
            raise InputError('this doubt is answered already, go to another one')
        first, last = doubt.frames[0], doubt.frames[-1]
        named: Edit = {'person': doubt.track_id, 'last': last, 'reason': doubt.reason}  # type: ignore[typeddict-item]
        return {**edit, 'frame': first, **named}, doubt

    def require_room(self, change: Change) -> None:
        """Check that the result's file has room for changed poses.

        Raises:
            InputError: If it has not.
        """
        tracks = self._state.tracks
        for frame in {frame for _, frame in change.labels}:
            labels = [track[frame] for track in tracks.values() if frame in track]
            self._rewriter.require_room(frame, [label for label in labels if label.has_joint])

    # Writing.

    @property
    def is_folder(self) -> bool:
        """Whether the result is a folder of files."""
        return self._rewriter.path.is_dir()

    def collect(self) -> VideoLabels:
        """Return the poses as they are now."""
        persons = [label for track in self._state.tracks.values() for label in track.values()]
        return self._labels.with_persons(sorted(persons, key=lambda p: p.frame_index))

    def write(
        self,
        path: Path,
        out: Path,
        labels: VideoLabels,
        time_of: Callable[[int], float] | None,
    ) -> None:
        """Write the result back, and the list of changes beside ``out``.

        Raises:
            InputError: If they cannot be written.
        """
        before_edits, tracks = self._labels.tracks(), labels.tracks()
        self._rewriter.write(path, tracks, time_of)
        reasons: dict[tuple[int, int], str] = {}
        for entry, change in self._history.in_effect():
            reasons |= dict.fromkeys(change.labels, _reason_of(entry))
        text = io.StringIO(newline='')
        table = csv.writer(text, lineterminator='\n')
        table.writerow([*_COLUMNS, 'to_score', 'why'])
        for key in sorted(reasons, key=lambda key: key[::-1]):
            track_id, frame = key
            before = before_edits.get(track_id, {}).get(frame)
            after = tracks.get(track_id, {}).get(frame)
            for joint, name in enumerate(self._labels.skeleton.keypoint_names):
                was, now = _cells(before, joint), _cells(after, joint)
                if was != now:
                    table.writerow([frame, track_id, name, *was, *now, reasons[key]])
        write_text(changes_file(out), text.getvalue())


def _trusted(
    labels: Mapping[int, PersonLabel], doubts: Collection[Doubt]
) -> dict[int, PersonLabel]:
    """Return labels as given ones, without the joints that are in doubt."""
    given = {frame: p.with_source('given') for frame, p in labels.items() if p.has_joint}
    for doubt in doubts:
        for frame in given.keys() & {*doubt.frames}:
            joints = [*doubt.joints] or [*range(len(given[frame].visibility))]
            given[frame] = forget_joints(given[frame], joints)
    return {frame: label for frame, label in given.items() if label.has_joint}


def _people_of(doubt: Doubt) -> set[int]:
    return {doubt.track_id} if doubt.other_id is None else {doubt.track_id, doubt.other_id}


def _same_labels(track: Mapping[int, PersonLabel], other: Mapping[int, PersonLabel]) -> bool:
    return track.keys() == other.keys() and all(track[f] is other[f] for f in track)


def _name_of(doubt: Doubt) -> str:
    """Name a doubt so that it is known again after the next check."""
    parts = doubt.reason, doubt.track_id, doubt.other_id, doubt.frames, doubt.joints
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def _reason_of(entry: JournalEntry) -> str:
    edit = entry['edit']
    word = _WORDS.get(edit['type'], 'corrected by hand')
    reason = edit.get('reason')
    return f'{word}: {reason}' if reason else word


def _cells(person: PersonLabel | None, joint: int) -> tuple[str, str, str]:
    """Return x, y and score of a joint as texts."""
    if person is None or person.visibility[joint] == NOT_LABELLED:
        return '', '', ''
    score = '' if person.scores is None else repr(float(person.scores[joint]))
    x, y = map(repr, person.keypoints[joint].tolist())
    return x, y, score
