"""Metrics of several propagators with several seeds on frames whose labels were hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from research.comparison.reliability import Reliability, reliability
from stdpose_mm.evaluation.functional import CORRECT_WITHIN
from stdpose_mm.labelling.comparison import Comparison
from stdpose_mm.labelling.comparison.compare_propagators import (
    FrameGroup,
    bootstrap_draws,
    has_head_boxes,
)

from .clip_errors import ClipErrors, HiddenVideo
from .clip_statistics import (
    GIVEN_OR_NOT,
    Grouping,
    GroupTotals,
    SeedSummary,
    average_precision_of,
    compare_totals,
    difficulty_groupings,
)

Breakdown = dict[str, dict[str, SeedSummary]]
"""Group of joints -> method -> metrics."""


@dataclass(frozen=True)
class SeedComparison(Comparison):
    """Metrics of several propagators on the same videos, each trained with one or several seeds.

    Args:
        reference: Method with which the others are compared; ``None`` for no differences.
        breakdowns: Property of the joints on unlabelled frames -> group -> method -> metrics; every
            joint is in one group, and groups may be empty.
        reliability: Method -> reliability of the scores of its propagated joints for each seed.
    """

    unlabelled: dict[str, SeedSummary]
    all_frames: dict[str, SeedSummary]
    reference: str | None = None
    breakdowns: dict[str, Breakdown] = field(default_factory=dict)
    reliability: dict[str, tuple[Reliability, ...]] = field(default_factory=dict)

    def summaries(self, frames: FrameGroup) -> dict[str, SeedSummary]:
        """Return the metrics of every method on a group of frames."""
        return self.unlabelled if frames == 'unlabelled' else self.all_frames


def summarize(
    videos: Sequence[HiddenVideo],
    clips: Mapping[str, Sequence[Sequence[ClipErrors]]],
    num_bootstrap: int = 1000,
    reference: str | None = None,
) -> SeedComparison:
    """Summarise the errors of several methods.

    Args:
        videos: True labels, of one interval.
        clips: Method -> seed -> errors in every video.
        num_bootstrap: Number of bootstrap draws of the videos; 0 for no intervals.
        reference: Method with which the others are compared.
    """
    draws = None
    if num_bootstrap and len(videos) > 1:
        draws = bootstrap_draws(len(videos), num_bootstrap)

    totals = _totals_of(videos, clips, GIVEN_OR_NOT)
    precision: dict[FrameGroup, dict[str, list[float]]] = {
        frames: {
            method: [average_precision_of(seed, frames) for seed in seeds]
            for method, seeds in clips.items()
        }
        for frames in ('unlabelled', 'all')
    }
    unlabelled = {method: [t.of_group(0) for t in seeds] for method, seeds in totals.items()}
    all_frames = {method: [t.of_all() for t in seeds] for method, seeds in totals.items()}
    breakdowns: dict[str, Breakdown] = {}
    for grouping in difficulty_groupings():
        totals = _totals_of(videos, clips, grouping)
        breakdowns[grouping.title] = {
            name: compare_totals(
                {method: [t.of_group(group) for t in seeds] for method, seeds in totals.items()},
                draws,
                reference,
            )
            for group, name in enumerate(grouping.names)
        }
    scores = {method: _reliability_of(videos, seeds) for method, seeds in clips.items()}
    return SeedComparison(
        interval=videos[0].interval,
        num_videos=len(videos),
        num_ap_videos=sum(has_head_boxes(video.labels) for video in videos),
        unlabelled=compare_totals(unlabelled, draws, reference, precision['unlabelled']),
        all_frames=compare_totals(all_frames, draws, reference, precision['all']),
        reference=reference,
        breakdowns=breakdowns,
        reliability={method: seeds for method, seeds in scores.items() if seeds},
    )


def _totals_of(
    videos: Sequence[HiddenVideo],
    clips: Mapping[str, Sequence[Sequence[ClipErrors]]],
    grouping: Grouping,
) -> dict[str, list[GroupTotals]]:
    return {
        method: [GroupTotals.of(videos, seed, grouping) for seed in seeds]
        for method, seeds in clips.items()
    }


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
