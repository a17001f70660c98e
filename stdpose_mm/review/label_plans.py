"""The best frames to label, of every number of them at once, by dynamic programming.

What propagation gets wrong between two labels depends, to a good approximation, on these two alone.
So the errors of a video are a sum over its gaps, and the ``k`` frames that leave the least of them
follow from the best ``k - 1`` frames up to each frame: with ``n`` frames to choose from, all
``k <= K`` together cost ``O(K n^2)``. Vijayanarasimhan and Grauman chose the frames of a video to
annotate so (Active Frame Selection for Label Propagation in Videos, ECCV 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class FramePlans:
    """The best ``k`` frames to label, for every ``k`` from 0 to ``K``.

    Args:
        errors: [K + 1] what is wrong with the best ``k`` frames labelled; does not rise.
        before: [K, n] of the best ``k`` frames that end in frame ``j``, ``k`` from 1 on, the one
            before ``j``; -1 where ``j`` is the first.
        last: [K] last of the best ``k`` frames, ``k`` from 1 on.
    """

    errors: np.ndarray
    before: np.ndarray
    last: np.ndarray

    @property
    def max_frames(self) -> int:
        """The largest number of frames that there is a plan for."""
        return len(self.last)

    def frames(self, number: int) -> list[int]:
        """List the best frames of a number, ascending, as positions 0..n-1."""
        chosen: list[int] = []
        for k in range(number, 0, -1):
            chosen.append(int(self.last[k - 1] if k == number else self.before[k, chosen[-1]]))
        return chosen[::-1]

    @cached_property
    def steps(self) -> list[tuple[int, int, float]]:
        """Find the numbers of frames that are worth their labels.

        Returns:
            (number of frames, the next such number, errors that each frame between them saves);
            the savings fall. These are the corners of the lower convex hull of ``errors``: at any
            price of a label one of them is best.
        """
        steps = []
        number = 0
        while number < self.max_frames:
            further = np.arange(number + 1, self.max_frames + 1)
            saved = (self.errors[number] - self.errors[further]) / (further - number)
            best = int(np.argmax(saved))
            if saved[best] <= _NOTHING:
                break
            steps.append((number, int(further[best]), float(saved[best])))
            number = int(further[best])
        return steps


_NOTHING = 1e-9
"""Errors that are not worth a label."""


def plan_frames(costs: np.ndarray, max_frames: int | None = None) -> FramePlans:
    """Find the best frames to label, for every number of them.

    Args:
        costs: [n + 2, n + 2] errors of the gap between two neighbouring labels; row and column
            ``1 + j`` are frame ``j``, row 0 is the end before the first frame and column ``n + 1``
            the one after the last. Read above the diagonal only.
        max_frames: K, by default all n.
    """
    number = len(costs) - 2
    max_frames = number if max_frames is None else min(max_frames, number)
    inner = np.where(np.tri(number, dtype=bool), np.inf, costs[1:-1, 1:-1])
    to_end = costs[1:-1, -1]
    errors = [float(costs[0, -1])]
    before = np.full((max_frames, number), -1)
    last = np.zeros(max_frames, dtype=np.int64)
    # The least errors up to each frame, if it is the last of k.
    least = costs[0, 1:-1].astype(np.float64)
    for k in range(max_frames):
        if k:
            through = least[:, None] + inner
            before[k] = through.argmin(axis=0)
            least = np.take_along_axis(through, before[k][None], axis=0)[0]
        last[k] = int(np.argmin(least + to_end))
        errors.append(float(least[last[k]] + to_end[last[k]]))
    return FramePlans(np.array(errors), before, last)


def share_labels(plans: Sequence[FramePlans], target: float) -> list[int] | None:
    """Share labels among independent gaps or videos so that little enough is wrong in all.

    Labels go where each saves most, in the steps of :attr:`FramePlans.steps`. No other sharing
    leaves less with as many labels; between two steps of one plan fewer labels may do.

    Args:
        plans: The plans of each.
        target: Errors that may be left in all.

    Returns:
        Number of labels for each; None if all frames of the plans together do not reach it.
    """
    numbers = [0] * len(plans)
    left = float(sum(plan.errors[0] for plan in plans))
    steps = sorted(
        (-saved, which, start, stop)
        for which, plan in enumerate(plans)
        for start, stop, saved in plan.steps
    )
    for saved, which, start, stop in steps:
        if left <= target:
            break
        numbers[which] = stop
        left += saved * (stop - start)
    return numbers if left <= target + _NOTHING * max(1.0, target) else None
