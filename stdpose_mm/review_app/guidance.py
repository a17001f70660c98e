"""Guidance on quality and on what to label next: ``labelling.review`` for shown poses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np

from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.labelling.review import (
    LabelAccuracy,
    LabelWarning,
    Outlook,
    TrackErrors,
    calibrate_scores,
    expect_errors_left,
    label_warnings,
    rank_errors,
    rank_gains,
    score_meaning,
)
from stdpose_mm.structures import NOT_LABELLED, VideoLabels
from stdpose_mm.visualization.colors import DOUBTFUL

from .messages import Check, Measured, Place
from .shown_poses import ABSENT, GIVEN, PROPAGATED, UNKNOWN, PersonPoses

NUM_CHECKS, NUM_SUGGESTIONS = 20, 5

MAX_ADVISED = 1_000
"""Maximum number of unlabelled frames that are compared before their poses are computed."""

MAX_POSES = 10_000
"""Maximum number of poses for which the labels needed for a target are counted."""

MAX_LABELS = 2_000
"""Maximum number of labels for which all are checked for mistakes after each edit."""


@dataclass(frozen=True)
class GuidanceReport:
    """The guidance on the poses of one revision.

    Args:
        revision: The revision.
        outlook: The expected share of wrong joints among all joints with a position, now and with
            further labels; None if there are no joints.
        checks: The worst frames in doubt, worst first.
        num_doubtful: Number of all frames in doubt, that is, with a joint that is more likely wrong
            than right.
        suggestions: Whom to label in which frames, the best frames first. In a frame they are those
            whose label helps at least half as much as the most helpful one.
        measured: The accuracy on hidden labels, which the expectations include; None if it was not
            measured.
        warnings: What may be wrong about the labels.
        is_measured: Whether labels of this revision were hidden.
        labels_made: Number of labels that were made on the page until then.
    """

    revision: int
    outlook: Outlook | None = None
    checks: list[Check] = field(default_factory=list)
    num_doubtful: int = 0
    suggestions: list[Place] = field(default_factory=list)
    measured: Measured | None = None
    warnings: list[LabelWarning] = field(default_factory=list)
    is_measured: bool = False
    labels_made: int = 0


class Guidance:
    """Expected errors of everyone, kept so that an edit recomputes only those of one person.

    Args:
        method: Name of the propagation method.
        size: (width, height) of the frames in pixels.

    Attributes:
        report: The latest report; at first, one of revision -1.
        reported_at: Time of the latest report by ``time.monotonic``.
        measured_revision: The latest revision for which the accuracy was measured.
        measured_at: Time of the latest measurement, also of one that was not completed.
        is_measured_anew: Whether the report is made without the latest measurement.
    """

    def __init__(self, method: str, size: tuple[int, int]) -> None:
        self.report = GuidanceReport(-1)
        self.measured_revision = -1
        self.reported_at = self.measured_at = time.monotonic()
        self.is_measured_anew = False
        self._parts: dict[int, LabelAccuracy] = {}
        self._measured: Measured | None = None
        self._accuracy: LabelAccuracy | None = None
        self._calibrator: ScoreCalibrator | None = None
        self._method, self._size = method, size
        self._score_meaning = score_meaning(method)
        self._errors: dict[int, TrackErrors] = {}
        self._outdated: set[int] = set()
        self._lock = Lock()

    def forget(self, person: int) -> None:
        """Recompute the errors of a person in the next update."""
        with self._lock:
            self._outdated.add(person)

    def restart(self) -> None:
        """Forget the accuracy, after the propagator has changed."""
        self.set_accuracy((), -1)
        self.outdate_report()

    def outdate_report(self) -> None:
        """Make the next update replace the report, which is of another excerpt or network."""
        with self._lock:
            self.report = replace(self.report, revision=-1)

    def set_accuracy(self, parts: Sequence[LabelAccuracy], revision: int | None) -> None:
        """Set the measured accuracy for later updates.

        Args:
            parts: The accuracy in each frame with hidden labels.
            revision: The revision that was measured. None if it was not completed: other frames
                then keep their last accuracy.
        """
        with self._lock:
            if revision is not None:
                self.measured_revision, self._parts = revision, {}
            for part in parts:
                frame = part.labels[0].frame_index
                self._parts.pop(frame, None)
                self._parts[frame] = part
            self.measured_at, self.is_measured_anew = time.monotonic(), True

    @property
    def measured_frames(self) -> list[int]:
        """Return the frames in which labels were hidden, the latest last."""
        with self._lock:
            return [*self._parts]

    def _take_accuracy(self) -> None:
        with self._lock:
            accuracy = LabelAccuracy.join(part for _, part in sorted(self._parts.items()))
            self.is_measured_anew = False
        self._accuracy, self._measured = accuracy, None
        calibrator: ScoreCalibrator | None = None
        if accuracy is not None:
            calibrator = accuracy.calibrator
            self._measured = {
                'right': float(accuracy.right.mean()),
                'labels': len(accuracy.labels),
                'text': accuracy.describe(),
            }
        if calibrator != self._calibrator:
            self._errors.clear()
        self._calibrator = calibrator

    def update(
        self,
        revision: int,
        everyone: Mapping[int, PersonPoses],
        labels: VideoLabels,
        excerpt: range,
        labels_made: int,
        is_outdated: Callable[[], bool],
    ) -> bool:
        """Make the report of a revision.

        Args:
            revision: The revision.
            everyone: Person id -> poses, which must not change during the call; what is expected of
                their joints is stored with them.
            labels: The labels of the revision; the frames of the excerpt are listed.
            excerpt: The frames that count.
            labels_made: Number of labels that were made on the page.
            is_outdated: Tells whether there is more important work; called repeatedly.

        Returns:
            False if the update was stopped for more important work.
        """
        if self.is_measured_anew:
            self._take_accuracy()
        with self._lock:
            outdated, self._outdated = self._outdated, set()
        for person in list(self._errors):
            if person not in everyone or person in outdated:
                del self._errors[person]
        tracks = labels.tracks()
        for person, poses in everyone.items():
            if is_outdated():
                return False
            if person not in self._errors:
                track = labels.with_persons([*tracks.get(person, {}).values()])
                self._errors[person] = self._errors_of(person, poses, track, excerpt)
                # The gains are kept for reports after changes to other people.
                self._errors[person].gains()
                poses.right = poses.scores.copy()
                rows = slice(excerpt.start, excerpt.stop)
                poses.right[rows] = 1 - self._errors[person].errors[rows]
        few = len(labels.persons) <= MAX_LABELS
        warnings = label_warnings(tracks, labels.skeleton, self._size) if few else []
        report = self._make_report(revision, everyone, excerpt)
        with self._lock:
            self.report = replace(report, warnings=warnings, labels_made=labels_made)
            self.reported_at = time.monotonic()
        return True

    def advise(self, report: GuidanceReport, labels: VideoLabels) -> None:
        """Replace only the suggestions of a report, by what the labels alone let expect.

        Of a long video, only some of the unlabelled frames are suggested.

        Args:
            report: The report; if there is another one meanwhile, nothing is replaced.
            labels: See :meth:`update`.
        """
        step = -(-len(labels.frames) // MAX_ADVISED)
        labelled = {label.frame_index for label in labels.persons}
        frames = [f for n, f in enumerate(labels.frames) if n % step == 0 or f.index in labelled]
        tracks = TrackErrors.of_interpolation(replace(labels, frames=tuple(frames)))
        suggestions = _suggest([person for person, _ in tracks], [errors for _, errors in tracks])
        with self._lock:
            if self.report is report:
                self.report = replace(report, suggestions=suggestions)

    def _errors_of(
        self, person: int, poses: PersonPoses, track: VideoLabels, excerpt: range
    ) -> TrackErrors:
        propagated = _propagated(poses)
        wrong = self._probably_wrong(person, poses, track)
        if self._calibrator is not None:
            wrong = 1 - self._calibrator(1 - wrong)
        whole = (poses.sources == GIVEN) & ~(poses.joint_sources == PROPAGATED).any(axis=1)
        # There is nothing to label in frames in which the person is absent.
        gone = (poses.sources == ABSENT) | (poses.sources == UNKNOWN)
        gone[: excerpt.start] = gone[excerpt.stop :] = True
        return TrackErrors(
            np.arange(len(poses.sources)), whole | gone, np.where(propagated, wrong, 0.0)
        )

    def _probably_wrong(self, person: int, poses: PersonPoses, track: VideoLabels) -> np.ndarray:
        """Return the probability [F, K] that joints are wrong; see :func:`calibrate_scores`."""
        scores = poses.scores
        if self._score_meaning == 'distance':
            # The same as calibrate_scores, which would need a label for every frame.
            wrong = np.ones(poses.scores.shape)
            for _, interval in TrackErrors.of_interpolation(track) if track.persons else ():
                wrong[interval.times] = interval.errors
            return wrong
        if self._score_meaning == 'agreement':
            frames = [frame.index for frame in track.frames]
            dense = track.with_persons([poses.label(frame, person) for frame in frames])
            calibrated = calibrate_scores(dense, self._method).persons
            rows = [label.scores for label in calibrated if label.scores is not None]
            if len(rows) == len(frames):
                scores = scores.copy()
                scores[frames] = rows
        return 1.0 - np.clip(scores, 0.0, 1.0)

    def _make_report(
        self, revision: int, everyone: Mapping[int, PersonPoses], excerpt: range
    ) -> GuidanceReport:
        people = sorted(everyone)
        tracks = [self._errors[person] for person in people]
        visibilities = [
            everyone[person].visibility[excerpt.start : excerpt.stop] for person in people
        ]
        number = sum(int((visibility > NOT_LABELLED).sum()) for visibility in visibilities)
        wrong = sum(float(track.errors.sum()) for track in tracks)
        # Only frames in doubt are listed: even the worst frames of a video may be good.
        in_doubt = [
            TrackErrors(
                track.times, track.given, np.where(1 - track.errors < DOUBTFUL, track.errors, 0.0)
            )
            for track in tracks
        ]
        frames = {int(f) for track in in_doubt for f in track.times[track.errors.any(axis=1)]}
        checks = [self._check(frame, everyone) for frame, _ in rank_errors(in_doubt, NUM_CHECKS)]
        is_small = len(tracks) * len(excerpt) <= MAX_POSES
        wrong_after = expect_errors_left(tracks, by_person=True) if is_small else np.array([wrong])
        outlook = Outlook(
            wrong_after / max(number, 1),
            self._accuracy,
            max((int((poses.sources == GIVEN).sum()) for poses in everyone.values()), default=0),
            not any(
                _propagated(poses)[excerpt.start : excerpt.stop].any()
                for poses in everyone.values()
            ),
        )
        return GuidanceReport(
            revision,
            outlook=outlook if number else None,
            checks=checks,
            num_doubtful=len(frames),
            suggestions=_suggest(people, tracks),
            measured=self._measured,
            is_measured=self.measured_revision == revision,
        )

    def _check(self, frame: int, everyone: Iterable[int]) -> Check:
        errors = {person: self._errors[person].errors[frame] for person in everyone}
        expected = sum(float(wrong.sum()) for wrong in errors.values())
        person = max(errors, key=lambda track_id: (errors[track_id].sum(), -track_id))
        return {
            'frame': frame,
            'person': person,
            'reason': f'about {expected:.1f} wrong joints are expected here',
            'score': round(1.0 - float(errors[person].max()), 3),
            'draft': None,
        }


def _suggest(people: Sequence[int], tracks: Sequence[TrackErrors]) -> list[Place]:
    """Choose whom to label in which frames, see :attr:`GuidanceReport.suggestions`."""
    places: list[Place] = []
    for suggestion in rank_gains(tracks, NUM_SUGGESTIONS):
        frame = suggestion.frame_index
        gains = [float(track.gains()[track.times == frame].sum()) for track in tracks]
        for gain, person in sorted(zip(gains, people, strict=True), key=lambda pair: -pair[0]):
            if gain >= max(gains) / 2 > 0:
                reason = f'a label here is expected to correct {gain:.1f} joints around it'
                places.append({'frame': frame, 'person': person, 'reason': reason})
    return places


def _propagated(poses: PersonPoses) -> np.ndarray:
    """Return [F, K] bool: joints with a position that is not given."""
    return (poses.visibility > NOT_LABELLED) & (poses.joint_sources == PROPAGATED)
