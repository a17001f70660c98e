"""Comparison of propagators on frames whose labels were hidden."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import (
    EVALUATED_JOINTS,
    ApAccumulator,
    accumulate_ap,
    keypoint_accuracy,
    known_ratio,
    mean_of_known,
)
from stdpose_mm.io.video import FrameSource, FrameView
from stdpose_mm.labelling.comparison.labelled_videos import shifted
from stdpose_mm.labelling.propagation import (
    BasePropagator,
    given_labels,
    propagate_subsampled,
    subsample_labels,
)
from stdpose_mm.structures import POSETRACK_SKELETON, VideoLabels
from stdpose_mm.text import counted

COLUMNS = {
    'AP': ('AP', 1),
    'PCK@0.05': ('PCK@0.05', 1),
    'PCK@0.1': ('PCK@0.1', 1),
    'PCK@0.2': ('PCK@0.2', 1),
    'error_percent': ('error %', 2),
    'error_px': ('error px', 2),
    'jitter': ('jitter', 2),
}
"""Metric -> title and number of decimals of its column."""

WITH_INTERVAL = ('PCK@0.1', 'error_percent')
"""Metrics that the tables show with a bootstrap interval."""

FrameGroup = Literal['unlabelled', 'all']


@dataclass(frozen=True)
class MetricSummary:
    """Metrics of one method on one group of frames.

    Args:
        values: Metric -> value. ``AP`` is PoseTrack's mean over the joints; for all others, every
            labelled joint counts once. NaN where there is nothing to measure.
        intervals: Metric -> 95 % bootstrap interval (low, high) over the videos.
        num_joints: Number of labelled joints that PCK was measured on.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    num_joints: int

    def cell(self, metric: str) -> str:
        """Format ``87.0 [83.8, 90.0]``: a value and its interval over the videos."""
        value, (_, decimals) = self.values[metric], COLUMNS[metric]
        if math.isnan(value):
            return '-'
        text = f'{value:.{decimals}f}'
        if metric in WITH_INTERVAL and metric in self.intervals:
            low, high = self.intervals[metric]
            text += f' [{low:.{decimals}f}, {high:.{decimals}f}]'
        return text


@dataclass(frozen=True)
class Comparison:
    """Metrics of several propagators on the same videos.

    Args:
        interval: T; every T-th frame was given.
        num_videos: Number of videos.
        num_ap_videos: Number of videos with PoseTrack's joints and head boxes, on which AP was
            measured.
        unlabelled: Method -> metrics on the frames that were not given.
        all_frames: Method -> metrics on all frames, even given ones (the published protocol).
    """

    interval: int
    num_videos: int
    num_ap_videos: int
    unlabelled: Mapping[str, MetricSummary]
    all_frames: Mapping[str, MetricSummary]

    def summaries(self, frames: FrameGroup) -> Mapping[str, MetricSummary]:
        """Return the metrics of every method on a group of frames."""
        return self.unlabelled if frames == 'unlabelled' else self.all_frames

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON fields, with null for NaN; ``intervals`` are 95 % bootstrap intervals."""
        groups = {'unlabelled_frames': self.unlabelled, 'all_frames': self.all_frames}
        return {
            'interval': self.interval,
            'videos': self.num_videos,
            'videos_of_ap': self.num_ap_videos,
            **{
                group: {method: metric_fields(row.values) for method, row in rows.items()}
                for group, rows in groups.items()
            },
            'intervals': {
                group: {method: metric_fields(row.intervals) for method, row in rows.items()}
                for group, rows in groups.items()
            },
            'joints': {
                group: max((row.num_joints for row in rows.values()), default=0)
                for group, rows in groups.items()
            },
        }

    def table(
        self, names: Mapping[str, str] | None = None, frames: FrameGroup = 'unlabelled'
    ) -> str:
        """Write a Markdown table, one row per method.

        Args:
            names: Method -> its name in the table; by default its own name.
            frames: Group of frames to tabulate.
        """
        rows = self.summaries(frames)
        metrics = [c for c in COLUMNS if any(not math.isnan(r.values[c]) for r in rows.values())]
        titles = [title_of(metric) for metric in metrics]
        if 'AP' in metrics and self.num_ap_videos < self.num_videos:
            titles[0] = f'AP ({counted(self.num_ap_videos, "video")})'
        lines = [
            f'| T = {self.interval}, {frames} frames of {counted(self.num_videos, "video")} | '
            + ' | '.join(titles)
            + ' |',
            '|---|' + '---:|' * len(metrics),
        ]
        for method, row in rows.items():
            cells = [row.cell(metric) for metric in metrics]
            lines.append(f'| {(names or {}).get(method, method)} | ' + ' | '.join(cells) + ' |')
        return '\n'.join(lines)


def compare_propagators(
    videos: Sequence[tuple[FrameSource, VideoLabels]],
    propagators: Mapping[str, BasePropagator],
    interval: int,
    progress: Callable[[str, VideoLabels], None] | None = None,
    num_bootstrap: int = 1000,
    use_truth_boxes: bool = False,
) -> Comparison:
    """Hide all labels except those of every ``interval``-th frame, propagate, and compare.

    A person labelled on no given frame cannot be propagated and counts as wrong.

    Args:
        videos: Frames and dense labels. ``frames[i]`` is the picture of frame index ``i``; indices
            need not start at 0. Only the frames from the first to the last one in the labels are
            propagated. Labels with ``source`` 'propagated' are left out.
        propagators: Method name -> propagator.
        interval: T.
        progress: Called after each video with the method and its predicted labels, which have the
            frames of the truth, in its order. Methods are run one after the other.
        num_bootstrap: Number of bootstrap draws of the videos; 0 for no intervals.
        use_truth_boxes: Whether to crop people at the boxes of the hidden labels, as in the
            published protocol, instead of boxes interpolated between the given ones.

    Raises:
        InputError: If there is no video, a video has no labels, no label is left to hide, or a
            propagator cannot use the labels.
    """
    truth = [given_labels(labels) for _, labels in videos]
    hidden = hidden_frames(truth, interval)
    unlabelled, all_frames = {}, {}
    for method, propagator in propagators.items():
        predictions = []
        for (frames, _), labels in zip(videos, truth, strict=True):
            predicted = propagate_hidden(frames, labels, interval, propagator, use_truth_boxes)
            predictions.append(predicted)
            if progress:
                progress(method, predicted)
        unlabelled[method] = _summarize(truth, predictions, hidden, num_bootstrap)
        everywhere = [labels.labelled_frame_indices for labels in truth]
        all_frames[method] = _summarize(truth, predictions, everywhere, num_bootstrap)
    return Comparison(
        interval, len(videos), sum(map(has_head_boxes, truth)), unlabelled, all_frames
    )


def hidden_frames(videos: Sequence[VideoLabels], interval: int) -> list[list[int]]:
    """List the labelled frames of each video whose labels are hidden, ascending.

    Raises:
        InputError: If there is no video, a video has no labels, or no label is left to hide.
    """
    if not videos:
        raise InputError('there is no video to compare propagators on, expected at least one')
    hidden = []
    for labels in videos:
        if not labels.persons:
            raise InputError(
                f'video {labels.name!r} has no labelled people to compare with, leave it out'
            )
        labelled = subsample_labels(labels, interval).labelled_frame_indices
        hidden.append(sorted(set(labels.labelled_frame_indices) - set(labelled)))
    if not any(hidden):
        raise InputError(
            f'an interval of {interval} hides no label in any of the {len(videos)} videos, give a '
            'larger interval or videos with more labelled frames'
        )
    return hidden


def propagate_hidden(
    frames: FrameSource,
    labels: VideoLabels,
    interval: int,
    propagator: BasePropagator,
    use_truth_boxes: bool = False,
) -> VideoLabels:
    """Propagate the labels of every ``interval``-th frame to all frames.

    See :func:`compare_propagators` for the arguments.

    Returns:
        Labels with the frames of the truth, in its order. A person labelled on no given frame is
        missing.
    """
    indices = [frame.index for frame in labels.frames]
    first = min(indices)
    dense = propagate_subsampled(
        FrameView(frames, range(first, max(indices) + 1)),
        shifted(labels, -first),
        interval,
        propagator,
        use_truth_boxes,
    )
    return labels.with_persons(shifted(dense, first).persons)


def has_head_boxes(labels: VideoLabels) -> bool:
    """Tell whether PoseTrack's AP applies: there are all its joints and everyone's head box."""
    return labels.skeleton.keypoint_names == POSETRACK_SKELETON.keypoint_names and all(
        person.head_box is not None for person in labels.persons
    )


def _summarize(
    truth: Sequence[VideoLabels],
    predictions: Sequence[VideoLabels],
    frames: Sequence[Collection[int]],
    num_bootstrap: int,
) -> MetricSummary:
    """Pool the metrics of all videos on some of their frames."""
    clips = [
        keypoint_accuracy([labels], [predicted], [chosen])
        for labels, predicted, chosen in zip(truth, predictions, frames, strict=True)
    ]
    sums = {
        name: np.array([np.nansum(c.metrics[name] * c.counts[name]) for c in clips])
        for name in clips[0].metrics
    }
    counts = {name: np.array([clip.counts[name].sum() for clip in clips]) for name in sums}
    precision = ApAccumulator(len(EVALUATED_JOINTS))
    for labels, predicted, chosen in zip(truth, predictions, frames, strict=True):
        if has_head_boxes(labels):
            precision.update(accumulate_ap(labels.keep_frames(chosen), predicted))
    has_ap = any(map(has_head_boxes, truth))
    values = {name: float(known_ratio(sums[name].sum(), counts[name].sum())) for name in sums}
    values['AP'] = mean_of_known(precision.result().ap) if has_ap else math.nan
    intervals = {}
    if num_bootstrap and len(clips) > 1:
        times = bootstrap_draws(len(clips), num_bootstrap)
        for name in sums:
            intervals[name] = interval_95(known_ratio(times @ sums[name], times @ counts[name]))
    return MetricSummary(values, intervals, int(counts['PCK@0.1'].sum()))


def bootstrap_draws(num_videos: int, num_draws: int) -> np.ndarray:
    """Draw V of V videos with replacement, with a fixed seed; return the counts [D, V]."""
    drawn = np.random.default_rng(0).integers(0, num_videos, (num_draws, num_videos))
    return np.stack([np.bincount(row, minlength=num_videos) for row in drawn])


def interval_95(samples: np.ndarray) -> tuple[float, float]:
    """Compute the central interval that holds 95 % of the values [D]; NaN if there are none."""
    finite = samples[~np.isnan(samples)]
    if not len(finite):
        return math.nan, math.nan
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)


def title_of(metric: str) -> str:
    """Return the name of a metric in tables and files."""
    return COLUMNS[metric][0] if metric in COLUMNS else metric


def comparison_csv(comparisons: Sequence[Comparison]) -> str:
    """Write all metrics as CSV, with a row for every T, group of frames and method.

    ``low`` and ``high`` are the ends of the 95 % bootstrap interval.
    """
    rows = []
    for comparison in comparisons:
        for frames in ('unlabelled', 'all'):
            for method, row in comparison.summaries(frames).items():
                cells = {'T': comparison.interval, 'frames': frames, 'method': method}
                cells['joints'] = row.num_joints
                for name, value in row.values.items():
                    low, high = row.intervals.get(name, (math.nan, math.nan))
                    for end, number in (('', value), (' low', low), (' high', high)):
                        if not math.isnan(number):
                            cells[title_of(name) + end] = f'{number:.4f}'
                rows.append(cells)
    return csv_of(rows)


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as CSV, with a column for every field of any row, in order of appearance."""
    text = io.StringIO()
    columns = dict.fromkeys(column for cells in rows for column in cells)
    writer = csv.DictWriter(text, list(columns), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def metric_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert numbers, or pairs of numbers, by metric to JSON fields; null stands for NaN."""
    return {
        title_of(name): [_rounded(number) for number in value]
        if isinstance(value, tuple)
        else _rounded(value)
        for name, value in values.items()
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
