"""Metrics over many clips, and their bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from stdpose_mm.evaluation.functional import (
    EVALUATED_JOINTS,
    ApAccumulator,
    known_ratio,
    mean_of_known,
    metric_values,
)
from stdpose_mm.labelling.comparison.compare_propagators import (
    COLUMNS,
    FrameGroup,
    MetricSummary,
    interval_95,
)

from .clip_errors import ClipErrors, HiddenVideo


@dataclass(frozen=True)
class Difference:
    """Difference of a metric between a method and the reference.

    Args:
        value: Difference.
        interval: 95 % bootstrap interval (low, high) over the videos, with the same draws for both
            methods; ``None`` without draws.
    """

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class SeedSummary(MetricSummary):
    """Metrics of one method on one group of joints, averaged over its seeds.

    Args:
        num_seeds: Number of seeds.
        spread: Metric -> standard deviation over the seeds; empty for a single seed.
        differences: Metric -> difference to the reference; empty for the reference itself.
    """

    num_seeds: int = 1
    spread: dict[str, float] = field(default_factory=dict)
    differences: dict[str, Difference] = field(default_factory=dict)

    def cell(self, metric: str) -> str:
        """Format ``87.0 ± 0.4 [83.8, 90.0]``: value, spread over seeds, interval over videos."""
        value, left, interval = super().cell(metric).partition(' [')
        if metric in self.spread and value != '-':
            value += f' ± {self.spread[metric]:.{COLUMNS[metric][1]}f}'
        return value + left + interval


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

FAST_MOTION = 0.02
"""Motion in pose sizes per frame above which a video counts as fast."""

SPEED_LIMITS = (0.01, 0.02, 0.05, 0.1)
"""Upper limits of the bins of joint speed, in pose sizes per frame."""

FARTHEST = 7
"""Largest distance to the nearest label, in frames, that is a group of its own."""


def difficulty_groupings() -> tuple[Grouping, ...]:
    """Group the joints whose labels are hidden by what may make them hard."""

    def clip_motion(video: HiddenVideo) -> np.ndarray:
        return np.full(len(video.hidden), 0 if video.motion > FAST_MOTION else 1)

    def joint_speed(video: HiddenVideo) -> np.ndarray:
        bins = np.digitize(video.speed, SPEED_LIMITS)
        return np.where(np.isnan(video.speed), len(SPEED_LIMITS) + 1, bins)

    def occlusion(video: HiddenVideo) -> np.ndarray:
        return 2 - video.visibility

    def position(video: HiddenVideo) -> np.ndarray:
        near = np.minimum(video.frames_to_label, FARTHEST + 1)
        return np.where(np.isinf(video.frames_to_label), FARTHEST + 2, near).astype(np.int64) - 1

    limits = [f'{limit:g}' for limit in SPEED_LIMITS]
    speeds = [
        f'below {limits[0]}',
        *(f'{low} to {high}' for low, high in pairwise(limits)),
        f'{limits[-1]} or more',
        'unknown',
    ]
    distances = [*map(str, range(1, FARTHEST + 1)), f'{FARTHEST + 1} or more', 'no label']
    divisions = {
        'motion of the clip': ((f'fast (> {FAST_MOTION:g})', 'slow'), clip_motion),
        'speed of the joint': (tuple(speeds), joint_speed),
        'occlusion': (('visible', 'occluded'), occlusion),
        'frames to the nearest label': (tuple(distances), position),
    }
    return tuple(
        Grouping(title, names, _of_hidden(divide, len(names)))
        for title, (names, divide) in divisions.items()
    )


def _of_hidden(
    divide: Callable[[HiddenVideo], np.ndarray], left_out: int
) -> Callable[[HiddenVideo], np.ndarray]:
    return lambda video: np.where(video.hidden, divide(video), left_out)


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
        """Select the totals [V] of one group."""
        return self._reduced(lambda totals: totals[:, group])

    def of_all(self) -> GroupTotals:
        """Sum the totals of all groups to [V]."""
        return self._reduced(lambda totals: totals.sum(axis=1))

    def _reduced(self, reduce: Callable[[np.ndarray], np.ndarray]) -> GroupTotals:
        columns = (self.sums, self.counts)
        return GroupTotals(*({name: reduce(v) for name, v in of.items()} for of in columns))


def compare_totals(
    totals: Mapping[str, Sequence[GroupTotals]],
    draws_of_videos: np.ndarray | None,
    reference: str | None,
    precision: Mapping[str, Sequence[float]] | None = None,
) -> dict[str, SeedSummary]:
    """Summarise the metrics of several methods on the same joints.

    Args:
        totals: Method -> [V] totals of each of its seeds.
        draws_of_videos: How often each video is in each draw [D, V]; ``None`` for no intervals.
        reference: Method with which the others are compared; ``None`` for no differences.
        precision: Method -> PoseTrack's AP of each of its seeds; NaN by default.
    """
    values: dict[str, dict[str, np.ndarray]] = {}
    draws: dict[str, dict[str, np.ndarray]] = {}
    for method, seeds in totals.items():
        names = list(seeds[0].sums)
        values[method] = {
            name: np.array([known_ratio(s.sums[name].sum(), s.counts[name].sum()) for s in seeds])
            for name in names
        }
        draws[method] = {}
        if draws_of_videos is not None:
            for name in names:
                means = [
                    known_ratio(draws_of_videos @ s.sums[name], draws_of_videos @ s.counts[name])
                    for s in seeds
                ]
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
        summaries[method] = SeedSummary(
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
    """Compute PoseTrack's AP, averaged over joints, of clips with head boxes; NaN without any."""
    of_clips = [clip.precision[frames] for clip in clips if clip.precision]
    if not of_clips:
        return math.nan
    total = ApAccumulator(len(EVALUATED_JOINTS))
    for of_clip in of_clips:
        total.update(of_clip)
    return mean_of_known(total.result().ap)
