"""The poses of everyone in a video as pages show them, and which of them must be computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.frame_result import FrameResult
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.constants import LifeSpan
from stdpose_mm.labelling.propagation.gaps import find_presence_intervals
from stdpose_mm.labelling.propagation.interpolation import interpolate_track
from stdpose_mm.structures import NOT_LABELLED, PersonLabel, Source, VideoLabels

from .edits import Change
from .messages import SHOWN_DECIMALS, Lane, Pose, Quantity, Run, Trace, Traced

LONG_GAP = 2048
"""Number of frames of the gaps that wait for all other gaps."""

UNKNOWN, GIVEN, PROPAGATED, ABSENT = range(4)
"""State of a joint or a person in a frame; unknown before it is computed."""

SOURCES: tuple[Source, ...] = ('absent', 'given', 'propagated', 'absent')
"""Each state as :attr:`PersonLabel.source`."""


class PersonPoses:
    """The poses of one person in all frames.

    Args:
        num_frames: Length F of the video.
        num_keypoints: Number K of joints.

    Attributes:
        keypoints: [F, K, 2] pixels.
        visibility: [F, K] of 0, 1, 2.
        scores: [F, K] in 0..1.
        joint_sources: [F, K] codes such as ``GIVEN``.
        sources: [F] codes of the poses.
        boxes: [F, 4] ``[x, y, w, h]``, NaN where there is none.
        pending: [F] bool: whether the pose must be computed, or computed again.
        sketched: [F] bool: whether it was never computed, and a straight line stands in for it.
        before: Frame -> [K, 2] pixels before the latest correction, NaN where there was no joint.
        right: [F, K] probabilities that joints are right, as the guidance last expected them; None
            before it did.
    """

    def __init__(self, num_frames: int, num_keypoints: int) -> None:
        self.keypoints = np.zeros((num_frames, num_keypoints, 2))
        self.visibility = np.zeros((num_frames, num_keypoints), dtype=np.int8)
        self.scores = np.zeros((num_frames, num_keypoints))
        self.joint_sources = np.zeros((num_frames, num_keypoints), dtype=np.uint8)
        self.sources = np.zeros(num_frames, dtype=np.uint8)
        self.boxes = np.full((num_frames, 4), np.nan)
        self.pending = np.ones(num_frames, dtype=bool)
        self.sketched = np.zeros(num_frames, dtype=bool)
        self.before: dict[int, np.ndarray] = {}
        self.right: np.ndarray | None = None

    def shown_scores(self, frames: int | slice) -> np.ndarray:
        """Return the scores [..., K] that the page shows: those by which frames are in doubt."""
        if self.right is None:
            return self.scores[frames]
        propagated = self.joint_sources[frames] == PROPAGATED
        propagated &= self.visibility[frames] > NOT_LABELLED
        return np.where(propagated, self.right[frames], self.scores[frames])

    def outdate(self, frames: range) -> None:
        """Mark poses for recomputation and remember the old ones."""
        if not frames:
            return
        rows = slice(frames.start, frames.stop)
        is_shown = (self.visibility[rows] > NOT_LABELLED) & ~self.sketched[rows, None]
        is_shown = is_shown[..., None]
        self.before = dict(
            zip(frames, np.where(is_shown, self.keypoints[rows], np.nan), strict=True)
        )
        self.pending[rows] = True

    def sketch(self, labels: Mapping[int, PersonLabel], life_span: LifeSpan) -> None:
        """Show straight lines between the labels in all frames that were never computed."""
        unknown = (self.sources == UNKNOWN) | self.sketched
        self.joint_sources[self.sketched] = self.sources[self.sketched] = UNKNOWN
        self.visibility[self.sketched] = NOT_LABELLED
        self.sketched[:] = False
        for interval in find_presence_intervals(labels, len(unknown), life_span):
            frames = interval.frames.start + np.flatnonzero(
                unknown[interval.frames.start : interval.frames.stop]
            )
            if len(frames) and any(label.has_joint for label in interval.labels.values()):
                lines = interpolate_track(frames, interval.labels)
                self.keypoints[frames], self.visibility[frames], self.scores[frames] = lines
                self.joint_sources[frames] = self.sources[frames] = PROPAGATED
                self.sketched[frames] = True

    def show_absent(self, frames: int | slice) -> None:
        """Show that the person is absent."""
        self.sketched[frames] = False
        self.keypoints[frames] = self.scores[frames] = 0
        self.visibility[frames] = NOT_LABELLED
        self.joint_sources[frames] = self.sources[frames] = ABSENT
        self.boxes[frames] = np.nan

    def show_label(self, frame: int, label: PersonLabel | None) -> None:
        """Show the joints of a label at once; other joints stay until they are recomputed."""
        if label is not None:
            self.sketched[frame] = False
        else:
            was_given = self.joint_sources[frame] == GIVEN
            self.joint_sources[frame][was_given] = PROPAGATED
            if self.sources[frame] == GIVEN:
                self.sources[frame] = PROPAGATED
            return
        if label.is_absent:
            self.show_absent(frame)
            return
        determined = ~label.propagated
        # Joints whose labels were removed keep their positions until they are recomputed.
        self.joint_sources[frame][~determined & (self.joint_sources[frame] == GIVEN)] = PROPAGATED
        self.keypoints[frame][determined] = label.keypoints[determined]
        self.visibility[frame][determined] = label.visibility[determined]
        self.scores[frame][determined] = label.labelled[determined]
        self.joint_sources[frame][determined] = np.where(label.labelled, GIVEN, ABSENT)[determined]
        has_given = label.has_given_joint or not label.propagated.any()
        self.sources[frame] = GIVEN if has_given else PROPAGATED
        if label.bbox is not None:
            self.boxes[frame] = label.bbox

    def show(self, person: PersonLabel) -> bool:
        """Show a computed pose; return whether it differs from the previous one."""
        frame = person.frame_index
        scores = person.labelled.astype(float) if person.scores is None else person.scores
        # A label may say that the person is absent.
        source = ABSENT if person.is_absent else SOURCES.index(person.source, GIVEN)
        changed = bool(
            self.sketched[frame]
            or self.sources[frame] != source
            or (self.visibility[frame] != person.visibility).any()
            or (self.keypoints[frame] != person.keypoints).any()
            or (self.scores[frame] != scores).any()
        )
        self.keypoints[frame] = person.keypoints
        self.visibility[frame] = person.visibility
        self.scores[frame] = scores
        self.joint_sources[frame] = np.where(
            person.given, GIVEN, np.where(person.propagated, PROPAGATED, ABSENT)
        )
        self.sources[frame] = source
        self.boxes[frame] = np.nan if person.bbox is None else person.bbox
        self.pending[frame] = self.sketched[frame] = False
        return changed

    def label(self, frame: int, person_id: int) -> PersonLabel:
        """Convert the shown pose to a label."""
        box = self.boxes[frame]
        return PersonLabel(
            frame,
            self.keypoints[frame],
            self.visibility[frame],
            person_id,
            scores=self.scores[frame],
            bbox=None if np.isnan(box).any() else box,
            source=SOURCES[self.sources[frame]],
            keypoint_sources=np.array(SOURCES)[self.joint_sources[frame]],
        )

    def describe(self, frame: int, person_id: int) -> Pose:
        """Describe the shown pose for the page."""
        columns = [
            self.keypoints[frame].round(SHOWN_DECIMALS),
            self.visibility[frame, :, None],
            self.shown_scores(frame)[:, None].round(3),
        ]
        is_there = self.sources[frame] != ABSENT
        letters = [SOURCES[code][0] for code in self.joint_sources[frame]]
        return {
            'id': person_id,
            'source': SOURCES[self.sources[frame]],
            'keypoints': np.concatenate(columns, axis=1).tolist() if is_there else None,
            'sources': ''.join(letters) if is_there else None,
            'pending': bool(self.pending[frame]),
            'sketched': bool(self.sketched[frame]),
            'before': self._describe_before(frame),
        }

    def _describe_before(self, frame: int) -> list[list[float] | None] | None:
        points = self.before.get(frame)
        if points is None or np.isnan(points).all():
            return None
        places = points.round(SHOWN_DECIMALS).tolist()
        return [None if np.isnan(x) else [x, y] for x, y in places]

    def describe_lane(
        self, person_id: int, frames: range, columns: int, joints: Sequence[str], trace: Traced
    ) -> Lane:
        """Describe the person for the timeline.

        Args:
            person_id: The person.
            frames: The frames to divide into columns.
            columns: Number of columns; if there are fewer frames, a frame fills several.
            joints: Names of the joints to describe one by one, or nothing.
            trace: What to describe over time.
        """
        inside = slice(frames.start, frames.stop)
        is_shown = (self.visibility[inside] > NOT_LABELLED) & ~self.sketched[inside, None]
        scores = np.where(is_shown, self.shown_scores(inside), np.inf)
        firsts = np.arange(columns) * len(frames) // columns
        # [columns, K], infinite where the joint has no position.
        scores = np.minimum.reduceat(scores, firsts, axis=0)
        computed = np.where(self.sketched[:, None], UNKNOWN, self.joint_sources[:, : len(joints)])
        of_joints = dict(zip(joints, map(_finite, scores.T), strict=False)) if joints else None
        return {
            'id': person_id,
            'runs': _runs(np.where(self.sketched, UNKNOWN, self.sources)),
            'heat': _finite(scores.min(axis=1)),
            'joints': of_joints,
            'joint_runs': dict(zip(joints, map(_runs, computed.T), strict=False)),
            'trace': None if trace is None else self._describe_trace(frames, firsts, *trace),
        }

    def _describe_trace(
        self, frames: range, firsts: np.ndarray, joint: int, quantity: Quantity
    ) -> Trace:
        is_shown = (self.visibility[:, joint, None] > NOT_LABELLED) & ~self.sketched[:, None]
        points = np.where(is_shown, self.keypoints[:, joint], np.nan)
        speed = np.hypot(*np.diff(points, axis=0, prepend=np.nan).T)
        track = {'x': points[:, 0], 'y': points[:, 1], 'speed': speed}[quantity]
        values = track[frames.start : frames.stop]
        is_given = self.joint_sources[frames.start : frames.stop, joint] == GIVEN
        given_columns = np.flatnonzero(is_given & np.isfinite(values))
        _, first_of_column = np.unique(
            np.searchsorted(firsts, given_columns, 'right'), return_index=True
        )
        marks = given_columns[first_of_column]
        return {
            'low': _finite(np.fmin.reduceat(values, firsts)),
            'high': _finite(np.fmax.reduceat(values, firsts)),
            'labels': [[frames[n], round(values[n], SHOWN_DECIMALS)] for n in marks.tolist()],
        }


def _runs(sources: np.ndarray) -> list[Run]:
    starts = np.flatnonzero(np.diff(sources, prepend=255)).tolist()
    stops = [*starts[1:], len(sources)]
    return [
        (start, stop - 1, SOURCES[sources[start]])
        for start, stop in zip(starts, stops, strict=True)
        if sources[start] != UNKNOWN
    ]


def _finite(values: np.ndarray) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.round(3).tolist()]


class ShownPoses:
    """The shown poses of everyone; callers must hold the lock of the video.

    Args:
        propagator: The propagator, which knows which poses depend on which labels.
        state: The video with its labels, which are shown from the start.
        are_labels: Whether the labels are all poses that there are, so that none is computed.

    Attributes:
        of: Person id -> their poses.
    """

    def __init__(
        self, propagator: VideoPosePropagator, state: PropagationState, are_labels: bool = False
    ) -> None:
        self.of: dict[int, PersonPoses] = {}
        self._are_labels = are_labels
        self._propagator = propagator
        self._state = state
        self._urgent: list[tuple[int, range]] = []
        self._is_empty = False
        self._show_labels()

    def _show_labels(self) -> None:
        for person, track in self._state.tracks.items():
            poses = self._add(person)
            for frame, label in track.items():
                if self._are_labels:
                    poses.show(label)
                else:
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
        """Show everyone as absent, after all labels except marks of absence were removed."""
        self._is_empty = True
        for poses in self.of.values():
            poses.show_absent(slice(None))
            poses.pending[:] = False

    def follow(self, change: Change) -> list[range]:
        """Show the labels of an edit, and mark the poses that depend on them as outdated.

        Returns:
            The frames of these poses, those around the first changed label first.
        """
        if change.skeletons[0] is not change.skeletons[1]:
            self.of.clear()
            self._urgent.clear()
            self._show_labels()
            return [range(len(self._state.frames))]
        if self._are_labels:
            return self._show_change(change)
        if self._is_empty:
            # Labels without a position were shown as absent, too.
            self._is_empty = False
            for poses in self.of.values():
                poses.pending[:] = True
        tracks, edited = self._state.tracks, change.people
        earlier = {**tracks, **{person: dict(tracks.get(person, {})) for person in edited}}
        for (person, frame), (before, _) in change.labels.items():
            earlier[person].pop(frame, None)
            if before is not None:
                earlier[person][frame] = before
        affected = self._propagator.affected_frames(self._state, earlier)
        for person in edited:
            if person not in tracks:
                self.of.pop(person, None)
                continue
            poses = self.of.get(person) or self._add(person)
            frames = affected.get(person, range(0))
            poses.outdate(frames)
            self._urgent = [task for task in self._urgent if task[0] != person]
            self._urgent.append((person, frames))
        for (person, frame), (_, after) in change.labels.items():
            if person in self.of:
                self.of[person].show_label(frame, after)
        for person, frames in affected.items():
            # These are poses of others that depend on the positions of the edited people.
            if person in self.of and person not in edited:
                self.of[person].pending[frames.start : frames.stop] = True
        ranges = [affected[person] for person in edited if person in affected]
        return sorted(ranges, key=lambda frames: change.frames.start not in frames)

    def _show_change(self, change: Change) -> list[range]:
        for (person, frame), (_, after) in change.labels.items():
            if person not in self._state.tracks:
                self.of.pop(person, None)
                continue
            poses = self.of.get(person) or self._add(person)
            if after is None:
                poses.show_absent(frame)
            else:
                poses.show(after)
        return [change.frames] if change.frames else []

    def outdate_all(self) -> None:
        """Mark all poses for recomputation."""
        self.forget_edits()
        if self._are_labels:
            return
        for poses in self.of.values():
            poses.pending[:] = True

    def forget_edits(self) -> None:
        """Forget the poses before the edits, and the order in which to recompute after them."""
        self._urgent.clear()
        for poses in self.of.values():
            poses.before = {}

    def label(self, person: int, frame: int) -> PersonLabel | None:
        """Convert a shown pose to a label; None if there is no such person."""
        poses = self.of.get(person)
        return None if poses is None else poses.label(frame, person)

    def sketch(self, people: Iterable[int]) -> None:
        """Show straight lines where poses of people were never computed."""
        for person in people:
            if person in self.of:
                self.of[person].sketch(self._state.tracks[person], self._state.life_span)

    def can_label(self, person: int, frame: int) -> bool:
        """Tell whether somebody is there who is not wholly labelled in a frame."""
        poses = self.of.get(person)
        if poses is None or poses.sources[frame] == ABSENT:
            return False
        return poses.sources[frame] != GIVEN or PROPAGATED in poses.joint_sources[frame]

    def describe(self, frames: Iterable[int]) -> dict[str, list[Pose]]:
        """Describe the known poses of frames for the page, by frame."""
        people = sorted(self.of.items())
        return {
            str(frame): [
                poses.describe(frame, person)
                for person, poses in people
                if poses.sources[frame] != UNKNOWN
            ]
            for frame in frames
        }

    def take_urgent(self) -> tuple[int, range] | None:
        """Pop the person and the frames of the newest edit whose poses are not computed yet.

        An edit in a long gap is not urgent: its poses would take minutes.
        """
        self._urgent = [task for task in self._urgent if len(task[1]) <= LONG_GAP]
        return self._urgent.pop() if self._urgent else None

    def put_back(self, person: int, frames: range) -> None:
        """Queue an interrupted run again, after newer ones."""
        if person in self.of and all(person != other for other, _ in self._urgent):
            self._urgent.insert(0, (person, frames))

    def next_pending(
        self, start: int, length: int, people: Iterable[int], excerpt: range
    ) -> tuple[list[int], range] | None:
        """Find poses of people that must be computed, those in long gaps last.

        Args:
            start: They are searched from this frame on, then from the first one on.
            length: Maximum number of frames.
            people: The people.
            excerpt: The frames to search.

        Returns:
            The people and the frames; None if no poses are left.
        """
        part = slice(excerpt.start, excerpt.stop)
        pending = {person: self.of[person].pending[part] for person in people if person in self.of}
        gaps = [
            (person, range(excerpt.start + first, excerpt.start + last + 1))
            for person, mask in pending.items()
            for first, last, _ in _runs(
                np.where(self.of[person].sources[part] == GIVEN, UNKNOWN, mask)
            )
        ]
        short = [task for task in gaps if len(task[1]) <= LONG_GAP]
        if 0 < len(short) < len(gaps):
            person, gap = min(short, key=lambda task: (task[1].stop <= start, task[1].start))
            return [person], gap
        frames = excerpt.start + np.flatnonzero(sum(pending.values()))
        if len(frames) == 0:
            return None
        later = frames[frames >= start]
        first = int((later if len(later) else frames)[0])
        window = range(first, min(first + length, excerpt.stop))
        inside = slice(first - excerpt.start, window.stop - excerpt.start)
        return sorted(p for p, mask in pending.items() if mask[inside].any()), window

    def _poses_of(self, label: PersonLabel) -> PersonPoses | None:
        return None if label.track_id is None else self.of.get(label.track_id)

    def _add(self, person: int) -> PersonPoses:
        assert self._state.skeleton is not None
        poses = PersonPoses(len(self._state.frames), self._state.skeleton.num_keypoints)
        if self._are_labels:
            poses.show_absent(slice(None))
            poses.pending[:] = False
        self.of[person] = poses
        return poses
