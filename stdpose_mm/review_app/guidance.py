"""What to label next, and whether it is good enough: :mod:`stdpose_mm.review` on shown poses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np

from stdpose_mm.review import TrackErrors, calibrate_scores, rank_errors, rank_gains
from stdpose_mm.structures import NOT_LABELLED, Skeleton, VideoFrame, VideoLabels

from .pose_store import ABSENT, GIVEN, PROPAGATED, UNKNOWN, PersonPoses

NUM_CHECKS, NUM_SUGGESTIONS = 20, 5


@dataclass(frozen=True)
class GuidanceReport:
    """What is said of the poses of one revision.

    Args:
        revision: The revision.
        expected_wrong: Expected share of wrong joints, of all joints with a place.
        next: ``{"frame", "person", "reason"}`` of the best frame to label; None without one.
        doubtful: ``{"frame", "person", "score"}`` of the most doubtful frames, worst first.
        checks: ``{"frame", "person", "reason", "joints"}`` of the same frames.
        suggestions: ``{"frame", "gain"}`` of frames to label.
    """

    revision: int
    expected_wrong: float
    next: dict[str, Any] | None = None
    doubtful: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    suggestions: list[dict[str, Any]] = field(default_factory=list)


class Guidance:
    """Keeps the expected errors of everyone, so that an edit costs those of one person.

    Args:
        method: Name of the propagation method.

    Attributes:
        report: What was found last; None at first.
    """

    def __init__(self, method: str) -> None:
        self.report: GuidanceReport | None = None
        self._method = method
        self._errors: dict[int, TrackErrors] = {}
        self._outdated: set[int] = set()
        self._lock = Lock()

    def forget(self, person: int) -> None:
        """Look at a person again next time."""
        with self._lock:
            self._outdated.add(person)

    def update(
        self, revision: int, everyone: Mapping[int, PersonPoses], skeleton: Skeleton
    ) -> None:
        """Make the report of a revision.

        Args:
            revision: The revision.
            everyone: The poses; nobody changes them meanwhile.
            skeleton: Their joints.
        """
        with self._lock:
            outdated, self._outdated = self._outdated, set()
        for person in list(self._errors):
            if person not in everyone or person in outdated:
                del self._errors[person]
        for person, poses in everyone.items():
            if person not in self._errors:
                self._errors[person] = self._errors_of(person, poses, skeleton)
        self.report = self._make_report(revision, everyone, skeleton)

    def _errors_of(self, person: int, poses: PersonPoses, skeleton: Skeleton) -> TrackErrors:
        scores = self._calibrated(person, poses, skeleton)
        wrong = 1.0 - np.clip(scores, 0.0, 1.0)
        propagated = (poses.visibility > NOT_LABELLED) & (poses.joint_sources == PROPAGATED)
        whole = (poses.sources == GIVEN) & ~(poses.joint_sources == PROPAGATED).any(axis=1)
        gone = (poses.sources == ABSENT) | (poses.sources == UNKNOWN)
        # There is nothing to label in a frame where the person is not.
        return TrackErrors(
            np.arange(len(poses.sources)), whole | gone, np.where(propagated, wrong, 0.0)
        )

    def _calibrated(self, person: int, poses: PersonPoses, skeleton: Skeleton) -> np.ndarray:
        """Return scores [F, K] that are probabilities; those of `auto` and networks are."""
        if self._method not in ('linear', 'spline', 'flow') or not (poses.sources == GIVEN).any():
            return poses.scores
        frames = range(len(poses.sources))
        labels = VideoLabels(
            'video',
            skeleton,
            tuple(VideoFrame(frame) for frame in frames),
            tuple(poses.label(frame, person) for frame in frames),
        )
        calibrated = calibrate_scores(labels, self._method)
        return np.stack(
            [
                np.zeros(len(label.visibility)) if label.scores is None else label.scores
                for label in calibrated.persons
            ]
        )

    def _make_report(
        self, revision: int, everyone: Mapping[int, PersonPoses], skeleton: Skeleton
    ) -> GuidanceReport:
        people = sorted(everyone)
        tracks = [self._errors[person] for person in people]
        number = sum(int((everyone[one].visibility > NOT_LABELLED).sum()) for one in people)
        wrong = sum(float(track.errors.sum()) for track in tracks)
        checks = [
            self._check(frame, expected, everyone, skeleton)
            for frame, expected in rank_errors(tracks, NUM_CHECKS)
        ]
        gains = [track.gains() for track in tracks]
        found = rank_gains([track.copy() for track in tracks], NUM_SUGGESTIONS)
        best = None
        if found:
            frame, gain = found[0].frame_index, found[0].gain
            own = [float(of_person[frame]) for of_person in gains]
            best = {
                'frame': frame,
                'person': people[int(np.argmax(own))],
                'reason': f'a label here is expected to mend {gain:.1f} joints around it',
            }
        return GuidanceReport(
            revision,
            wrong / number if number else 0.0,
            best,
            [{name: check[name] for name in ('frame', 'person', 'score')} for check in checks],
            checks,
            [{'frame': one.frame_index, 'gain': round(one.gain, 3)} for one in found],
        )

    def _check(
        self,
        frame: int,
        expected: float,
        everyone: Mapping[int, PersonPoses],
        skeleton: Skeleton,
    ) -> dict[str, Any]:
        own = {person: self._errors[person].errors[frame] for person in everyone}
        person = max(own, key=lambda one: (own[one].sum(), -one))
        worst = np.argsort(-own[person], kind='stable')[:3]
        joints = [skeleton.keypoint_names[k] for k in worst if own[person][k] > 0]
        return {
            'frame': frame,
            'person': person,
            'reason': f'{expected:.1f} joints are probably wrong here',
            'joints': joints,
            'score': round(1.0 - float(own[person].max()), 3),
        }
