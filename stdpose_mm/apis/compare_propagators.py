"""How well propagators fill in the frames whose labels were hidden."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import (
    evaluate_posetrack,
    keypoint_accuracy,
    mean_of_known,
    pose_sizes,
)
from stdpose_mm.propagation import (
    BasePropagator,
    Frames,
    given_labels,
    keep_every,
    repropagate,
)
from stdpose_mm.structures import POSETRACK_SKELETON, VideoLabels

from .labelled_videos import Stretch, shifted

FrameGroup = Literal['unlabelled', 'all']

COLUMNS = {
    'AP': ('AP', 1),
    'PCK@0.05': ('PCK@0.05', 1),
    'PCK@0.1': ('PCK@0.1', 1),
    'PCK@0.2': ('PCK@0.2', 1),
    'error_percent': ('error %', 2),
    'error_px': ('error px', 2),
    'jitter': ('jitter', 2),
}
"""Figure -> title and decimals of its column."""

WITH_INTERVAL = ('PCK@0.1', 'error_percent')
"""Figures whose bootstrap interval is given."""


@dataclass(frozen=True)
class Figures:
    """What one method reached on one group of frames.

    Args:
        values: Figure -> value. ``AP`` is PoseTrack's mean over its joints; all others are pooled:
            every labelled joint counts once. NaN where there is nothing to measure.
        intervals: Figure -> (low, high), where 95 % of the values lie when as many videos are
            drawn again with replacement.
        num_joints: Labelled joints that PCK was measured on.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    num_joints: int


@dataclass(frozen=True)
class Comparison:
    """Figures of several propagators on the same videos.

    Args:
        interval: T, every T-th frame was given.
        num_videos: How many videos were measured on.
        num_ap_videos: How many of them AP was measured on: those with PoseTrack's joints and head
            boxes.
        unlabelled: Method -> figures on the frames that were not given.
        all_frames: The same on all frames, given ones included (the published protocol).
    """

    interval: int
    num_videos: int
    num_ap_videos: int
    unlabelled: dict[str, Figures]
    all_frames: dict[str, Figures]

    def figures(self, frames: FrameGroup) -> dict[str, Figures]:
        """Method -> figures on a group of frames."""
        return self.unlabelled if frames == 'unlabelled' else self.all_frames

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file; null stands for NaN, ``intervals`` are 95 % bootstrap intervals."""
        groups = {'unlabelled_frames': self.unlabelled, 'all_frames': self.all_frames}
        return {
            'interval': self.interval,
            'videos': self.num_videos,
            'videos_of_ap': self.num_ap_videos,
            **{
                group: {
                    method: {_title(name): _rounded(v) for name, v in figures.values.items()}
                    for method, figures in methods.items()
                }
                for group, methods in groups.items()
            },
            'intervals': {
                group: {
                    method: {
                        _title(name): [_rounded(low), _rounded(high)]
                        for name, (low, high) in figures.intervals.items()
                    }
                    for method, figures in methods.items()
                }
                for group, methods in groups.items()
            },
            'joints': {
                group: max((figures.num_joints for figures in methods.values()), default=0)
                for group, methods in groups.items()
            },
        }

    def table(
        self, names: Mapping[str, str] | None = None, frames: FrameGroup = 'unlabelled'
    ) -> str:
        """A Markdown table, one row per method.

        Args:
            names: Method -> what to call it in the table; by default its own name.
            frames: Which frames it is about.
        """
        names = names or {}
        rows = self.figures(frames)
        figures = [c for c in COLUMNS if any(not math.isnan(f.values[c]) for f in rows.values())]
        titles = [self._column(figure) for figure in figures]
        lines = [
            f'| T = {self.interval}, {frames} frames of {_videos(self.num_videos)} | '
            + ' | '.join(titles)
            + ' |',
            '|---|' + '---:|' * len(figures),
        ]
        for method, row in rows.items():
            cells = [_cell(row, figure) for figure in figures]
            lines.append(f'| {names.get(method, method)} | ' + ' | '.join(cells) + ' |')
        return '\n'.join(lines)

    def _column(self, figure: str) -> str:
        title = _title(figure)
        if figure == 'AP' and self.num_ap_videos < self.num_videos:
            return f'{title} ({_videos(self.num_ap_videos)})'
        return title


def compare_propagators(
    videos: Sequence[tuple[Frames, VideoLabels]],
    propagators: Mapping[str, BasePropagator],
    interval: int,
    progress: Callable[[str, VideoLabels], None] | None = None,
    num_bootstrap: int = 1000,
    use_truth_boxes: bool = False,
) -> Comparison:
    """Hide all labels but every ``interval``-th frame's, propagate, and compare.

    Whoever is labelled on no given frame cannot be propagated and counts as wrong.

    Args:
        videos: Frames and dense labels. ``frames[i]`` is the picture of frame index ``i``; indices
            need not start at 0, and only the stretch from the first to the last frame that the
            labels list is propagated.
        propagators: Method name -> propagator.
        interval: T.
        progress: Called with the method and its predicted labels after each video, video by video
            for one method after the other. The labels have the frames of the truth, in its order.
        num_bootstrap: How often videos are drawn for the intervals; 0 for none.
        use_truth_boxes: Crop people at the boxes of the hidden labels, as the published protocol
            does, instead of boxes interpolated between the given ones.

    Raises:
        InputError: If there is no video, one has no labels, none is left to hide, or a propagator
            cannot take the labels.
    """
    if not videos:
        raise InputError('there is no video to compare propagators on, expected at least one')
    truth = [given_labels(labels) for _, labels in videos]
    for labels in truth:
        if not labels.persons:
            raise InputError(
                f'video {labels.name!r} has no labelled people to compare with, leave it out'
            )
    given = [set(keep_every(labels, interval).labelled_frame_indices) for labels in truth]
    hidden = [
        [frame for frame in labels.labelled_frame_indices if frame not in frames]
        for labels, frames in zip(truth, given, strict=True)
    ]
    if not any(hidden):
        raise InputError(
            f'with an interval of {interval} no label is hidden in any of the {len(videos)} '
            'videos, give a larger interval or videos with more labelled frames'
        )
    unlabelled: dict[str, Figures] = {}
    all_frames: dict[str, Figures] = {}
    for method, propagator in propagators.items():
        predictions = []
        for (frames, _), labels in zip(videos, truth, strict=True):
            predictions.append(
                _propagate_hidden(frames, labels, interval, propagator, use_truth_boxes)
            )
            if progress:
                progress(method, predictions[-1])
        unlabelled[method] = _figures(truth, predictions, hidden, num_bootstrap)
        all_frames[method] = _figures(
            truth, predictions, [labels.labelled_frame_indices for labels in truth], num_bootstrap
        )
    num_ap_videos = sum(map(_has_head_boxes, truth))
    return Comparison(interval, len(videos), num_ap_videos, unlabelled, all_frames)


def mean_motion(labels: VideoLabels) -> float:
    """How fast people move: displacement of the joints per frame, in sizes of the pose.

    A track's motion is the mean displacement of its joints between one labelled frame and the
    next, per frame, divided by its mean pose size (larger side of the tight box around the
    labelled joints). The mean over the tracks is weighted by their joint displacements.

    Returns:
        0 if nobody is labelled on two frames.
    """
    total, count = 0.0, 0
    for track in given_labels(labels).tracks().values():
        steps = []
        for (frame, label), (next_frame, next_label) in pairwise(track.items()):
            both = label.labelled & next_label.labelled
            distance = np.linalg.norm(next_label.keypoints - label.keypoints, axis=-1)
            steps.extend(distance[both] / (next_frame - frame))
        sizes = pose_sizes(
            np.stack([label.keypoints for label in track.values()]),
            np.stack([label.labelled for label in track.values()]),
        )
        if steps and sizes.any():
            total += sum(steps) / sizes[sizes > 0].mean()
            count += len(steps)
    return total / count if count else 0.0


def _propagate_hidden(
    frames: Frames,
    truth: VideoLabels,
    interval: int,
    propagator: BasePropagator,
    use_truth_boxes: bool,
) -> VideoLabels:
    indices = [frame.index for frame in truth.frames]
    first = min(indices)
    stretch = Stretch(frames, first, max(indices) - first + 1)
    dense = repropagate(stretch, shifted(truth, -first), interval, propagator, use_truth_boxes)
    return truth.with_persons(shifted(dense, first).persons)


def _figures(
    truth: Sequence[VideoLabels],
    predictions: Sequence[VideoLabels],
    frames: Sequence[Sequence[int]],
    num_bootstrap: int,
) -> Figures:
    accuracy = keypoint_accuracy(truth, predictions, frames)
    values = accuracy.pooled()
    with_heads = [
        (gt.keep_frames(kept), prediction)
        for gt, prediction, kept in zip(truth, predictions, frames, strict=True)
        if _has_head_boxes(gt)
    ]
    values['AP'] = math.nan
    if with_heads:
        scores = evaluate_posetrack([gt for gt, _ in with_heads], [p for _, p in with_heads])
        values['AP'] = mean_of_known(scores.ap)
    intervals = {}
    if num_bootstrap and len(truth) > 1:
        videos = [
            keypoint_accuracy([gt], [prediction], [kept])
            for gt, prediction, kept in zip(truth, predictions, frames, strict=True)
        ]
        for name in WITH_INTERVAL:
            counts = np.array([video.counts[name] for video in videos])
            sums = np.nansum(np.array([video.rows()[name] for video in videos]) * counts, axis=1)
            intervals[name] = bootstrap_interval(sums, counts.sum(axis=1), num_bootstrap)
    return Figures(values, intervals, int(accuracy.counts['PCK@0.1'].sum()))


def bootstrap_interval(sums: np.ndarray, counts: np.ndarray, num_draws: int) -> tuple[float, float]:
    """Where the middle 95 % of a pooled mean lie when the videos are drawn again.

    The same arguments give the same interval.

    Args:
        sums: [V] what was measured, summed up per video.
        counts: [V] over how many values.
        num_draws: How often V videos are drawn with replacement.

    Returns:
        (low, high), NaN if there is no value at all.
    """
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(sums), (num_draws, len(sums)))
    total = counts[chosen].sum(axis=1)
    means = sums[chosen].sum(axis=1)[total > 0] / total[total > 0]
    if not len(means):
        return math.nan, math.nan
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _has_head_boxes(video: VideoLabels) -> bool:
    return video.skeleton.keypoint_names == POSETRACK_SKELETON.keypoint_names and all(
        person.head_box is not None for person in video.persons
    )


def _title(figure: str) -> str:
    """What tables and JSON files call a figure."""
    return COLUMNS[figure][0] if figure in COLUMNS else figure


def _cell(row: Figures, figure: str) -> str:
    value, (_, decimals) = row.values[figure], COLUMNS[figure]
    if math.isnan(value):
        return '-'
    text = f'{value:.{decimals}f}'
    if figure in row.intervals:
        low, high = row.intervals[figure]
        text += f' [{low:.{decimals}f}, {high:.{decimals}f}]'
    return text


def _videos(number: int) -> str:
    return f'{number} video' if number == 1 else f'{number} videos'


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
