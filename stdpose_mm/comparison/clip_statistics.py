"""Metrics over many clips, and their bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stdpose_mm.evaluation.functional import (
    EVALUATED_JOINTS,
    ApAccumulator,
    mean_of_known,
    metric_values,
)

from .clip_errors import ClipErrors, FrameGroup, HiddenVideo


@dataclass(frozen=True)
class Difference:
    """Difference of a metric between a method and the reference.

    Args:
        value: Difference.
        interval: 95 % bootstrap interval (low, high) over the videos, the same draws for both
            methods; ``None`` without draws.
    """

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class MetricSummary:
    """Metrics of one method on one group of joints.

    Args:
        values: Metric -> value, mean over the seeds. ``AP`` is PoseTrack's mean over its joints;
            all others are pooled: every labelled joint counts once. NaN where there is nothing to
            measure.
        intervals: Metric -> 95 % bootstrap interval (low, high) over the videos.
        num_joints: Number of labelled joints that PCK was measured on.
        num_seeds: Number of seeds that the values are the mean of.
        spread: Metric -> standard deviation over the seeds; empty for a single one.
        differences: Metric -> difference to the reference; empty for the reference itself.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    num_joints: int
    num_seeds: int = 1
    spread: dict[str, float] = field(default_factory=dict)
    differences: dict[str, Difference] = field(default_factory=dict)


class ClipBootstrap:
    """Draw V videos with replacement (bootstrap), in the same way for all methods and metrics.

    Args:
        num_videos: Number of videos V.
        num_draws: Number of draws D.
    """

    def __init__(self, num_videos: int, num_draws: int) -> None:
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, num_videos, (num_draws, num_videos))
        self.times = np.stack([np.bincount(row, minlength=num_videos) for row in drawn])

    @classmethod
    def of(cls, num_videos: int, num_draws: int) -> ClipBootstrap | None:
        """Draw; None without draws, or if there is one video only."""
        return cls(num_videos, num_draws) if num_draws and num_videos > 1 else None

    def means(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Compute the pooled means [D, ...] of the drawn videos, NaN for a draw without any value.

        Args:
            sums: Sums of the values of each video [V, ...].
            counts: Numbers of these values [V, ...].
        """
        return _pooled(
            np.tensordot(self.times, sums, axes=1), np.tensordot(self.times, counts, axes=1)
        )


def interval_95(samples: np.ndarray) -> tuple[float, float]:
    """Compute the central interval that holds 95 % of the values [D]; NaN if there is none."""
    known = samples[~np.isnan(samples)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True)
class Grouping:
    """Division of the joints into groups.

    Args:
        title: Property by which they are divided.
        names: Names of the G groups.
        groups: Function that gives the group [N] of each joint of a video, 0..G - 1; G for joints
            that are left out.
    """

    title: str
    names: tuple[str, ...]
    groups: Callable[[HiddenVideo], np.ndarray]


GIVEN_OR_NOT = Grouping('frames', ('unlabelled', 'given'), lambda video: 1 - video.hidden)


@dataclass(frozen=True)
class GroupTotals:
    """Sums over the joints of each of V videos and G groups.

    Args:
        sums, counts: Metric -> sum and number of its values [V, G].
    """

    sums: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]

    @classmethod
    def of(
        cls, videos: Sequence[HiddenVideo], clips: Sequence[ClipErrors], grouping: Grouping
    ) -> GroupTotals:
        """Add up the errors of one run."""
        sums: dict[str, list[np.ndarray]] = {}
        counts: dict[str, list[np.ndarray]] = {}
        size = len(grouping.names) + 1
        for video, clip in zip(videos, clips, strict=True):
            groups = grouping.groups(video)
            for name, (values, where) in metric_values(clip.errors).items():
                total = np.bincount(groups[where], weights=values[where], minlength=size)
                number = np.bincount(groups[where], minlength=size)
                sums.setdefault(name, []).append(total[:-1])
                counts.setdefault(name, []).append(number[:-1])
        return cls(
            {name: np.stack(rows) for name, rows in sums.items()},
            {name: np.stack(rows) for name, rows in counts.items()},
        )

    def of_group(self, group: int) -> GroupTotals:
        """Select one group: totals [V]."""
        return self._reduced(lambda totals: totals[:, group])

    def of_all(self) -> GroupTotals:
        """Sum over all groups: totals [V]."""
        return self._reduced(lambda totals: totals.sum(axis=1))

    def _reduced(self, reduce: Callable[[np.ndarray], np.ndarray]) -> GroupTotals:
        columns = (self.sums, self.counts)
        return GroupTotals(*({name: reduce(v) for name, v in of.items()} for of in columns))


def compare_totals(
    totals: Mapping[str, Sequence[GroupTotals]],
    bootstrap: ClipBootstrap | None,
    reference: str | None,
    precision: Mapping[str, Sequence[float]] | None = None,
) -> dict[str, MetricSummary]:
    """Summarise the metrics of several methods on the same joints.

    Args:
        totals: Method -> [V] totals of each of its seeds.
        bootstrap: Draws of the videos; ``None`` for no intervals.
        reference: Method that the others are compared with; ``None`` for no differences.
        precision: Method -> PoseTrack's AP of each of its seeds; NaN by default.
    """
    values: dict[str, dict[str, np.ndarray]] = {}
    draws: dict[str, dict[str, np.ndarray]] = {}
    for method, seeds in totals.items():
        names = list(seeds[0].sums)
        values[method] = {
            name: np.array([_pooled(s.sums[name].sum(), s.counts[name].sum()) for s in seeds])
            for name in names
        }
        draws[method] = {}
        if bootstrap is not None:
            for name in names:
                means = [bootstrap.means(s.sums[name], s.counts[name]) for s in seeds]
                draws[method][name] = np.mean(means, axis=0)
        values[method]['AP'] = np.array(precision[method] if precision else [math.nan])

    summaries = {}
    for method, seeds in totals.items():
        differences = {}
        if reference is not None and method != reference:
            for name, value in values[method].items():
                change = float(value.mean() - values[reference][name].mean())
                drawn = draws[method].get(name)
                interval = None if drawn is None else interval_95(drawn - draws[reference][name])
                differences[name] = Difference(change, interval)
        summaries[method] = MetricSummary(
            values={name: float(value.mean()) for name, value in values[method].items()},
            intervals={name: interval_95(drawn) for name, drawn in draws[method].items()},
            num_joints=int(seeds[0].counts['PCK@0.1'].sum()),
            num_seeds=len(seeds),
            spread={
                name: float(value.std(ddof=1))
                for name, value in values[method].items()
                if len(seeds) > 1 and len(value) > 1
            },
            differences=differences,
        )
    return summaries


def average_precision_of(clips: Sequence[ClipErrors], frames: FrameGroup) -> float:
    """Compute PoseTrack's AP, mean over its joints, of clips with head boxes; NaN without any."""
    of_clips = [clip.precision[frames] for clip in clips if clip.precision]
    if not of_clips:
        return math.nan
    total = ApAccumulator(len(EVALUATED_JOINTS))
    for of_clip in of_clips:
        total.update(of_clip)
    return mean_of_known(total.result().ap)


def _pooled(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Divide sums by counts; NaN where there is nothing."""
    sums, counts = np.asarray(sums, np.float64), np.asarray(counts)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
