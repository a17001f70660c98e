"""Expected errors of a propagated track, and how much of them a further label leaves.

``1 - score`` is the expected number of mistakes, 0 or 1, in a propagated joint. A frame next to a
bad one is bad for the same reason: in a gap between two labels the errors of neighbouring frames
are correlated like the positions of a Brownian bridge, whose variance at ``u`` between labels at
``l`` and ``r`` is ``(u - l)(r - u) / (r - l)``. A label at ``t`` reduces the variance to the share

    v(u; t) = (t - u)(r - l) / ((t - l)(r - u))    for u < t, and mirrored for u > t:

which is 0 at ``t`` itself and 1 at the previous labels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.evaluation.functional import label_sizes
from stdpose_mm.labelling.propagation import find_presence_intervals, given_labels
from stdpose_mm.structures import PersonLabel, VideoLabels, on_line

_MAX_CANDIDATES = 128
"""Maximum number of frames of a gap whose gain is computed, or whose errors are summed. They
represent the other frames, too."""

_MAX_VALUES = 2**20
"""Maximum number of values in a batch when the gains of a gap are computed."""

_MAX_ERROR = 0.98
"""Maximum of an expected error, so that a joint of score 0 can still gain from labels nearby."""


@dataclass(frozen=True)
class TrackGap:
    """Unlabelled frames of a track between two labels.

    Args:
        inside: Slice of the track's arrays.
        start: Frame of the label before. A missing label is assumed to be as far away as the track
            is long.
        stop: Frame of the label after, likewise.
        times: [n] frames of the gap.
        errors: [n, K] expected errors in them.
    """

    inside: slice
    start: float
    stop: float
    times: np.ndarray
    errors: np.ndarray

    def variance_left(self, label: float | np.ndarray) -> np.ndarray:
        """Compute the share v of the variance (see the module) that a label leaves.

        Args:
            label: Frame of the label, or [C, 1] frames of alternative labels.

        Returns:
            [n, 1], or [C, n, 1].
        """
        start, stop, times = self.start, self.stop, self.times
        before = (label - times) * (stop - start) / ((label - start) * (stop - times))
        after = (times - label) * (stop - start) / ((stop - label) * (times - start))
        return np.where(times < label, before, after)[..., None]

    def errors_left(self, label: float | np.ndarray) -> np.ndarray:
        """Compute the expected errors [n, K] with one more label.

        For alternative labels [C, 1] the result is [C, n, K].
        """
        return _reduce(self.errors, self.variance_left(label))

    def errors_between(self, labels: Sequence[int]) -> np.ndarray:
        """Compute the expected errors between any two of the further labels and ends of the gap.

        Args:
            labels: [m] frames strictly inside the gap, ascending.

        Returns:
            [m + 2, m + 2] expected number of wrong joints between label ``a`` and label ``b`` above
            the diagonal, 0 elsewhere; index 0 is the start of the gap, m + 1 the stop.
        """
        places = np.array([self.start, *labels, self.stop], dtype=np.float64)
        some = spread(len(self.times), _MAX_CANDIDATES)
        weight = len(self.times) / len(some)
        at = self.times[some]
        before = (at - self.start) * (self.stop - at) / (self.stop - self.start)
        between = np.zeros((len(places), len(places)))
        for row, start in enumerate(places[:-1]):
            stops = places[row + 1 :, None]
            variance = (at - start) * (stops - at) / (stops - start)
            # Frames outside of the two labels count no errors.
            share = np.where(at > start, variance / before, 0).clip(0, 1)[..., None]
            left = _reduce(self.errors[some], share)
            between[row, row + 1 :] = weight * left.sum(axis=(1, 2))
        between[0, -1] = self.errors.sum()
        return between


def _reduce(errors: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Compute the expected errors that are left at a share of the variance."""
    power = np.divide(1.0, share, out=np.full(share.shape, np.inf), where=share > 0)
    return np.asarray(np.minimum(errors, _MAX_ERROR) ** power)


def spread(number: int, most: int) -> np.ndarray:
    """Return at most ``most`` evenly spread indices of 0..number - 1."""
    return np.linspace(0, number - 1, min(number, most)).round().astype(np.int64)


class TrackErrors:
    """Expected errors of one person in the frames of its track.

    Args:
        times: [N] frames of the track, ascending.
        given: [N] bool: frames that are wholly labelled.
        errors: [N, K] probabilities that a joint is wrong, 0 where there is nothing to get wrong.
    """

    def __init__(self, times: np.ndarray, given: np.ndarray, errors: np.ndarray) -> None:
        self.times = times
        self.given = given.copy()
        self.errors = np.where(given[:, None], 0.0, errors)
        self._gains = np.where(given, 0.0, np.nan)
        """Gains of the frames, NaN where not computed yet."""

    @classmethod
    def from_scores(cls, labels: VideoLabels, known: Collection[int] = ()) -> list[TrackErrors]:
        """Read the expected errors of all tracks from the scores of a propagated video.

        Args:
            labels: The video.
            known: Frames that count as labelled.
        """
        return [
            cls(
                np.array(list(track)),
                np.array([t in known or _is_whole(person) for t, person in track.items()]),
                np.stack([_probably_wrong(person) for person in track.values()]),
            )
            for track in labels.tracks().values()
        ]

    @classmethod
    def of_interpolation(cls, labels: VideoLabels) -> list[tuple[int, TrackErrors]]:
        """Estimate the errors of linear interpolation from the given labels.

        Returns:
            (track id, expected errors) of every presence interval of everyone.
        """
        listed = np.array(sorted(frame.index for frame in labels.frames))
        tracks = []
        for track_id, track in given_labels(labels).tracks().items():
            for interval in find_presence_intervals(track, listed[-1] + 1):
                inside = (listed >= interval.frames[0]) & (listed <= interval.frames[-1])
                frames = listed[inside]
                whole = [f for f, label in interval.labels.items() if _is_whole(label)]
                is_given = np.isin(frames, whole)
                errors = interpolation_errors(frames, interval.labels)
                tracks.append((track_id, cls(frames, is_given, errors)))
        return tracks

    def gaps(self) -> Iterator[TrackGap]:
        """Yield the gaps between labels in order of time."""
        labels = np.flatnonzero(self.given)
        for start, stop in zip([-1, *labels], [*labels, len(self.times)], strict=True):
            if stop - start > 1:
                yield self._gap(int(start), int(stop))

    def find_gap(self, frame: int) -> TrackGap | None:
        """Find the gap that contains a frame; None if it is labelled or not in the track."""
        position = int(np.searchsorted(self.times, frame))
        if position == len(self.times) or self.times[position] != frame or self.given[position]:
            return None
        labels = np.flatnonzero(self.given)
        place = int(np.searchsorted(labels, position))
        return self._gap(
            int(labels[place - 1]) if place else -1,
            int(labels[place]) if place < len(labels) else len(self.times),
        )

    def _gap(self, start: int, stop: int) -> TrackGap:
        """Build the gap between the labels at two indices; -1 and N stand for missing labels."""
        length = self.times[-1] - self.times[0] + 1
        inside = slice(start + 1, stop)
        return TrackGap(
            inside,
            self.times[start] if start >= 0 else self.times[0] - length,
            self.times[stop] if stop < len(self.times) else self.times[-1] + length,
            self.times[inside],
            self.errors[inside],
        )

    def gains(self) -> np.ndarray:
        """Compute by how much a label on each frame reduces the expected errors.

        Returns:
            [N], 0 where there is a label.
        """
        for gap in self.gaps():
            if np.isnan(self._gains[gap.inside]).any():
                self._gains[gap.inside] = _gains_in(gap)
        return self._gains.copy()

    def label(self, frame: int) -> None:
        """Mark a frame as labelled, if it is an unlabelled frame of the track."""
        gap = self.find_gap(frame)
        if gap is None:
            return
        self.errors[gap.inside] = gap.errors_left(frame)
        position = int(np.searchsorted(self.times, frame))
        self._gains[gap.inside] = np.nan
        self._gains[position] = 0.0
        self.given[position] = True


def _gains_in(gap: TrackGap) -> np.ndarray:
    number = len(gap.times)
    candidates = spread(number, _MAX_CANDIDATES)
    at_once = max(1, _MAX_VALUES // gap.errors.size)
    parts = np.split(candidates, range(at_once, len(candidates), at_once))
    gains = [
        (gap.errors - gap.errors_left(gap.times[some][:, None])).sum(axis=(1, 2)) for some in parts
    ]
    return np.interp(np.arange(number), candidates, np.concatenate(gains))


def sum_by_frame(tracks: Sequence[TrackErrors], values: Sequence[np.ndarray]) -> np.ndarray:
    """Sum values of several tracks by frame.

    Args:
        tracks: The tracks.
        values: [N] values of each track, one per frame of the track.

    Returns:
        [F] for the frames from 0 to the last of any track, NaN where there is no track.
    """
    length = max((int(track.times[-1]) + 1 for track in tracks), default=0)
    sums = np.full(length, np.nan)
    for track in tracks:
        sums[track.times] = 0.0
    for track, of_track in zip(tracks, values, strict=True):
        sums[track.times] += of_track
    return sums


def _probably_wrong(person: PersonLabel) -> np.ndarray:
    if person.scores is None:
        return np.zeros(len(person.visibility))
    wrong = 1.0 - np.clip(person.scores, 0.0, 1.0)
    return np.where(person.labelled & ~person.given, wrong, 0.0)


def _is_whole(person: PersonLabel) -> bool:
    """Return whether a label is complete: given by a person, without propagated joints."""
    return person.is_given and not person.propagated.any()


def interpolation_errors(frames: np.ndarray, labels: Mapping[int, PersonLabel]) -> np.ndarray:
    """Estimate the probability that linear interpolation between a person's labels is wrong.

    Args:
        frames: Frame indices [F].
        labels: Frame index -> given label, frames ascending; at least one.

    Returns:
        [F, K]; 0 on labelled frames, and for joints that are never labelled.
    """
    label_times = np.array(list(labels))
    keypoints = np.stack([label.keypoints for label in labels.values()])
    is_labelled = np.stack([label.labelled for label in labels.values()])
    size = label_sizes([*labels.values()]).mean()
    errors = np.zeros((len(frames), keypoints.shape[1]))
    for joint in np.flatnonzero(is_labelled.any(axis=0)):
        rows = is_labelled[:, joint]
        errors[:, joint] = _joint_errors(frames, label_times[rows], keypoints[rows, joint] / size)
    return errors


def _joint_errors(frames: np.ndarray, labelled: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Estimate the probability [F] that a joint on straight lines between its labels is wrong.

    Logistic models, fitted on the training groups of the JHMDB clips. Between two labels the
    features are the length of the gap, the place in it, the distance between the joint's two
    labels, and the distance of these two from straight lines between their neighbours. Before the
    first and after the last label they are the distance, and the mean speed between the joint's
    labels.

    Args:
        frames: Frame indices [F].
        labelled: Frames of the joint's labels [L], ascending, at least one.
        points: Positions of these labels in pose sizes [L, 2].
    """
    from scipy.special import expit

    after = np.clip(np.searchsorted(labelled, frames), 0, len(labelled) - 1)
    before = np.maximum(after - 1, 0)
    distance = np.minimum(np.abs(frames - labelled[before]), np.abs(frames - labelled[after]))
    distance = np.maximum(distance, 1)
    if len(labelled) == 1:
        return np.where(frames == labelled[0], 0.0, expit(np.log(distance) - 2.54))
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    speed = step.sum() / (labelled[-1] - labelled[0])
    beyond = 1.37 * np.log(distance) + 1.32 * np.log(speed + 0.003) + 2.4
    gap = np.clip(np.searchsorted(labelled, frames, side='right') - 1, 0, len(step) - 1)
    length = np.diff(labelled)[gap]
    place = np.clip((frames - labelled[gap]) / length, 1e-3, 1 - 1e-3)
    log_length, log_place = np.log(length), np.log(4 * place * (1 - place))
    log_moved = np.log(step[gap] + 0.03)
    if len(labelled) > 2:
        log_missed = np.log(_deviation(labelled, points)[gap] + 0.03)
        odds = 1.03 * log_length + 2.09 * log_place + 1.3 * log_moved + 1.15 * log_missed + 0.35
    else:
        odds = 1.1 * log_length + 1.99 * log_place + 1.95 * log_moved - 1.15
    between = (frames > labelled[0]) & (frames < labelled[-1])
    return np.where(np.isin(frames, labelled), 0.0, expit(np.where(between, odds, beyond)))


def _deviation(labelled: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Compute the mean distance of each gap's two labels from lines between their neighbours."""
    share = ((labelled[1:-1] - labelled[:-2]) / (labelled[2:] - labelled[:-2]))[:, None]
    line = on_line(points[:-2], points[2:], share)
    inner = np.linalg.norm(points[1:-1] - line, axis=-1)
    missed = np.array([inner[0], *inner, inner[-1]])
    return (missed[:-1] + missed[1:]) / 2
