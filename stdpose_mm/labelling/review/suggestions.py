"""Choice of the frames of a video to label next."""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import VideoLabels

from .expected_errors import TrackErrors, TrackGap, spread, sum_by_frame
from .label_plans import combine_plans, errors_by_labels, plan_frames

_MAX_CANDIDATES = 64
"""Maximum number of candidate frames in overlapping gaps: half of them spread evenly, half those
with the largest single gains."""

_MORE_CHUNKS = 4
"""Number of groups of gaps that are examined in addition to the requested number of frames."""


@dataclass(frozen=True)
class FrameSuggestion:
    """A frame worth labelling.

    Args:
        frame_index: 0-based frame.
        gain: Reduction of the expected number of wrong joints in the whole video, if the frames
            before it in the list are labelled.
    """

    frame_index: int
    gain: float


def rank_suggestions(
    labels: VideoLabels, given: Collection[int], num: int
) -> list[FrameSuggestion]:
    """Suggest the frames whose labels together help most, best first, with their gains.

    A label at ``t`` removes the mistakes at ``t`` and makes those around it rarer. A mistake is an
    error beyond a limit; its probability falls with the variance of the error as
    ``exp(-c / variance)``. An expected error ``e`` therefore becomes ``e ** (1 / v)``, where v is
    the share of the variance that the labels leave (see :mod:`~.expected_errors`). Of all sets of
    ``num`` frames, the set that leaves the smallest sum over frames, people and joints is chosen
    (see :mod:`~.label_plans`).

    Args:
        labels: A propagated video with scores (see :func:`calibrate_scores`), or given labels only.
            If no joint is propagated, the expected errors are estimated for linear interpolation
            between the labels, and only listed frames are suggested.
        given: Frames that count as labelled for everyone: a person without a label there is assumed
            to be known or not in the picture. They are never suggested.
        num: Maximum number of frames; fewer if there is nothing to gain.
    """
    return rank_gains(expected_errors(labels, given), num)


def expected_errors(labels: VideoLabels, given: Collection[int]) -> list[TrackErrors]:
    """Find the expected errors of everyone, for :func:`rank_suggestions`."""
    propagated = any(p.has_propagated_joint for p in labels.persons)
    if propagated:
        tracks = TrackErrors.from_scores(labels)
    else:
        tracks = [track for _, track in TrackErrors.of_interpolation(labels)]
    for frame in sorted(given):
        for track in tracks:
            track.label(frame)
    return tracks


def errors_beside_labels(dense: VideoLabels, known: Collection[int] = ()) -> list[TrackErrors]:
    """Find the expected errors of everyone in a propagated video, by the labels of each person.

    If others are labelled in a frame and a person is not, the person is assumed to be out of the
    picture only before its first and after its last label. Between them it is present, with the
    errors that its scores imply.

    Args:
        dense: The video.
        known: Frames that count as labelled for everyone, such as those that two other views have
            labels of.
    """
    tracks = TrackErrors.from_scores(dense, known)
    frames = {*dense.given_frame_indices}
    for track, poses in zip(tracks, dense.tracks().values(), strict=True):
        labelled = [frame for frame, person in poses.items() if person.is_given]
        for frame in sorted(frames):
            if not labelled or not labelled[0] <= frame <= labelled[-1]:
                track.label(frame)
    return tracks


def rank_gains(tracks: Sequence[TrackErrors], num: int) -> list[FrameSuggestion]:
    """Suggest frames as in :func:`rank_suggestions`, from the expected errors of everyone."""
    if num < 1:
        return []
    chunks = _useful_chunks(tracks, num)
    plans = [plan_frames(chunk.costs, num, chunk.frames) for chunk in chunks]
    # Fewer frames may leave as few errors.
    combined = combine_plans(plans, num)
    number = int(np.argmin(np.round(combined.errors, 9)))
    chosen = set(combined.frames[number])
    ranked = [pair for chunk in chunks for pair in chunk.rank(chosen)]
    ranked.sort(key=lambda pair: (-pair[1], pair[0]))
    return [FrameSuggestion(frame, gain) for frame, gain in ranked]


def expect_errors_left(tracks: Sequence[TrackErrors], by_person: bool = False) -> np.ndarray:
    """Compute the expected number of wrong joints after every number of further labels.

    The time grows with the total number of gaps, by about a second per 1,000 gaps.

    Args:
        tracks: The expected errors.
        by_person: Whether a label is the pose of one person, not all poses of a frame.

    Returns:
        [N + 1], from no further label to all labels that help.
    """
    groups = [[track] for track in tracks] if by_person else [tracks]
    chunks = (_make_chunk(group, gaps) for group in groups for gaps in _overlapping(group))
    return errors_by_labels([plan_frames(chunk.costs, None, chunk.frames) for chunk in chunks])


@dataclass(frozen=True)
class _Chunk:
    """Frames in which gaps of several people overlap in time.

    Args:
        frames: Frames to choose from, ascending.
        costs: [n + 2, n + 2] expected number of wrong joints between any two of them, see
            :func:`~.label_plans.plan_frames`.
    """

    frames: list[int]
    costs: np.ndarray

    def rank(self, chosen: Collection[int]) -> list[tuple[int, float]]:
        """List the chosen frames and the gain of each, the best first."""
        places = [place for place, frame in enumerate(self.frames, 1) if frame in chosen]
        ends = [0, len(self.costs) - 1]
        ranked = []
        while places:
            gains = []
            for place in places:
                after = bisect(ends, place)
                start, stop = ends[after - 1], ends[after]
                gains.append(
                    self.costs[start, stop] - self.costs[start, place] - self.costs[place, stop]
                )
            best = int(np.argmax(gains))
            ranked.append((self.frames[places[best] - 1], float(gains[best])))
            insort(ends, places.pop(best))
        return ranked


def _useful_chunks(tracks: Sequence[TrackErrors], num: int) -> list[_Chunk]:
    """Build the chunks that may contain the best ``num`` frames, in order of time.

    They are the chunks with the best single frames and those with the most errors, a few more than
    ``num`` of each.
    """
    groups = list(_overlapping(tracks))
    if not groups:
        return []
    gains = sum_by_frame(tracks, [track.gains() for track in tracks])
    errors = [sum(float(gap.errors.sum()) for gap in gaps) for gaps in groups]
    best_gains = [max(float(gains[gap.times].max()) for gap in gaps) for gaps in groups]
    useful: set[int] = set()
    for values in (errors, best_gains):
        useful.update(np.argsort(-np.array(values), kind='stable')[: num + _MORE_CHUNKS].tolist())
    return [_make_chunk(tracks, groups[number]) for number in sorted(useful)]


def _overlapping(tracks: Sequence[TrackErrors]) -> Iterator[list[TrackGap]]:
    """Group the gaps of all people so that different groups share no frame."""
    gaps = [gap for track in tracks for gap in track.gaps()]
    group: list[TrackGap] = []
    end = -1
    for gap in sorted(gaps, key=lambda gap: (gap.times[0], gap.times[-1])):
        if group and gap.times[0] > end:
            yield group
            group = []
        group.append(gap)
        end = max(end, gap.times[-1])
    if group:
        yield group


def _make_chunk(tracks: Sequence[TrackErrors], gaps: Sequence[TrackGap]) -> _Chunk:
    frames = np.unique(np.concatenate([gap.times for gap in gaps]))
    if len(frames) > _MAX_CANDIDATES:
        half = _MAX_CANDIDATES // 2
        gains = sum_by_frame(tracks, [track.gains() for track in tracks])
        best = frames[np.argsort(-gains[frames], kind='stable')[:half]]
        frames = np.union1d(frames[spread(len(frames), half)], best)
    costs = np.zeros((len(frames) + 2, len(frames) + 2))
    # Errors of gaps without a frame to choose, at the nearest row and column.
    untouched = np.zeros_like(costs)
    ends = np.array([-np.inf, *frames, np.inf])
    for gap in gaps:
        first, last = gap.times[0], gap.times[-1]
        inside = frames[(frames >= first) & (frames <= last)]
        # A label before the gap counts as its start, and a label after it as its stop.
        rows = np.searchsorted(inside, ends, side='right')
        rows[ends > last] = len(inside) + 1
        if len(inside):
            costs += gap.errors_between(inside)[np.ix_(rows, rows)]
        else:
            stop = int(np.argmax(rows))
            untouched[stop - 1, stop] += gap.errors.sum()
    costs += np.cumsum(np.cumsum(untouched[::-1], axis=0)[::-1], axis=1)
    return _Chunk(frames.tolist(), costs)
