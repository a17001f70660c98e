"""Which frames of a propagated video to check, and which to label next.

Both rest on the scores: ``1 - score`` is the expected number of mistakes in a propagated joint, 0
or 1 of them. Both know that the neighbour of a bad frame is bad for the same reason: between two
labels the errors of neighbouring frames hang together like the positions of a Brownian bridge,
whose variance at ``u`` between labels at ``l`` and ``r`` is ``(u - l)(r - u) / (r - l)``. A label
at ``t`` leaves of it the share

    v(u; t) = (t - u)(r - l) / ((t - l)(r - u))    for u < t, and mirrored for u > t:

nothing at ``t`` itself, everything at the labels that were there before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.special import expit

from stdpose_mm.evaluation.functional import ScoreCalibrator, pose_sizes
from stdpose_mm.propagation import PROPAGATORS, find_presence_intervals, given_labels
from stdpose_mm.structures import PersonLabel, VideoLabels

FLOW_CALIBRATOR = ScoreCalibrator(slope=0.78, offset=3.63)
"""Makes probabilities of the scores of flow between two labels.

Fitted on the training groups of the JHMDB clips, segments of 4 to 30 frames.
"""

_MAX_CANDIDATES = 128
"""Frames of one stretch between labels whose gain is computed; between them it is interpolated."""

_MAX_ERROR = 0.98
"""A joint of score 0 may still gain from labels nearby."""


@dataclass(frozen=True)
class JointCheck:
    """A joint that may be wrong.

    Args:
        track_id: The person.
        joint: Name of the joint.
        score: Its score.
    """

    track_id: int
    joint: str
    score: float


@dataclass(frozen=True)
class FrameCheck:
    """A frame that should be looked at.

    Args:
        frame_index: The frame.
        expected_wrong: Expected number of wrong joints, over all its people.
        joints: The most doubtful joints, worst first.
    """

    frame_index: int
    expected_wrong: float
    joints: tuple[JointCheck, ...]


@dataclass(frozen=True)
class FrameSuggestion:
    """A frame worth labelling.

    Args:
        frame_index: The frame.
        gain: By how many the expected number of wrong joints of the whole video falls.
    """

    frame_index: int
    gain: float


def frames_to_check(labels: VideoLabels, limit: int, num_joints: int = 3) -> list[FrameCheck]:
    """The frames with the most expected wrong joints, worst first, spread out in time.

    A frame counts for what the frames listed before it do not already tell: of a person's
    expected errors between the same two labels only the share v (see the module) is new.

    Args:
        labels: A propagated video with scores.
        limit: At most so many frames; fewer if nothing else is left to doubt.
        num_joints: At most so many joints are named in each.
    """
    tracks = _tracks_with_scores(labels)
    expected = _frame_sums(tracks, [track.errors for track in tracks])
    left = [track.errors.copy() for track in tracks]
    checks: list[FrameCheck] = []
    while len(checks) < limit:
        new = _frame_sums(tracks, left)
        frame = max(new, key=lambda index: (new[index], -index), default=-1)
        if not new or new[frame] < 1e-6:
            break
        checks.append(FrameCheck(frame, expected[frame], _worst_joints(labels, frame, num_joints)))
        for track, errors in zip(tracks, left, strict=True):
            for stretch in track.stretches():
                if stretch.start < frame < stretch.stop:
                    inside = stretch.inside
                    errors[inside] *= _share_left(stretch, track.times[inside], frame)[:, None]
    return checks


def calibrate_scores(labels: VideoLabels, method: str) -> VideoLabels:
    """The labels with scores that come closer to probabilities, as far as the method is known.

    A method that reads no picture scores by distance in time; what the given labels tell of its
    errors (see :func:`rank_suggestions`) takes the place of its scores. Scores of flow, which rank
    well but are no probabilities, are turned into such. All others stay.

    Args:
        labels: A propagated video.
        method: How it was propagated.
    """
    if not PROPAGATORS[method].reads_pictures:
        errors: dict[tuple[int | None, int], np.ndarray] = {
            (track_id, frame): of_frame
            for track_id, track in _tracks_of_motion(labels)
            for frame, of_frame in zip(track.times.tolist(), track.errors, strict=True)
        }
        return _with_scores(
            labels, lambda p: np.where(p.labelled, 1 - errors[p.track_id, p.frame_index], 0.0)
        )
    if method != 'flow':
        return labels
    beyond = _flow_scores_beyond_labels(labels)
    return _with_scores(
        labels,
        lambda p: (
            beyond.get((p.track_id, p.frame_index), FLOW_CALIBRATOR(p.scores)) * p.labelled
            if p.scores is not None
            else None
        ),
    )


def _flow_scores_beyond_labels(labels: VideoLabels) -> dict[tuple[int | None, int], np.ndarray]:
    """(track id, frame) -> [K] scores before a person's first label and after the last one.

    There is no second track to agree with there; a logistic model of how far and how long flow
    has carried the joint, fitted on the training groups of the JHMDB clips.
    """
    scores: dict[tuple[int | None, int], np.ndarray] = {}
    for track in labels.tracks().values():
        people = list(track.values())
        given = [n for n, person in enumerate(people) if person.source == 'given']
        if not given:
            continue
        for side in (people[given[0] :: -1], people[given[-1] :]):
            label = side[0]
            size = max(float(pose_sizes(label.keypoints[None], label.labelled[None])[0]), 1.0)
            path = np.zeros(len(label.visibility))
            for before, person in pairwise(side):
                if person.source != 'propagated':
                    break
                path = path + np.linalg.norm(person.keypoints - before.keypoints, axis=-1) / size
                distance = abs(person.frame_index - label.frame_index)
                odds = 0.21 * np.log(distance) + 0.98 * np.log(path + 0.03) + 0.1
                scores[person.track_id, person.frame_index] = expit(-odds)
    return scores


def _with_scores(
    labels: VideoLabels, scores_of: Callable[[PersonLabel], np.ndarray | None]
) -> VideoLabels:
    return labels.with_persons(
        [
            replace(person, scores=scores_of(person)) if person.source == 'propagated' else person
            for person in labels.persons
        ]
    )


def suggest_frames(labels: VideoLabels, given: Collection[int], num: int) -> list[int]:
    """The frames whose labels would help most, best first; see :func:`rank_suggestions`."""
    return [suggestion.frame_index for suggestion in rank_suggestions(labels, given, num)]


def rank_suggestions(
    labels: VideoLabels, given: Collection[int], num: int
) -> list[FrameSuggestion]:
    """The frames whose labels would help most, best first, with what each adds.

    A label at ``t`` removes the mistakes at ``t`` and makes those around it rarer. A mistake is
    an error beyond a limit, and the chance of it falls with the variance of the error as
    ``exp(-c / variance)``; so an expected error ``e`` becomes ``e ** (1 / v)``, v being the share
    of the variance that the label leaves (see the module). The gain of a frame is the sum of
    ``e - e ** (1 / v)`` over the frames around it, people and joints. The best frame is taken,
    the errors become what they are expected to be with its label, and the next one is sought.

    Args:
        labels: A propagated video with scores (see :func:`calibrate_scores`), or given labels
            only. Without any propagated person the expected errors are those of linear
            interpolation, estimated from the labels; only frames that are listed are suggested.
        given: Frames that count as labelled, whoever is in them: a person without a label there is
            taken to be out of the picture, or known. Never suggested.
        num: At most so many frames; fewer if there is nothing to gain.
    """
    propagated = any(person.source == 'propagated' for person in labels.persons)
    if propagated:
        tracks = _tracks_with_scores(labels)
    else:
        tracks = [track for _, track in _tracks_of_motion(labels)]
    taken = set(given)
    for frame in sorted(taken):
        for track in tracks:
            track.label(frame)
    suggestions: list[FrameSuggestion] = []
    gains = [track.gains() for track in tracks]
    while len(suggestions) < num:
        total: dict[int, float] = {}
        for of_track in gains:
            for frame, gain in of_track.items():
                if frame not in taken:
                    total[frame] = total.get(frame, 0.0) + gain
        frame = max(total, key=lambda index: (total[index], -index), default=-1)
        if not total or total[frame] < 1e-9:
            break
        suggestions.append(FrameSuggestion(frame, total[frame]))
        taken.add(frame)
        for number, track in enumerate(tracks):
            if track.label(frame):
                gains[number] = track.gains()
    return suggestions


@dataclass(frozen=True)
class _Stretch:
    """Frames of a track between two labels.

    Args:
        inside: Which entries of the track's arrays they are.
        start, stop: Frames of the labels. A track without a label on one side has one as far
            away as the track is long.
    """

    inside: slice
    start: float
    stop: float


class _Track:
    """The expected errors of one person.

    Args:
        times: [N] its frames, ascending.
        given: [N] bool, which of them are labelled.
        errors: [N, K] probability that a joint is wrong, 0 where there is nothing to get wrong.
    """

    def __init__(self, times: np.ndarray, given: np.ndarray, errors: np.ndarray) -> None:
        self.times = times
        self.given = given.copy()
        self.errors = np.where(given[:, None], 0.0, errors)
        self._gains: dict[float, dict[int, float]] = {}
        """Start of a stretch -> the gains in it; outdated ones are taken out."""

    def stretches(self) -> Iterator[_Stretch]:
        """The frames between labels, ascending."""
        length = self.times[-1] - self.times[0] + 1
        labels = np.flatnonzero(self.given)
        starts = [-1, *labels]
        stops = [*labels, len(self.times)]
        for start, stop in zip(starts, stops, strict=True):
            if stop - start > 1:
                yield _Stretch(
                    slice(start + 1, stop),
                    self.times[start] if start >= 0 else self.times[0] - length,
                    self.times[stop] if stop < len(self.times) else self.times[-1] + length,
                )

    def gains(self) -> dict[int, float]:
        """Frame -> by how much the person's expected errors fall if it is labelled there."""
        gains: dict[int, float] = {}
        for stretch in self.stretches():
            if stretch.start not in self._gains:
                self._gains[stretch.start] = self._gains_in(stretch)
            gains.update(self._gains[stretch.start])
        return gains

    def _gains_in(self, stretch: _Stretch) -> dict[int, float]:
        times, errors = self.times[stretch.inside], self.errors[stretch.inside]
        number = min(len(times), _MAX_CANDIDATES)
        candidates = np.linspace(0, len(times) - 1, number).round().astype(np.int64)
        gain = [
            (errors - _errors_with_label(stretch, times, errors, times[candidate])).sum()
            for candidate in candidates
        ]
        gains = np.interp(np.arange(len(times)), candidates, gain)
        return dict(zip(times.tolist(), gains.tolist(), strict=True))

    def label(self, frame: int) -> bool:
        """Count a frame as labelled; whether the person was there without a label."""
        position = int(np.searchsorted(self.times, frame))
        if position == len(self.times) or self.times[position] != frame or self.given[position]:
            return False
        for stretch in self.stretches():
            inside = stretch.inside
            if inside.start <= position < inside.stop:
                self.errors[inside] = _errors_with_label(
                    stretch, self.times[inside], self.errors[inside], frame
                )
                self._gains.pop(stretch.start, None)
        self.given[position] = True
        return True


def _share_left(stretch: _Stretch, times: np.ndarray, label: float) -> np.ndarray:
    """[n] share v of the variance that remains at ``times`` with a label more (see the module)."""
    start, stop = stretch.start, stretch.stop
    before = (label - times) * (stop - start) / ((label - start) * (stop - times))
    after = (times - label) * (stop - start) / ((stop - label) * (times - start))
    return np.where(times < label, before, after)


def _errors_with_label(
    stretch: _Stretch, times: np.ndarray, errors: np.ndarray, label: float
) -> np.ndarray:
    """[n, K] the expected errors with a label more."""
    share = _share_left(stretch, times, label)[:, None]
    power = np.divide(1.0, share, out=np.full(share.shape, np.inf), where=share > 0)
    return np.minimum(errors, _MAX_ERROR) ** power


def _tracks_with_scores(labels: VideoLabels) -> list[_Track]:
    tracks = []
    for track in labels.tracks().values():
        people = list(track.values())
        tracks.append(
            _Track(
                np.array([person.frame_index for person in people]),
                np.array([person.source == 'given' for person in people]),
                np.stack([_expected_errors(person) for person in people]),
            )
        )
    return tracks


def _expected_errors(person: PersonLabel) -> np.ndarray:
    if person.scores is None:
        return np.zeros(len(person.visibility))
    return np.where(person.labelled, 1.0 - np.clip(person.scores, 0.0, 1.0), 0.0)


def _tracks_of_motion(labels: VideoLabels) -> list[tuple[int, _Track]]:
    """The stays of everyone with the expected errors of linear interpolation; with track ids."""
    listed = np.array(sorted(frame.index for frame in labels.frames))
    tracks = []
    for track_id, track in given_labels(labels).tracks().items():
        for stay in find_presence_intervals(track, listed[-1] + 1):
            frames = listed[(listed >= stay.frames[0]) & (listed <= stay.frames[-1])]
            is_given = np.isin(frames, list(stay.labels))
            errors = _errors_of_interpolation(frames, stay.labels)
            tracks.append((track_id, _Track(frames, is_given, errors)))
    return tracks


def _errors_of_interpolation(frames: np.ndarray, labels: Mapping[int, PersonLabel]) -> np.ndarray:
    """[F, K] probability that linear interpolation between a person's labels is wrong."""
    given = np.array(list(labels))
    keypoints = np.stack([label.keypoints for label in labels.values()])
    labelled = np.stack([label.labelled for label in labels.values()])
    sizes = pose_sizes(keypoints, labelled)
    size = sizes[sizes > 0].mean() if (sizes > 0).any() else 1.0
    errors = np.zeros((len(frames), keypoints.shape[1]))
    for joint in np.flatnonzero(labelled.any(axis=0)):
        shown = labelled[:, joint]
        errors[:, joint] = _errors_of_joint(frames, given[shown], keypoints[shown, joint] / size)
    return errors


def _errors_of_joint(frames: np.ndarray, anchors: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[F] probability that a joint on straight lines between its labels is wrong.

    Logistic models, fitted on the training groups of the JHMDB clips. Between two labels: by the
    length of the segment, the place in it, how far the joint is between its two labels, and how
    far straight lines between their neighbours miss these two. Before the first label and after
    the last one: by the distance and the mean speed between the joint's labels.

    Args:
        frames: [F] where.
        anchors: [A] frames of the labels, ascending, at least one.
        points: [A, 2] the labels in pose sizes.
    """
    distance = np.maximum(np.abs(frames[:, None] - anchors).min(axis=1), 1)
    if len(anchors) == 1:
        return np.where(frames == anchors[0], 0.0, expit(np.log(distance) - 2.54))
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    speed = step.sum() / (anchors[-1] - anchors[0])
    beyond = 1.37 * np.log(distance) + 1.32 * np.log(speed + 0.003) + 2.4
    segment = np.clip(np.searchsorted(anchors, frames, side='right') - 1, 0, len(step) - 1)
    length = np.diff(anchors)[segment]
    place = np.clip((frames - anchors[segment]) / length, 1e-3, 1 - 1e-3)
    log_length, log_place = np.log(length), np.log(4 * place * (1 - place))
    log_moved = np.log(step[segment] + 0.03)
    if len(anchors) > 2:
        log_missed = np.log(_missed(anchors, points)[segment] + 0.03)
        odds = 1.03 * log_length + 2.09 * log_place + 1.3 * log_moved + 1.15 * log_missed + 0.35
    else:
        odds = 1.1 * log_length + 1.99 * log_place + 1.95 * log_moved - 1.15
    between = (frames > anchors[0]) & (frames < anchors[-1])
    return np.where(np.isin(frames, anchors), 0.0, expit(np.where(between, odds, beyond)))


def _missed(anchors: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[A - 1] how far straight lines past a segment's labels miss them; the mean of both."""
    share = ((anchors[1:-1] - anchors[:-2]) / (anchors[2:] - anchors[:-2]))[:, None]
    line = (1 - share) * points[:-2] + share * points[2:]
    inner = np.linalg.norm(points[1:-1] - line, axis=-1)
    missed = np.array([inner[0], *inner, inner[-1]])
    return (missed[:-1] + missed[1:]) / 2


def _frame_sums(tracks: list[_Track], errors: list[np.ndarray]) -> dict[int, float]:
    sums: dict[int, float] = {}
    for track, of_track in zip(tracks, errors, strict=True):
        for frame, value in zip(track.times.tolist(), of_track.sum(axis=1).tolist(), strict=True):
            sums[frame] = sums.get(frame, 0.0) + value
    return sums


def _worst_joints(labels: VideoLabels, frame: int, num_joints: int) -> tuple[JointCheck, ...]:
    joints = [
        JointCheck(
            person.track_id, labels.skeleton.keypoint_names[joint], float(person.scores[joint])
        )
        for person in labels.persons
        if person.frame_index == frame
        and person.source == 'propagated'
        and person.track_id is not None
        and person.scores is not None
        for joint in np.flatnonzero(person.labelled)
    ]
    return tuple(sorted(joints, key=lambda joint: joint.score)[:num_joints])
