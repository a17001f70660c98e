"""The expected errors of a propagated track, and what a further label leaves of them.

``1 - score`` is the expected number of mistakes in a propagated joint, 0 or 1 of them. The
neighbour of a bad frame is bad for the same reason: in a gap between two labels the errors of
neighbouring frames are correlated like the positions of a Brownian bridge, whose variance at ``u``
between labels at ``l`` and ``r`` is ``(u - l)(r - u) / (r - l)``. A label at ``t`` reduces it to
the share

    v(u; t) = (t - u)(r - l) / ((t - l)(r - u))    for u < t, and mirrored for u > t:

which is 0 at ``t`` itself and 1 at the previous labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.propagation import find_presence_intervals, given_labels
from stdpose_mm.structures import PersonLabel, VideoLabels

from .interpolation_errors import interpolation_errors

_MAX_CANDIDATES = 128
"""Maximum number of frames of a gap whose gain is computed, or whose errors are summed; they also
represent the other frames."""

_MAX_VALUES = 2**20
"""Maximum number of values in one batch for the gains of a gap."""

_MAX_ERROR = 0.98
"""Limit of an expected error, so that a joint of score 0 may still gain from labels nearby."""


@dataclass(frozen=True)
class TrackGap:
    """Unlabelled frames of a track between two labels.

    Args:
        inside: Slice of the track's arrays.
        start, stop: Frames of the labels. A missing label on one side is assumed as
            far away as the track is long.
    """

    inside: slice
    start: float
    stop: float

    def variance_left(self, times: np.ndarray, label: float | np.ndarray) -> np.ndarray:
        """Compute the share v of the variance (see the module) that a label leaves.

        Args:
            times: [n] frames of the gap.
            label: Frame of the label, or [C, 1] of several.

        Returns:
            [n, 1], or [C, n, 1].
        """
        start, stop = self.start, self.stop
        before = (label - times) * (stop - start) / ((label - start) * (stop - times))
        after = (times - label) * (stop - start) / ((stop - label) * (times - start))
        return np.where(times < label, before, after)[..., None]

    def errors_between(
        self, times: np.ndarray, errors: np.ndarray, labels: Sequence[int]
    ) -> np.ndarray:
        """Compute the expected errors between any two further labels, and the ends of the gap.

        Args:
            times: [n] frames of the gap.
            errors: [n, K] expected errors in them.
            labels: [m] frames strictly inside of the gap, ascending.

        Returns:
            [m + 2, m + 2] expected number of wrong joints between label ``a`` and label ``b`` above
            the diagonal, 0 elsewhere; index 0 is the start of the gap, m + 1 the stop.
        """
        places = np.array([self.start, *labels, self.stop], dtype=np.float64)
        some = _spread(len(times), _MAX_CANDIDATES)
        weight = len(times) / len(some)
        at, left = times[some], np.minimum(errors[some], _MAX_ERROR)
        before = (at - self.start) * (self.stop - at) / (self.stop - self.start)
        between = np.zeros((len(places), len(places)))
        for row, start in enumerate(places[:-1]):
            stops = places[row + 1 :, None]
            variance = (at - start) * (stops - at) / (stops - start)
            # Frames that are not between the two labels count no errors.
            share = np.where(at > start, variance / before, 0).clip(0, 1)[..., None]
            power = np.divide(1.0, share, out=np.full(share.shape, np.inf), where=share > 0)
            between[row, row + 1 :] = weight * (left**power).sum(axis=(1, 2))
        between[0, -1] = errors.sum()
        return between

    def errors_left(
        self, times: np.ndarray, errors: np.ndarray, label: float | np.ndarray
    ) -> np.ndarray:
        """Compute the expected errors [n, K] with one more label from the errors without it.

        For alternative labels [C, 1] the result is [C, n, K].
        """
        share = self.variance_left(times, label)
        power = np.divide(1.0, share, out=np.full(share.shape, np.inf), where=share > 0)
        return np.minimum(errors, _MAX_ERROR) ** power


class TrackErrors:
    """Expected errors of one person in its frames.

    Args:
        times: Frames of the track [N], ascending.
        given: Whether each is wholly labelled, bool [N].
        errors: Probability that a joint is wrong [N, K], 0 where there is nothing to get wrong.
    """

    def __init__(self, times: np.ndarray, given: np.ndarray, errors: np.ndarray) -> None:
        self.times = times
        self.given = given.copy()
        self.errors = np.where(given[:, None], 0.0, errors)
        self._gains = np.where(given, 0.0, np.nan)
        """Gains of the frames, NaN where they are not computed yet."""

    @classmethod
    def from_scores(cls, labels: VideoLabels) -> list[TrackErrors]:
        """Read the expected errors of all tracks from the scores of a propagated video."""
        return [
            cls(
                np.array(list(track)),
                np.array([_is_whole(person) for person in track.values()]),
                np.stack([_expected_errors(person) for person in track.values()]),
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
        """Yield the gaps between labels in the order of time."""
        labels = np.flatnonzero(self.given)
        for start, stop in zip([-1, *labels], [*labels, len(self.times)], strict=True):
            if stop - start > 1:
                yield self._gap(int(start), int(stop))

    def find_gap(self, frame: int) -> TrackGap | None:
        """Find the gap that holds a frame; None if it is labelled, or no frame of the track."""
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
        """Make the gap between the labels at two positions; -1 and N stand for missing labels."""
        length = self.times[-1] - self.times[0] + 1
        return TrackGap(
            slice(start + 1, stop),
            self.times[start] if start >= 0 else self.times[0] - length,
            self.times[stop] if stop < len(self.times) else self.times[-1] + length,
        )

    def gains(self) -> np.ndarray:
        """Compute for every frame by how much a label there reduces the expected errors.

        Returns:
            [N], 0 where there is a label.
        """
        while len(unknown := np.flatnonzero(np.isnan(self._gains))):
            if len(unknown) == (~self.given).sum():
                for gap in self.gaps():
                    self._gains[gap.inside] = self._gains_in(gap)
                break
            found = self.find_gap(int(self.times[unknown[0]]))
            assert found is not None
            self._gains[found.inside] = self._gains_in(found)
        return self._gains.copy()

    def label(self, frame: int) -> bool:
        """Mark a frame as labelled; return whether it was an unlabelled frame of the track."""
        gap = self.find_gap(frame)
        if gap is None:
            return False
        self.errors[gap.inside] = gap.errors_left(
            self.times[gap.inside], self.errors[gap.inside], frame
        )
        position = int(np.searchsorted(self.times, frame))
        self._gains[gap.inside] = np.nan
        self._gains[position] = 0.0
        self.given[position] = True
        return True

    def _gains_in(self, gap: TrackGap) -> np.ndarray:
        times, errors = self.times[gap.inside], self.errors[gap.inside]
        candidates = _spread(len(times), _MAX_CANDIDATES)
        number = len(candidates)
        at_once = max(1, _MAX_VALUES // errors.size)
        gain = np.concatenate(
            [
                (errors - gap.errors_left(times, errors, times[some][:, None])).sum(axis=(1, 2))
                for start in range(0, number, at_once)
                for some in [candidates[start : start + at_once]]
            ]
        )
        return np.interp(np.arange(len(times)), candidates, gain)


def _spread(number: int, most: int) -> np.ndarray:
    """Return at most ``most`` places out of 0..number - 1, spread evenly."""
    return np.linspace(0, number - 1, min(number, most)).round().astype(np.int64)


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


def _expected_errors(person: PersonLabel) -> np.ndarray:
    if person.scores is None:
        return np.zeros(len(person.visibility))
    wrong = 1.0 - np.clip(person.scores, 0.0, 1.0)
    return np.where(person.labelled & ~person.given, wrong, 0.0)


def _is_whole(person: PersonLabel) -> bool:
    """Tell whether a label is complete: given by a person, without propagated joints."""
    return person.source == 'given' and not person.propagated.any()
