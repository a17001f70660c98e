"""Simulated annotator: how many labelled frames propagation needs, measured on full labels.

The videos of a set are one labelling project with one budget: the PCK@0.1 over all joints of all
videos counts, and the next label goes where it helps most, in any of the videos.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, joint_errors, pair_tracks
from stdpose_mm.io.labelled_videos import shifted
from stdpose_mm.io.labels import list_all_frames
from stdpose_mm.io.video import FrameSource, FrameView
from stdpose_mm.propagation import (
    BasePropagator,
    GapPoses,
    given_labels,
    propagate_frames,
    subsample_labels,
)
from stdpose_mm.review import (
    TrackErrors,
    UnlabelledVideo,
    calibrate_scores,
    choose_first_labels,
    expected_errors,
    measure_motion,
    rank_gains,
)
from stdpose_mm.structures import VideoLabels, person_box

from .label_choice_limits import measure_gap_errors

Measured = Literal['all', 'unlabelled']
MEASURED: tuple[Measured, ...] = ('all', 'unlabelled')

Measurement = Literal['pictures', 'boxes', 'both']
MEASUREMENTS: tuple[Measurement, ...] = get_args(Measurement)
"""Measures of the motion in unlabelled videos."""

_NUM_SEARCHED = 6
"""Number of budgets of planned labels that are tried."""

COARSE_INTERVALS = (30, 20, 15, 10, 7, 5, 3, 2)
"""Values of T that are tried first."""


@dataclass(frozen=True)
class LabellingState:
    """State of a set of videos after some frames were labelled and the rest propagated.

    Args:
        labelled: Number of labelled frames of all videos.
        pck_all: Per cent of the joints within a tenth of the pose's size, over all frames; joints
            of labelled frames are correct. This is the accuracy of the resulting labels.
        pck_unlabelled: The same over the frames that were not labelled; 100 if all were labelled.
        interval: T, if every T-th frame is labelled.
    """

    labelled: int
    pck_all: float
    pck_unlabelled: float
    interval: int | None = None

    def pck(self, measured: Measured) -> float:
        """Return the PCK@0.1 over a group of frames."""
        return self.pck_all if measured == 'all' else self.pck_unlabelled


def labels_needed(
    states: Sequence[LabellingState], target: float, measured: Measured
) -> LabellingState | None:
    """Find the state with the fewest labels that reaches a PCK@0.1; ``None`` if none does."""
    reached = [state for state in states if state.pck(measured) >= target]
    return min(reached, key=lambda state: state.labelled, default=None)


def labels_at(states: Sequence[LabellingState], target: float, measured: Measured) -> float | None:
    """Interpolate the number of labelled frames at which a PCK@0.1 is reached.

    T takes whole numbers only, so that the first T that reaches the target may overshoot it; linear
    interpolation between two states avoids such steps.

    Returns:
        ``None`` if no state reaches the target.
    """
    before: LabellingState | None = None
    for state in sorted(states, key=lambda state: state.labelled):
        pck = state.pck(measured)
        if pck >= target:
            if before is None:
                return float(state.labelled)
            low = before.pck(measured)
            share = (target - low) / (pck - low)
            return before.labelled + share * (state.labelled - before.labelled)
        before = state
    return None


def effort_table(
    uniform: Sequence[LabellingState],
    suggested: Sequence[LabellingState],
    target: float,
    num_frames: int,
) -> str:
    """Write a Markdown table of the labelled frames that uniform and suggested labels need.

    Args:
        uniform: States of :func:`label_uniformly`.
        suggested: States of :func:`label_suggested`.
        target: PCK@0.1 in per cent.
        num_frames: Number of frames of all videos, for shares.
    """
    lines = [
        f'| labelled frames for a PCK@0.1 of {target:g} % over | uniform T '
        '| uniform, between two T | suggested | fewer than uniform T | fewer than between two T |',
        '|---|---:|---:|---:|---:|---:|',
    ]
    for measured in MEASURED:
        between = labels_at(uniform, target, measured)
        spaced, chosen = (labels_needed(s, target, measured) for s in (uniform, suggested))
        cells = [
            _format_ratio(spaced, num_frames)
            + (f', T = {spaced.interval}' if spaced is not None else ''),
            _format_ratio(between, num_frames),
            _format_ratio(chosen, num_frames),
            _saved(chosen, spaced),
            _saved(chosen, between),
        ]
        lines.append(f'| {measured} frames | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


class AnnotatedVideo:
    """A video with full labels, some of which a simulated annotator gives.

    Args:
        frames: Frames of the video by frame index.
        truth: Full labels.
        propagator: Propagator that fills the other frames.

    Raises:
        InputError: If the video has no labels.
    """

    def __init__(self, frames: FrameSource, truth: VideoLabels, propagator: BasePropagator) -> None:
        truth = given_labels(truth)
        labelled = truth.labelled_frame_indices
        if not labelled:
            raise InputError(
                f'video {truth.name!r} has no labelled people to compare with, leave it out'
            )
        first, last = labelled[0], labelled[-1]
        kept = [frame for frame in truth.frames if first <= frame.index <= last]
        self.name = truth.name
        self.truth = shifted(replace(truth, frames=tuple(kept)), -first)
        self.labelled_frames = self.truth.labelled_frame_indices
        self.num_frames = last + 1 - first
        self._frames = FrameView(frames, range(first, last + 1))
        self._propagator = propagator
        self._cache: dict[str, GapPoses] = {}

    def first_frames(self) -> set[int]:
        """Choose few frames that show everybody, each in the middle of a person's track."""
        chosen: set[int] = set()
        for track in sorted(self.truth.tracks().values(), key=len, reverse=True):
            if chosen.isdisjoint(track):
                chosen.add(list(track)[len(track) // 2])
        return chosen

    def propagate(self, given: Collection[int]) -> VideoLabels:
        """Propagate the labels of the given frames to all others.

        Only gaps that did not exist at the last call are computed.
        """
        labels = self.truth.keep_frames(given)
        persons = [
            person
            for _, people in propagate_frames(
                self._frames,
                labels.tracks(),
                labels.skeleton,
                self._propagator,
                self._cache,
            )
            for person in people
        ]
        return list_all_frames(labels, self._frames).with_persons(persons)

    def measure_gap_errors(self) -> np.ndarray:
        """Count the wrong joints between any two frames; see :func:`measure_gap_errors`."""
        return measure_gap_errors(self._frames, self.truth, self._propagator)

    def plan_first_labels(self, measured: Measurement, method: str) -> UnlabelledVideo:
        """Plan which frames to label before any is labelled.

        Args:
            measured: Measurement of motion. True boxes stand in for a tracker's boxes.
            method: Name of the propagation method.
        """
        boxes = {
            track_id: {
                frame: person_box(label) for frame, label in track.items() if label.labelled.any()
            }
            for track_id, track in self.truth.tracks().items()
        }
        motions = measure_motion(
            None if measured == 'boxes' else self._frames,
            None if measured == 'pictures' else boxes,
        )
        return UnlabelledVideo(motions, len(self._frames), method)

    def nearest_labelled(self, frames: Collection[int]) -> set[int]:
        """Replace frames by the nearest ones with true labels."""
        there = np.array(self.labelled_frames)
        return {int(there[np.abs(there - frame).argmin()]) for frame in frames}

    def only_labelled(self, dense: VideoLabels) -> VideoLabels:
        """Keep the people and frames with true labels, as others cannot be labelled here.

        The annotator is assumed to know who is in the picture when.
        """
        kept = set(self.labelled_frames)
        there = {(person.track_id, person.frame_index) for person in self.truth.persons}
        return replace(
            dense,
            frames=tuple(frame for frame in dense.frames if frame.index in kept),
            persons=tuple(p for p in dense.persons if (p.track_id, p.frame_index) in there),
        )

    def count(self, dense: VideoLabels) -> np.ndarray:
        """Count [2, 2] joints: correct and all, in all frames and in the frames not labelled."""
        pairs = pair_tracks(self.truth, dense, self.truth.skeleton.keypoint_names, None)
        errors = joint_errors(pairs)
        joints = np.stack([errors.relative <= CORRECT_WITHIN, errors.sized])
        return np.stack([joints.sum((1, 2)), (joints & ~pairs.given).sum((1, 2))])


def label_uniformly(
    videos: Sequence[AnnotatedVideo], target: float, max_interval: int = 30
) -> Iterator[LabellingState]:
    """Label every T-th frame of every video, T falling until a PCK@0.1 is reached.

    T falls in large steps until the target is reached over all and over the unlabelled frames. Then
    the values between the last T that is too large and the first that is small enough are tried,
    from above; a larger T that reaches the target by chance is not searched for.

    Args:
        videos: Videos of the set.
        target: PCK@0.1 in per cent.
        max_interval: First T, at least 2.

    Yields:
        State for each T.
    """
    states: dict[int, LabellingState] = {}

    def reached(measured: Measured) -> bool:
        return any(state.pck(measured) >= target for state in states.values())

    for interval in sorted({max_interval, *(t for t in COARSE_INTERVALS if t < max_interval)})[
        ::-1
    ]:
        states[interval] = _label_at_interval(videos, interval)
        yield states[interval]
        if all(map(reached, MEASURED)):
            break
    for measured in MEASURED:
        enough = [t for t, state in states.items() if state.pck(measured) >= target]
        larger = [t for t in states if enough and t > max(enough)]
        for interval in range(min(larger, default=0) - 1, max(enough, default=0), -1):
            if interval not in states:
                states[interval] = _label_at_interval(videos, interval)
                yield states[interval]
            if states[interval].pck(measured) >= target:
                break


def _label_at_interval(videos: Sequence[AnnotatedVideo], interval: int) -> LabellingState:
    given = [set(subsample_labels(v.truth, interval).labelled_frame_indices) for v in videos]
    counts = [
        video.count(video.propagate(frames)) for video, frames in zip(videos, given, strict=True)
    ]
    return _state(given, counts, interval)


def label_suggested(
    videos: Sequence[AnnotatedVideo], method: str, step: int
) -> Iterator[LabellingState]:
    """Label the frames that :func:`~stdpose_mm.review.rank_suggestions` suggests.

    The annotator begins with a frame in the middle of everyone's track. Then it repeatedly labels
    the ``step`` best frames of the whole set and propagates the videos with a new label again,
    until no label brings a gain.

    Args:
        videos: Videos of the set.
        method: Name of the propagation method, see :func:`~stdpose_mm.review.calibrate_scores`.
        step: Number of labels between two propagations.

    Yields:
        State at the beginning and after each step.
    """
    if step < 1:
        raise InputError(f'the number of labels per step must be at least 1, got {step}')
    given = [video.first_frames() for video in videos]
    counts: dict[int, np.ndarray] = {}
    tracks: dict[int, list[TrackErrors]] = {}
    # Frames of the whole set, as if it were one video.
    firsts = np.cumsum([0, *(video.num_frames for video in videos)])
    changed = set(range(len(videos)))
    while changed:
        for number in changed:
            video, frames = videos[number], given[number]
            dense = video.propagate(frames)
            counts[number] = video.count(dense)
            known = video.only_labelled(calibrate_scores(dense, method))
            tracks[number] = [
                TrackErrors(track.times + firsts[number], track.given, track.errors)
                for track in expected_errors(known, frames)
            ]
        yield _state(given, counts.values())
        everyone = [track for number in range(len(videos)) for track in tracks[number]]
        changed = set()
        for suggestion in rank_gains(everyone, step):
            number = int(np.searchsorted(firsts, suggestion.frame_index, side='right')) - 1
            given[number].add(suggestion.frame_index - int(firsts[number]))
            changed.add(number)


def label_planned(
    videos: Sequence[AnnotatedVideo], planned: Sequence[UnlabelledVideo], target: float
) -> Iterator[LabellingState]:
    """Label the frames that are chosen before anything is labelled.

    The first state has the number of labels that the plan announces for the target; then fewer or
    more labels are tried, to find the number that is needed.

    Args:
        videos: Videos of the set.
        planned: Their plans, see :meth:`AnnotatedVideo.plan_first_labels`.
        target: PCK@0.1 in per cent.

    Yields:
        State with the announced labels, then with each further number of labels.
    """
    share = target / 100
    low, high = max(2 * share - 1, 0), 1.0
    for _ in range(_NUM_SEARCHED):
        chosen = choose_first_labels(planned, share).frames
        given = [
            video.nearest_labelled(frames) for video, frames in zip(videos, chosen, strict=True)
        ]
        state = _state(given, [v.count(v.propagate(f)) for v, f in zip(videos, given, strict=True)])
        yield state
        low, high = (low, share) if state.pck_all >= target else (share, high)
        share = (low + high) / 2


def _state(
    given: Sequence[Collection[int]], counts: Iterable[np.ndarray], interval: int | None = None
) -> LabellingState:
    totals = np.sum(list(counts), axis=0).tolist()
    pck_all, pck_unlabelled = (100 * right / total if total else 100.0 for right, total in totals)
    return LabellingState(sum(map(len, given)), pck_all, pck_unlabelled, interval)


def _format_ratio(state: LabellingState | float | None, num_frames: int) -> str:
    if state is None:
        return 'never'
    labelled = _labelled(state)
    return f'{labelled:.0f} ({100 * labelled / num_frames:.1f} %)'


def _saved(chosen: LabellingState | None, other: LabellingState | float | None) -> str:
    if chosen is None or other is None:
        return '-'
    return f'{100 * (1 - chosen.labelled / _labelled(other)):.0f} %'


def _labelled(state: LabellingState | float) -> float:
    return state.labelled if isinstance(state, LabellingState) else state
