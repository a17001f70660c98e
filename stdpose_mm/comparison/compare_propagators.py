"""Comparison of propagators on frames whose labels were hidden."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import BasePropagator
from stdpose_mm.structures import VideoLabels
from stdpose_mm.text import counted

from .clip_errors import ClipErrors, FrameGroup, HiddenVideo, hide_labels, measure, propagate_hidden
from .clip_statistics import (
    GIVEN_OR_NOT,
    ClipBootstrap,
    Grouping,
    GroupTotals,
    MetricSummary,
    average_precision_of,
    compare_totals,
)

COLUMNS = {
    'AP': ('AP', 1),
    'PCK@0.05': ('PCK@0.05', 1),
    'PCK@0.1': ('PCK@0.1', 1),
    'PCK@0.2': ('PCK@0.2', 1),
    'error_percent': ('error %', 2),
    'error_px': ('error px', 2),
    'jitter': ('jitter', 2),
}
"""Metric -> title and decimals of its column."""

WITH_INTERVAL = ('PCK@0.1', 'error_percent')
"""Metrics whose bootstrap interval is in the tables."""


@dataclass(frozen=True)
class Comparison:
    """Metrics of several propagators on the same videos.

    Args:
        interval: T, every T-th frame was given.
        num_videos: Number of videos.
        num_ap_videos: Number of videos that AP was measured on: those with PoseTrack's joints and
            head boxes.
        unlabelled: Method -> metrics on the frames that were not given.
        all_frames: The same on all frames, given ones included (the published protocol).
        reference: Method to which the differences of the others are computed; ``None`` without one.
    """

    interval: int
    num_videos: int
    num_ap_videos: int
    unlabelled: dict[str, MetricSummary]
    all_frames: dict[str, MetricSummary]
    reference: str | None = None

    def summaries(self, frames: FrameGroup) -> dict[str, MetricSummary]:
        """Return the metrics of every method on a group of frames."""
        return self.unlabelled if frames == 'unlabelled' else self.all_frames

    def to_dict(self) -> dict[str, Any]:
        """Make JSON fields; null stands for NaN, ``intervals`` are 95 % bootstrap intervals."""
        groups = {
            'unlabelled_frames': group_fields(self.unlabelled),
            'all_frames': group_fields(self.all_frames),
        }
        return {
            'interval': self.interval,
            'videos': self.num_videos,
            'videos_of_ap': self.num_ap_videos,
            'reference': self.reference,
            **{group: fields['values'] for group, fields in groups.items()},
            **{
                key: {group: fields[key] for group, fields in groups.items()}
                for key in ('intervals', 'seeds', 'spread', 'differences', 'joints')
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
        names = names or {}
        rows = self.summaries(frames)
        metrics = [c for c in COLUMNS if any(not math.isnan(r.values[c]) for r in rows.values())]
        titles = [self._column(metric) for metric in metrics]
        lines = [
            f'| T = {self.interval}, {frames} frames of '
            f'{counted(self.num_videos, "video")} | ' + ' | '.join(titles) + ' |',
            '|---|' + '---:|' * len(metrics),
        ]
        for method, row in rows.items():
            cells = [metric_cell(row, metric) for metric in metrics]
            lines.append(f'| {names.get(method, method)} | ' + ' | '.join(cells) + ' |')
        return '\n'.join(lines)

    def _column(self, metric: str) -> str:
        if metric == 'AP' and self.num_ap_videos < self.num_videos:
            return f'{title_of(metric)} ({counted(self.num_ap_videos, "video")})'
        return title_of(metric)


def compare_propagators(
    videos: Sequence[tuple[FrameSource, VideoLabels]],
    propagators: Mapping[str, BasePropagator],
    interval: int,
    progress: Callable[[str, VideoLabels], None] | None = None,
    num_bootstrap: int = 1000,
    use_truth_boxes: bool = False,
) -> Comparison:
    """Hide all labels but every ``interval``-th frame's, propagate, and compare.

    A person labelled on no given frame cannot be propagated and counts as wrong.

    Args:
        videos: Frames and dense labels. ``frames[i]`` is the picture of frame index ``i``; indices
            need not start at 0, and only the frames from the first to the last one that the labels
            list are propagated.
        propagators: Method name -> propagator.
        interval: T.
        progress: Called with the method and its predicted labels after each video, video by video
            for one method after the other. The labels have the frames of the truth, in its order.
        num_bootstrap: Number of bootstrap draws of the videos; 0 for no intervals.
        use_truth_boxes: Crop people at the boxes of the hidden labels, as the published protocol
            does, instead of boxes interpolated between the given ones.

    Raises:
        InputError: If there is no video, one has no labels, none is left to hide, or a propagator
            cannot take the labels.
    """
    hidden = hide_videos([labels for _, labels in videos], interval)
    clips: dict[str, list[list[ClipErrors]]] = {}
    for method, propagator in propagators.items():
        clips[method] = [[]]
        for (frames, _), video in zip(videos, hidden, strict=True):
            prediction = propagate_hidden(frames, video, propagator, use_truth_boxes)
            clips[method][0].append(measure(video, prediction))
            if progress:
                progress(method, prediction)
    return summarize(hidden, clips, num_bootstrap)


def hide_videos(videos: Sequence[VideoLabels], interval: int) -> list[HiddenVideo]:
    """Hide the labels of all but every ``interval``-th frame in several videos.

    Raises:
        InputError: If there is no video, one has no labels, or none is left to hide.
    """
    if not videos:
        raise InputError('there is no video to compare propagators on, expected at least one')
    hidden = [hide_labels(labels, interval) for labels in videos]
    if not any(video.hidden_frames for video in hidden):
        raise InputError(
            f'with an interval of {interval} no label is hidden in any of the {len(videos)} '
            'videos, give a larger interval or videos with more labelled frames'
        )
    return hidden


def summarize(
    videos: Sequence[HiddenVideo],
    clips: Mapping[str, Sequence[Sequence[ClipErrors]]],
    num_bootstrap: int = 1000,
    reference: str | None = None,
) -> Comparison:
    """Summarise the errors of several methods.

    Args:
        videos: True labels, of one interval.
        clips: Method -> for each of its seeds the errors in every video.
        num_bootstrap: Number of bootstrap draws of the videos; 0 for no intervals.
        reference: Method that the differences of the others are to.
    """
    bootstrap = ClipBootstrap.of(len(videos), num_bootstrap)
    totals = totals_of(videos, clips, GIVEN_OR_NOT)
    precision: dict[FrameGroup, dict[str, list[float]]] = {
        frames: {
            method: [average_precision_of(seed, frames) for seed in seeds]
            for method, seeds in clips.items()
        }
        for frames in ('unlabelled', 'all')
    }
    unlabelled = {method: [t.of_group(0) for t in seeds] for method, seeds in totals.items()}
    all_frames = {method: [t.of_all() for t in seeds] for method, seeds in totals.items()}
    return Comparison(
        interval=videos[0].interval,
        num_videos=len(videos),
        num_ap_videos=sum(video.has_head_boxes for video in videos),
        unlabelled=compare_totals(unlabelled, bootstrap, reference, precision['unlabelled']),
        all_frames=compare_totals(all_frames, bootstrap, reference, precision['all']),
        reference=reference,
    )


def totals_of(
    videos: Sequence[HiddenVideo],
    clips: Mapping[str, Sequence[Sequence[ClipErrors]]],
    grouping: Grouping,
) -> dict[str, list[GroupTotals]]:
    """Add up the errors of every method and seed by groups of joints."""
    return {
        method: [GroupTotals.of(videos, seed, grouping) for seed in seeds]
        for method, seeds in clips.items()
    }


def title_of(metric: str) -> str:
    """Return the name of a metric in tables and JSON files."""
    return COLUMNS[metric][0] if metric in COLUMNS else metric


def metric_cell(row: MetricSummary, metric: str) -> str:
    """Format ``87.0 ± 0.4 [83.8, 90.0]``: value, spread over seeds, interval over videos."""
    value, (_, decimals) = row.values[metric], COLUMNS[metric]
    if math.isnan(value):
        return '-'
    text = f'{value:.{decimals}f}'
    if metric in row.spread:
        text += f' ± {row.spread[metric]:.{decimals}f}'
    if metric in WITH_INTERVAL and metric in row.intervals:
        low, high = row.intervals[metric]
        text += f' [{low:.{decimals}f}, {high:.{decimals}f}]'
    return text


def group_fields(rows: Mapping[str, MetricSummary]) -> dict[str, Any]:
    """Make the JSON fields of one group of joints: field -> method -> metric -> value."""

    def per_method(read: Callable[[MetricSummary], Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        return {
            method: {title_of(name): value for name, value in read(row).items()}
            for method, row in rows.items()
        }

    return {
        'values': per_method(lambda row: {n: _rounded(v) for n, v in row.values.items()}),
        'intervals': per_method(lambda row: {n: _pair(i) for n, i in row.intervals.items()}),
        'seeds': {method: row.num_seeds for method, row in rows.items()},
        'spread': per_method(lambda row: {n: _rounded(v) for n, v in row.spread.items()}),
        'differences': per_method(
            lambda row: {
                n: {'value': _rounded(d.value), 'interval': d.interval and _pair(d.interval)}
                for n, d in row.differences.items()
            }
        ),
        'joints': max((row.num_joints for row in rows.values()), default=0),
    }


def _pair(interval: tuple[float, float]) -> list[float | None]:
    return [_rounded(value) for value in interval]


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
