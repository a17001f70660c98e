"""Metrics of several propagators with several seeds on frames whose labels were hidden."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from research.comparison.reliability import Reliability, reliability
from stdpose_mm.evaluation.functional import (
    EVALUATED_JOINTS,
    ApAccumulator,
    known_ratio,
    mean_of_known,
)
from stdpose_mm.labelling.comparison import Comparison
from stdpose_mm.labelling.comparison.compare_propagators import (
    COLUMNS,
    FrameGroup,
    MetricSummary,
    bootstrap_draws,
    interval_95,
)

from .clip_errors import ClipErrors

Runs = Mapping[str, Sequence[Sequence[ClipErrors]]]
"""Method -> seed -> errors in every video."""


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
    """Metrics of one method on one group of frames, averaged over its seeds.

    Args:
        spread: Metric -> standard deviation over the seeds; empty for a single seed.
        differences: Metric -> difference to the reference; empty for the reference itself.
    """

    spread: dict[str, float] = field(default_factory=dict)
    differences: dict[str, Difference] = field(default_factory=dict)

    def cell(self, metric: str) -> str:
        """Format ``87.0 ± 0.4 [83.8, 90.0]``: value, spread over seeds, interval over videos."""
        value, left, interval = super().cell(metric).partition(' [')
        if metric in self.spread and value != '-':
            value += f' ± {self.spread[metric]:.{COLUMNS[metric][1]}f}'
        return value + left + interval


@dataclass(frozen=True)
class SeedComparison(Comparison):
    """Metrics of several propagators on the same videos, each trained with one or several seeds.

    Args:
        reference: Method with which the others are compared; ``None`` for no differences.
        reliability: Method -> reliability of the scores of its propagated joints for each seed.
    """

    unlabelled: dict[str, SeedSummary]
    all_frames: dict[str, SeedSummary]
    reference: str | None = None
    reliability: dict[str, tuple[Reliability, ...]] = field(default_factory=dict)

    def summaries(self, frames: FrameGroup) -> dict[str, SeedSummary]:
        """Return the metrics of every method on a group of frames."""
        return self.unlabelled if frames == 'unlabelled' else self.all_frames


def summarize(
    interval: int, runs: Runs, num_bootstrap: int = 1000, reference: str | None = None
) -> SeedComparison:
    """Summarise the errors of several methods.

    Args:
        interval: T.
        runs: The errors.
        num_bootstrap: Number of bootstrap draws of the videos; 0 for no intervals.
        reference: Method with which the others are compared.
    """
    clips = next(iter(runs.values()))[0]
    draws = None
    if num_bootstrap and len(clips) > 1:
        draws = bootstrap_draws(len(clips), num_bootstrap)
    reliabilities = {
        method: tuple(_reliability_of(seed) for seed in seeds if any(len(c.scores) for c in seed))
        for method, seeds in runs.items()
    }
    return SeedComparison(
        interval=interval,
        num_videos=len(clips),
        num_ap_videos=sum(bool(clip.precision) for clip in clips),
        unlabelled=_summarize_frames(runs, 'unlabelled', draws, reference),
        all_frames=_summarize_frames(runs, 'all', draws, reference),
        reference=reference,
        reliability={method: seeds for method, seeds in reliabilities.items() if seeds},
    )


def _summarize_frames(
    runs: Runs, frames: FrameGroup, draws_of_videos: np.ndarray | None, reference: str | None
) -> dict[str, SeedSummary]:
    """Summarise the metrics of several methods on a group of frames.

    Args:
        runs: The errors.
        frames: The group.
        draws_of_videos: How often each video is in each draw [D, V]; ``None`` for no intervals.
        reference: Method with which the others are compared; ``None`` for no differences.
    """
    values: dict[str, dict[str, np.ndarray]] = {}
    draws: dict[str, dict[str, np.ndarray]] = {}
    for method, seeds in runs.items():
        values[method], draws[method] = {}, {}
        for name in seeds[0][0].totals[frames]:
            # Sums and numbers [2, S, V] of S seeds.
            pairs = np.array([[c.totals[frames][name] for c in clips] for clips in seeds])
            totals = np.moveaxis(pairs, 2, 0)
            values[method][name] = known_ratio(*totals.sum(axis=2))
            if draws_of_videos is not None:
                draws[method][name] = known_ratio(*(totals @ draws_of_videos.T)).mean(axis=0)
        values[method]['AP'] = np.array([_average_precision_of(seed, frames) for seed in seeds])

    summaries = {}
    for method, seeds in runs.items():
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
            num_joints=sum(clip.totals[frames]['PCK@0.1'][1] for clip in seeds[0]),
            spread={
                name: float(value.std(ddof=1))
                for name, value in values[method].items()
                if len(seeds) > 1
            },
            differences=differences,
        )
    return summaries


def _average_precision_of(clips: Sequence[ClipErrors], frames: FrameGroup) -> float:
    """Compute PoseTrack's AP, averaged over joints, of clips with head boxes; NaN without any."""
    of_clips = [clip.precision[frames] for clip in clips if clip.precision]
    if not of_clips:
        return math.nan
    total = ApAccumulator(len(EVALUATED_JOINTS))
    for of_clip in of_clips:
        total.update(of_clip)
    return mean_of_known(total.result().ap)


def _reliability_of(clips: Sequence[ClipErrors]) -> Reliability:
    scores = np.concatenate([clip.scores for clip in clips])
    return reliability(scores, np.concatenate([clip.right for clip in clips]))
