"""Choice of the first frames to label in unlabelled videos, by the motion of the people.

Before anything is labelled, two facts about a gap between two labels are known: its length, and the
motion in it, both in the pictures and in the boxes of a person detector. A logistic model of both
gives the probability that a joint is wrong, and dynamic programming (:mod:`.label_plans`) chooses
the frames that leave the fewest wrong joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import Boxes, method_reads_pictures
from stdpose_mm.labelling.propagation.gaps import shared_frames
from stdpose_mm.structures import fill_between

from .label_plans import LabelPlans, combine_plans, plan_frames, share_labels

_MAX_CHUNK = 120
"""Maximum number of frames planned at once; frames between chunks are always labelled."""

_BOX_SMOOTHING = 5
"""Number of frames over which boxes are averaged, since a detector's boxes jitter."""

_FLOW_SIDE = 160
"""Larger side in pixels of the pictures that motion is measured on."""

_LEAST = 0.01
"""Added to distances before their logarithm."""


@dataclass(frozen=True)
class TrackMotion:
    """Distance that a person has moved; without boxes, the motion in the whole picture.

    Args:
        frames: The frames in which the person is present.
        paths: [F, M] distances covered since the first of these frames, by M measures: 1 of
            pictures, 1 of boxes, 3 of boxes and the pictures in them.
        has_boxes: Whether boxes were measured.
    """

    frames: range
    paths: np.ndarray
    has_boxes: bool

    def later(self, number: int) -> TrackMotion:
        """Return the motion in a video that starts a number of frames later."""
        span = range(self.frames.start + number, self.frames.stop + number)
        return replace(self, frames=span)


class _ErrorModel(NamedTuple):
    """Coefficients of the log odds that a joint is wrong.

    Args:
        between: For frames between two labels: constant, length of the gap, place in the gap, and
            for each path its length over the whole gap and its length to the nearer label.
        beyond: For frames with a label on one side: constant, distance, each path to the label.
    """

    between: tuple[float, ...]
    beyond: tuple[float, ...]


_MODELS = {
    ('flow', 'pictures'): _ErrorModel((-3.704, 1.051, 0.414, -0.79, 0.996), (-2.933, 0.823, 0.094)),
    ('flow', 'boxes'): _ErrorModel((0.08, 0.041, 0.636, 0.731, 0.56), (0.498, 0.05, 1.047)),
    ('flow', 'both'): _ErrorModel(
        (0.712, -0.216, 0.166, 0.713, -0.377, 0.28, 0.191, -0.518, 1.215),
        (0.81, -0.208, 0.724, -0.897, 1.434),
    ),
    ('linear', 'pictures'): _ErrorModel(
        (-3.603, 1.341, 0.88, -0.453, 0.753), (-1.204, 0.767, 0.302)
    ),
    ('linear', 'boxes'): _ErrorModel((0.813, 0.279, 1.259, 1.271, 0.443), (3.923, -0.325, 1.796)),
    ('linear', 'both'): _ErrorModel(
        (2.171, 0.0, 0.912, 0.917, -0.521, 0.891, 0.131, 0.223, 0.448),
        (5.62, -0.636, 1.012, 0.204, 1.026),
    ),
}
"""(method, measured input) -> model, fitted on all gaps of the training groups of JHMDB's clips."""


def measure_motion(frames: FrameSource | None, boxes: Boxes | None) -> list[TrackMotion]:
    """Measure how much each person moves in a video.

    Args:
        frames: The pictures; None to use boxes only.
        boxes: Track id -> {frame index: [4] person box}; boxes of the frames between are
            interpolated. None to use pictures only.

    Returns:
        One result for each person with a box; without boxes, one for the video.

    Raises:
        InputError: If ``boxes`` holds no box.
    """
    tracks = None if boxes is None else [_fill_boxes(track) for track in boxes.values() if track]
    if tracks == []:
        raise InputError('there is no person box with a track id, give boxes of people')
    if frames is None:
        assert tracks is not None
        return [TrackMotion(span, _box_path(track)[:, None], True) for span, track in tracks]
    if tracks is None:
        whole = np.tile([0.0, 0.0, *frames.size], (len(frames), 1))
        (steps,) = _measure_steps(frames, [(range(len(frames)), whole)])
        return [TrackMotion(range(len(frames)), _path(steps[:, 1:] / frames.size[1]), False)]
    motions = []
    for (span, track), steps in zip(tracks, _measure_steps(frames, tracks), strict=True):
        number = len(steps) + 1
        paths = np.column_stack([_box_path(track[:number]), _path(steps / _size(track))])
        motions.append(TrackMotion(span[:number], paths, True))
    return motions


def _fill_boxes(track: Mapping[int, np.ndarray]) -> tuple[range, np.ndarray]:
    """Interpolate the boxes of a person; returns its frames, first to last, and boxes [F, 4]."""
    labelled_frames = sorted(track)
    span = range(labelled_frames[0], labelled_frames[-1] + 1)
    boxes = np.stack([track[frame] for frame in labelled_frames])
    return span, fill_between(span, labelled_frames, boxes)


def _size(boxes: np.ndarray) -> float:
    return max(float(np.median(boxes[:, 2:].max(axis=1))), 1.0)


def _box_path(boxes: np.ndarray) -> np.ndarray:
    """Return the path [F] of the fastest side of a person's boxes [F, 4], in box sizes."""
    from scipy.ndimage import uniform_filter1d

    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    smooth = uniform_filter1d(corners, _BOX_SMOOTHING, axis=0, mode='nearest')
    return _path(np.abs(np.diff(smooth, axis=0)).max(axis=1) / _size(boxes))


def _path(steps: np.ndarray) -> np.ndarray:
    """Sum up steps [F - 1, ...] to a path [F, ...]."""
    return np.concatenate([np.zeros((1, *steps.shape[1:])), np.cumsum(steps, axis=0)])


def _measure_steps(
    frames: FrameSource, tracks: Sequence[tuple[range, np.ndarray]]
) -> list[np.ndarray]:
    """Measure the motion inside boxes from frame to frame by optical flow.

    Args:
        frames: The pictures.
        tracks: Frames of each person and its boxes [F, 4] in them; frames after the end of the
            video are ignored.

    Returns:
        [F - 1, 2] for each person: median and 90th percentile of the flow in the box, in pixels.
    """
    from stdpose_mm.tracking.optical_flow import DISFlow

    estimator = DISFlow(max_side=_FLOW_SIDE)
    spans = [range(span.start, min(span.stop, len(frames))) for span, _ in tracks]
    steps = [np.zeros((len(span) - 1, 2)) for span in spans]
    before: np.ndarray | None = None
    for frame in range(min(s.start for s in spans), max(s.stop for s in spans)):
        picture = frames[frame]
        prepared = estimator.prepare(picture)
        if before is not None:
            scale = np.array(prepared.shape[1::-1]) / picture.shape[1::-1]
            lengths = np.linalg.norm(estimator(before, prepared) / scale, axis=-1)
            for span, (_, boxes), of_person in zip(spans, tracks, steps, strict=True):
                if frame - 1 in span and frame in span:
                    row = frame - 1 - span.start
                    corners = np.stack([boxes[row, :2], boxes[row, :2] + boxes[row, 2:]])
                    (left, top), (right, bottom) = np.round(corners * scale).astype(int)
                    inside = lengths[max(top, 0) : max(bottom, 1), max(left, 0) : max(right, 1)]
                    of_person[row] = np.quantile(inside, (0.5, 0.9)) if inside.size else 0
        before = prepared
    return steps


class UnlabelledVideo:
    """The best frames of a video to label first, for every number of frames.

    Args:
        motions: See :func:`measure_motion`.
        num_frames: Length of the video.
        method: Propagation method that will fill the other frames. The models were fitted for
            'flow' and 'linear'; other methods are treated as 'flow' if they read pictures,
            otherwise as 'linear'.

    Attributes:
        chunks: Plans of the chunks of the video; errors are counted in poses.
        fixed: Frames between these chunks.
        num_poses: Number of poses of all people in all frames.
    """

    def __init__(self, motions: Sequence[TrackMotion], num_frames: int, method: str) -> None:
        number = -(-num_frames // (_MAX_CHUNK + 1))
        bounds = np.linspace(-1, num_frames, number + 1).round().astype(int)
        self.fixed = bounds[1:-1].tolist()
        self.num_poses = sum(len(motion.frames) for motion in motions)
        self.chunks = []
        for start, stop in pairwise(bounds):
            frames = range(start + 1, stop)
            costs = sum(_expect_wrong(motion, frames, num_frames, method) for motion in motions)
            self.chunks.append(plan_frames(np.asarray(costs), frames=frames))


@dataclass(frozen=True)
class FirstLabels:
    """Frames to label first.

    Args:
        frames: Frames of each video, ascending.
        expected_right: Expected share of right joints in all frames once these are labelled.
    """

    frames: tuple[tuple[int, ...], ...]
    expected_right: float

    @property
    def number(self) -> int:
        """Return the number of frames to label."""
        return sum(map(len, self.frames))


def choose_first_labels(
    videos: Sequence[UnlabelledVideo], target: float = 1.0, max_labels: int | None = None
) -> FirstLabels:
    """Choose the frames to label first in a set of videos, with one budget for all.

    Args:
        videos: The videos.
        target: Required share of right joints over all frames.
        max_labels: Maximum number of frames in all videos; by default as many as the target needs.
            Frames between the chunks of long videos count and are always chosen.
    """
    plans = [plan for video in videos for plan in video.chunks]
    num_poses = sum(video.num_poses for video in videos)
    numbers = share_labels(plans, (1 - target) * num_poses)
    room = np.inf if max_labels is None else max_labels - sum(len(v.fixed) for v in videos)
    if sum(numbers) > room:
        numbers = _share_budget(plans, max(int(room), 0))
    shared = iter(zip(plans, numbers, strict=True))
    wrong = 0.0
    frames = []
    for video in videos:
        chosen = list(video.fixed)
        for _ in video.chunks:
            plan, number = next(shared)
            chosen += plan.frames[number]
            wrong += float(plan.errors[number])
        frames.append(tuple(sorted(chosen)))
    return FirstLabels(tuple(frames), 1 - wrong / max(num_poses, 1))


def _share_budget(plans: Sequence[LabelPlans], budget: int) -> list[int]:
    """Share a budget of labels among chunks of videos so that the fewest joints are wrong."""
    # Frames are replaced by the index of their chunk, to count them by chunk.
    named = [
        LabelPlans(plan.errors, tuple((which,) * len(frames) for frames in plan.frames))
        for which, plan in enumerate(plans)
    ]
    best = combine_plans(named, budget).frames[-1]
    return np.bincount(np.array(best, dtype=np.int64), minlength=len(plans)).tolist()


def _expect_wrong(motion: TrackMotion, frames: range, num_frames: int, method: str) -> np.ndarray:
    """Compute the expected number of wrong poses of a person between any two labels.

    Args:
        motion: Motion of the person.
        frames: The n frames to choose from; the frames before and after them are labelled if they
            exist.
        num_frames: Length of the video.
        method: See :class:`UnlabelledVideo`.

    Returns:
        [n + 2, n + 2], the input of :func:`~.label_plans.plan_frames`.
    """
    ends = np.arange(frames.start - 1, frames.stop + 1)
    costs = np.zeros((len(ends), len(ends)))
    there = shared_frames(frames, motion.frames)
    if not there:
        return costs
    at = np.array(there)
    # A labelled frame has labels only for the people who are present.
    labelled = (ends >= max(0, motion.frames.start)) & (ends < min(num_frames, motion.frames.stop))
    steps = np.clip(ends, motion.frames.start, motion.frames.stop - 1) - motion.frames.start
    path, path_at = motion.paths[steps], motion.paths[at - motion.frames.start]
    model = _model_of(motion, method)
    # [E, F] with a label at only one of the ends.
    distance = np.maximum(np.abs(ends[:, None] - at), 1)
    alone = _probability(model.beyond, [np.log(distance)], np.abs(path[:, None] - path_at))
    alone[~labelled] = 1.0
    for row, start in enumerate(ends[:-1]):
        after = slice(row + 1, None)
        wrong = np.where(labelled[after, None], alone[after], alone[row])
        if labelled[row]:
            length, done = ends[after, None] - start, at - start
            place = np.clip(done / length, 1e-3, 1 - 1e-3)
            whole = path[after, None] - path[row]
            nearer = np.minimum(np.abs(path_at - path[row]), np.abs(path[after, None] - path_at))
            terms = [np.log(length), np.log(4 * place * (1 - place))]
            paths = np.concatenate([np.broadcast_to(whole, nearer.shape), nearer], axis=-1)
            both = _probability(model.between, terms, paths)
            wrong = np.where(labelled[after, None], both, wrong)
        inside = (at > start) & (at < ends[after, None])
        costs[row, after] = np.where(inside, wrong, 0.0).sum(axis=1)
    return costs


def _probability(
    coefficients: Sequence[float], terms: Sequence[np.ndarray], paths: np.ndarray
) -> np.ndarray:
    """Compute the probability that a joint is wrong.

    Args:
        coefficients: See :class:`_ErrorModel`.
        terms: All inputs of the model except the paths.
        paths: [E, F, number of paths].
    """
    from scipy.special import expit

    constant, *others = coefficients
    odds = sum((w * term for w, term in zip(others, terms, strict=False)), np.array(constant))
    return np.asarray(expit(odds + np.log(paths + _LEAST) @ np.array(others[len(terms) :])))


def _model_of(motion: TrackMotion, method: str) -> _ErrorModel:
    measured = 'pictures' if not motion.has_boxes else ('boxes', 'both')[motion.paths.shape[1] > 1]
    family = 'flow' if method_reads_pictures(method) else 'linear'
    return _MODELS[family, measured]
