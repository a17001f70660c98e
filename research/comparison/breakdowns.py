"""A comparison with metrics by groups of joints, and how far scores can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stdpose_mm.comparison.clip_errors import ClipErrors, HiddenVideo
from stdpose_mm.comparison.clip_statistics import ClipBootstrap, MetricSummary, compare_totals
from stdpose_mm.comparison.compare_propagators import (
    Comparison,
    group_fields,
    summarize,
    totals_of,
)
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, Reliability, reliability

from .groupings import difficulty_groupings

FAST_MOTION = 0.02
"""Pose sizes a frame above which the motion of a video counts as fast."""

Breakdown = dict[str, dict[str, MetricSummary]]
"""Group of joints -> method -> metrics."""


@dataclass(frozen=True)
class BenchmarkComparison(Comparison):
    """Comparison with breakdowns.

    Args:
        breakdowns: Property of the joints on unlabelled frames -> group -> method -> metrics; every
            joint is in one group, and groups may be empty.
        reliability: Method -> reliability of the scores of its propagated joints, of each of its
            seeds.
    """

    breakdowns: dict[str, Breakdown] = field(default_factory=dict)
    reliability: dict[str, tuple[Reliability, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Make JSON fields."""
        return {
            **super().to_dict(),
            'breakdowns': {
                title: {group: group_fields(rows) for group, rows in breakdown.items()}
                for title, breakdown in self.breakdowns.items()
            },
            'reliability': {
                method: [seed.to_dict() for seed in seeds]
                for method, seeds in self.reliability.items()
            },
        }


def break_down(
    videos: Sequence[HiddenVideo],
    clips: Mapping[str, Sequence[Sequence[ClipErrors]]],
    num_bootstrap: int = 1000,
    reference: str | None = None,
    fast: float | None = None,
) -> BenchmarkComparison:
    """Summarise the errors of several methods, see :func:`~.compare_propagators.summarize`.

    Args:
        videos: True labels, of one interval.
        clips: Method -> for each of its seeds the errors in every video.
        num_bootstrap: Number of bootstrap draws of the videos; 0 for no intervals.
        reference: Method that the differences of the others are to.
        fast: Motion in pose sizes a frame above which a video is fast; with it, the metrics are
            broken down by motion, speed, occlusion and distance to the nearest label.
    """
    bootstrap = ClipBootstrap.of(len(videos), num_bootstrap)
    breakdowns: dict[str, Breakdown] = {}
    for grouping in () if fast is None else difficulty_groupings(fast):
        totals = totals_of(videos, clips, grouping)
        breakdowns[grouping.title] = {
            name: compare_totals(
                {method: [t.of_group(group) for t in seeds] for method, seeds in totals.items()},
                bootstrap,
                reference,
            )
            for group, name in enumerate(grouping.names)
        }
    scores = {method: _reliability_of(videos, seeds) for method, seeds in clips.items()}
    return BenchmarkComparison(
        **vars(summarize(videos, clips, num_bootstrap, reference)),
        breakdowns=breakdowns,
        reliability={method: seeds for method, seeds in scores.items() if seeds},
    )


def _reliability_of(
    videos: Sequence[HiddenVideo], seeds: Sequence[Sequence[ClipErrors]]
) -> tuple[Reliability, ...]:
    """Measure the scores of propagated joints for each seed; empty if none has a score."""
    results = []
    for clips in seeds:
        scores, correct = [], []
        for video, clip in zip(videos, clips, strict=True):
            scored = video.hidden & clip.errors.sized & ~np.isnan(clip.scores)
            scores.append(clip.scores[scored])
            correct.append(clip.errors.relative[scored] <= CORRECT_WITHIN)
        if any(map(len, scores)):
            results.append(reliability(np.concatenate(scores), np.concatenate(correct)))
    return tuple(results)
