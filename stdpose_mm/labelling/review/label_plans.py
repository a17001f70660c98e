"""The best frames to label, for every number of frames at once, by dynamic programming.

The errors of propagation between two labels depend, to a good approximation, on these two only. The
errors of a video are then a sum over its gaps, and the ``k`` frames that leave the fewest errors
follow from the best ``k - 1`` frames up to each frame: with ``n`` frames to choose from, all
``k <= K`` together cost ``O(K n^2)``. Vijayanarasimhan and Grauman chose frames to annotate in this
way (Active Frame Selection for Label Propagation in Videos, ECCV 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

_NOTHING = 1e-9
"""Errors that are not worth a label."""


@dataclass(frozen=True, eq=False)
class LabelPlans:
    """The best ``k`` frames to label, for every ``k`` from 0 to ``K``.

    Args:
        errors: [K + 1] errors that remain with the best ``k`` frames labelled.
        frames: The best frames for each ``k``, ascending.
    """

    errors: np.ndarray
    frames: tuple[tuple[int, ...], ...]

    @cached_property
    def steps(self) -> list[tuple[int, int, float]]:
        """Find the numbers of frames that are worth their labels.

        Returns:
            (number of frames, the next such number, errors that each frame between them saves);
            in descending order of savings. These are the corners of the lower convex hull of
            ``errors``: for any cost of a label one of them is optimal.
        """
        steps: list[tuple[int, int, float]] = []
        number, most = 0, len(self.frames) - 1
        while number < most:
            further = np.arange(number + 1, most + 1)
            saved = (self.errors[number] - self.errors[further]) / (further - number)
            best = int(np.argmax(saved))
            if saved[best] <= _NOTHING:
                break
            # Rounding must not change the order of equal steps.
            gain = min(float(saved[best]), steps[-1][2] if steps else np.inf)
            steps.append((number, int(further[best]), gain))
            number = int(further[best])
        return steps


def plan_frames(
    costs: np.ndarray, max_frames: int | None = None, frames: Sequence[int] | None = None
) -> LabelPlans:
    """Find the best frames to label, for every number of frames.

    Args:
        costs: [n + 2, n + 2] errors of the gap between two neighbouring labels. Row and column
            ``1 + j`` are frame ``j``, row 0 is the end before the first frame, and column ``n + 1``
            the end after the last. Only values above the diagonal are used.
        max_frames: K, by default all n.
        frames: [n] indices to return for the frames, ascending; 0..n-1 by default.
    """
    number = len(costs) - 2
    names = range(number) if frames is None else frames
    max_frames = number if max_frames is None else min(max_frames, number)
    inner = np.where(np.tri(number, dtype=bool), np.inf, costs[1:-1, 1:-1])
    errors = [float(costs[0, -1])]
    plans: list[tuple[int, ...]] = [()]
    # For each frame as the last of k: the fewest errors up to it, and the frame chosen before it.
    least = costs[0, 1:-1].astype(np.float64)
    before: list[np.ndarray] = []
    for _ in range(max_frames):
        if plans[1:]:
            through = least[:, None] + inner
            before.append(through.argmin(axis=0))
            least = np.take_along_axis(through, before[-1][None], axis=0)[0]
        in_all = least + costs[1:-1, -1]
        chosen = [int(np.argmin(in_all))]
        errors.append(float(in_all[chosen[0]]))
        for one_before in reversed(before):
            chosen.append(int(one_before[chosen[-1]]))
        plans.append(tuple(names[place] for place in reversed(chosen)))
    return LabelPlans(np.array(errors), tuple(plans))


def combine_plans(plans: Sequence[LabelPlans], max_frames: int) -> LabelPlans:
    """Find the best frames of several independent gaps, for every number of frames.

    Args:
        plans: The plans of each gap, in order of time.
        max_frames: K, the maximum number of frames.
    """
    errors = np.zeros(1)
    frames: list[tuple[int, ...]] = [()]
    for plan in plans:
        number = min(len(errors) + len(plan.errors) - 1, max_frames + 1)
        best, chosen = np.full(number, np.inf), np.zeros(number, dtype=np.int64)
        for k, left in enumerate(plan.errors[:number]):
            total = errors[: number - k] + left
            some = slice(k, k + len(total))
            chosen[some] = np.where(total < best[some], k, chosen[some])
            best[some] = np.minimum(best[some], total)
        frames = [frames[k - of_plan] + plan.frames[of_plan] for k, of_plan in enumerate(chosen)]
        errors = best
    return LabelPlans(errors, tuple(frames))


def share_labels(plans: Sequence[LabelPlans], target: float) -> list[int]:
    """Share labels among independent gaps or videos until few enough errors are left.

    Labels go where each saves most, in the steps of :attr:`LabelPlans.steps`. No other distribution
    leaves fewer errors with the same number of labels. Between two steps of one plan, fewer labels
    may be sufficient.

    Args:
        plans: The plans of each gap or video.
        target: Total number of errors that may remain.

    Returns:
        Number of labels for each; all that help if the target cannot be reached.
    """
    numbers = [0] * len(plans)
    left = float(sum(plan.errors[0] for plan in plans))
    steps = sorted(
        (-saved, which, start, stop)
        for which, plan in enumerate(plans)
        for start, stop, saved in plan.steps
    )
    for saved, which, start, stop in steps:
        if left <= target + _NOTHING:
            break
        numbers[which] = stop
        left += saved * (stop - start)
    return numbers


def errors_by_labels(plans: Sequence[LabelPlans]) -> np.ndarray:
    """Compute the errors that each number of labels leaves, shared as in :func:`share_labels`.

    Between two steps of a plan the errors are assumed to fall evenly.

    Returns:
        [N + 1], from no label to all that help.
    """
    steps = sorted((-saved, stop - start) for plan in plans for start, stop, saved in plan.steps)
    saved = [gain for gain, number in steps for _ in range(number)]
    return sum(plan.errors[0] for plan in plans) + np.cumsum([0.0, *saved])
