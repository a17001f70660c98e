"""Accuracy on a video's own labels: some are hidden, filled in from the others and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from stdpose_mm.evaluation.functional import (
    CORRECT_WITHIN,
    ScoreCalibrator,
    joint_errors,
    label_sizes,
    pair_tracks,
)
from stdpose_mm.labelling.propagation import LifeSpan, Tracks, find_presence_intervals
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.text import counted, ranges

from .score_calibration import calibrate_scores

JOINT_WEIGHT = 0.5
"""Weight of each joint as a share of an independent observation, since the joints of a pose are
often wrong together."""

SHIFT_VARIANCE = 0.1
"""Variance between videos of the error of the log odds of scores."""

MAX_WORST = 3
"""Maximum number of joints that a description names."""


@dataclass(frozen=True, order=True)
class HiddenLabel:
    """A label that is hidden while the frames around it are filled in.

    Args:
        track_id: The person.
        before, frame_index, after: Frames of the label and its neighbours.
    """

    track_id: int
    before: int
    frame_index: int
    after: int


@dataclass(frozen=True)
class LabelAccuracy:
    """Accuracy with which hidden labels were filled in from the others.

    The arrays have one entry for each of the N joints that were filled in.

    Args:
        labels: The hidden labels, at least one.
        joints: Names of the joints.
        errors: Distances from the labels, in sizes of the pose
            (:func:`~stdpose_mm.evaluation.functional.label_sizes`).
        scores: Probabilities of being right, from the method.
    """

    labels: Sequence[HiddenLabel]
    joints: np.ndarray
    errors: np.ndarray
    scores: np.ndarray

    @classmethod
    def join(cls, parts: Iterable[LabelAccuracy]) -> LabelAccuracy | None:
        """Join the measurements of several frames; None if they contain no joint."""
        parts = [part for part in parts if len(part.errors)]
        if not parts:
            return None
        return cls(
            [label for part in parts for label in part.labels],
            np.concatenate([part.joints for part in parts]),
            np.concatenate([part.errors for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    @property
    def right(self) -> np.ndarray:
        """Return whether each joint is within a tenth of the pose's size of its label, bool [N]."""
        return self.errors <= CORRECT_WITHIN

    @property
    def num_frames(self) -> int:
        """Return the number of frames in which labels were hidden."""
        return len({label.frame_index for label in self.labels})

    @property
    def interval_95(self) -> tuple[float, float]:
        """Compute the 95 % interval of the share of right joints, with Jeffreys' prior."""
        from scipy.stats import beta

        right, wrong = JOINT_WEIGHT * self.right.sum(), JOINT_WEIGHT * (~self.right).sum()
        low, high = beta.ppf([0.025, 0.975], right + 0.5, wrong + 0.5)
        return float(low), float(high)

    @property
    def calibrator(self) -> ScoreCalibrator:
        """Fit the shift of the log odds of scores to this video.

        It is the most probable shift, given that shifts are normally distributed over videos, so it
        is close to 0 if few labels were hidden.
        """
        from scipy.optimize import minimize_scalar

        def surprise(shift: float) -> float:
            scores = ScoreCalibrator(offset=shift)(self.scores)
            likelihood = np.log(np.where(self.right, scores, 1 - scores)).sum()
            return float(shift**2 / (2 * SHIFT_VARIANCE) - JOINT_WEIGHT * likelihood)

        minimum = minimize_scalar(surprise, bounds=(-5, 5), method='bounded')
        return ScoreCalibrator(offset=float(minimum.x))

    def describe(self) -> str:
        """Report the shares of right and of expected right joints, and the worst joints."""
        frames = sorted({label.frame_index for label in self.labels})
        span = np.median([label.after - label.before for label in self.labels])
        low, high = (100 * limit for limit in self.interval_95)
        right, number = int(self.right.sum()), len(self.errors)
        text = (
            f'of the labels in {counted(len(frames), "frame")} ({ranges(frames)}), each hidden and '
            f'filled in from labels {span:g} frames apart, {right} of {counted(number, "joint")} '
            f'came out right: {right / number:.1%} [{low:.1f}, {high:.1f}], where '
            f'{self.scores.mean():.1%} were expected'
        )
        worst = Counter(self.joints[~self.right].tolist()).most_common(MAX_WORST)
        names = ', '.join(f'{joint} ({times})' for joint, times in worst)
        return f'{text}; most often wrong: {names}' if names else text


def choose_hidden_labels(
    tracks: Tracks,
    num_frames: int,
    life_span: LifeSpan,
    most: int,
    is_usable: Callable[[HiddenLabel], bool] = lambda label: True,
) -> list[list[HiddenLabel]]:
    """Choose labels to hide, each between two other labels of its person.

    Labels are not hidden if they give less than half of the person's labelled joints.

    Args:
        tracks: The labels.
        num_frames: Length of the video.
        life_span: Where a track begins and ends.
        most: Maximum number of frames. They are spread over those that have such labels. A further
            label changes at most one of them, so that little needs to be computed when accuracy is
            measured again.
        is_usable: Tells whether a label may be hidden.

    Returns:
        The labels of each chosen frame, in order of frames.
    """
    by_frame: dict[int, list[HiddenLabel]] = {}
    for track_id, track in tracks.items():
        ever_given = np.logical_or.reduce([label.given for label in track.values()])
        for interval in find_presence_intervals(track, num_frames, life_span):
            times = list(interval.labels)
            for place in zip(times, times[1:], times[2:], strict=False):
                number = interval.labels[place[1]].given.sum()
                if number and 2 * number >= ever_given.sum():
                    by_frame.setdefault(place[1], []).append(HiddenLabel(track_id, *place))
    # No more labels are checked than needed.
    usable = (
        hidden
        for frame in sorted(by_frame, key=_scatter)
        if (hidden := [label for label in by_frame[frame] if is_usable(label)])
    )
    return sorted(islice(usable, most), key=lambda labels: labels[0].frame_index)


def _scatter(frame: int) -> int:
    """Reverse the bits of a frame index, so that the first frames in this order lie far apart."""
    return int(f'{frame:032b}'[::-1], 2)


def remaining_labels(tracks: Tracks, hidden: Sequence[HiddenLabel]) -> Tracks:
    """Return the labels without the hidden ones."""
    left = {track_id: dict(track) for track_id, track in tracks.items()}
    for label in hidden:
        del left[label.track_id][label.frame_index]
    return left


def compare_hidden_labels(
    hidden: Sequence[HiddenLabel],
    tracks: Tracks,
    predicted: Sequence[PersonLabel],
    skeleton: Skeleton,
    method: str,
) -> LabelAccuracy:
    """Compare the poses of a frame with the labels that were hidden there.

    Args:
        hidden: The labels that were hidden, all of one frame.
        tracks: All labels.
        predicted: The poses of these people in this frame.
        skeleton: The joints.
        method: Name of the propagation method, which decides how scores become probabilities.
    """
    # In the order of pair_tracks.
    people = {label.track_id: tracks[label.track_id] for label in sorted(hidden)}
    frame = hidden[0].frame_index
    truth = [track[frame] for track in people.values()]
    sizes = np.array([label_sizes([track[frame], *track.values()])[0] for track in people.values()])
    # The scores of some methods depend on the other labels of a person.
    remaining = [p for track in remaining_labels(people, hidden).values() for p in track.values()]
    frames = sorted({p.frame_index for p in (*remaining, *truth)})
    labels = VideoLabels(
        'labels', skeleton, tuple(VideoFrame(frame) for frame in frames), tuple(truth)
    )
    scored = calibrate_scores(labels.with_persons([*remaining, *predicted]), method)
    pairs = pair_tracks(labels, scored, skeleton.keypoint_names, None)
    errors = joint_errors(pairs).pixels / sizes[:, None]
    is_measured = ~np.isnan(errors + pairs.scores)
    names = np.broadcast_to(np.array(skeleton.keypoint_names), is_measured.shape)
    return LabelAccuracy(hidden, names[is_measured], errors[is_measured], pairs.scores[is_measured])
