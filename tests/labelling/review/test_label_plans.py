from __future__ import annotations

from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.labelling.review.label_plans import (
    combine_plans,
    errors_by_labels,
    plan_frames,
    share_labels,
)


def errors_left(costs: np.ndarray, frames: tuple[int, ...]) -> float:
    """Sum the costs of the gaps between the ends and the frames 0..n-1."""
    ends = [0, *(frame + 1 for frame in frames), len(costs) - 1]
    return float(sum(costs[a, b] for a, b in pairwise(ends)))


@st.composite
def any_costs(draw: st.DrawFn, max_frames: int = 6) -> np.ndarray:
    """Costs of any kind: whole numbers, so that ties are common."""
    size = draw(st.integers(0, max_frames)) + 2
    values = draw(st.lists(st.integers(0, 9), min_size=size * size, max_size=size * size))
    return np.array(values, dtype=float).reshape(size, size)


@st.composite
def growing_costs(draw: st.DrawFn) -> np.ndarray:
    """Costs of gaps that are no less wrong than the gaps that a label makes of them."""
    costs = np.triu(draw(any_costs(4)), 1)
    for length in range(2, len(costs)):
        for start in range(len(costs) - length):
            stop = start + length
            parts = costs[start, start + 1 : stop] + costs[start + 1 : stop, stop]
            costs[start, stop] = max(costs[start, stop], parts.max())
    return costs


@given(costs=any_costs())
def test_plans_are_as_good_as_trying_all_frames(costs: np.ndarray) -> None:
    number = len(costs) - 2
    plans = plan_frames(costs)
    assert len(plans.frames) == len(plans.errors) == number + 1
    for k in range(number + 1):
        best = min(errors_left(costs, frames) for frames in combinations(range(number), k))
        assert plans.errors[k] == best
        frames = plans.frames[k]
        assert len(frames) == k
        assert list(frames) == sorted(set(frames))
        assert errors_left(costs, frames) == best


@given(costs=any_costs(), limit=st.integers(0, 8))
def test_a_limit_leaves_the_smaller_plans_as_they_are(costs: np.ndarray, limit: int) -> None:
    plans, limited = plan_frames(costs), plan_frames(costs, limit)
    assert limited.errors.tolist() == plans.errors[: limit + 1].tolist()
    assert limited.frames == plans.frames[: limit + 1]


@given(parts=st.lists(growing_costs(), min_size=1, max_size=3))
def test_sharing_reaches_every_corner_with_the_fewest_labels(parts: list[np.ndarray]) -> None:
    plans = [plan_frames(costs) for costs in parts]
    choices = list(product(*(range(len(plan.errors)) for plan in plans)))
    left = {
        numbers: sum(plan.errors[k] for plan, k in zip(plans, numbers, strict=True))
        for numbers in choices
    }
    for target in sorted(set(left.values())):
        numbers = share_labels(plans, target)
        reached = left[tuple(numbers)]
        assert reached <= target
        # No other sharing leaves less with as many labels.
        assert reached == min(e for other, e in left.items() if sum(other) == sum(numbers))


@given(parts=st.lists(any_costs(4), max_size=3), limit=st.integers(0, 9))
def test_gaps_combine_as_if_all_were_tried(parts: list[np.ndarray], limit: int) -> None:
    names = [
        [10 * which + place for place in range(len(costs) - 2)] for which, costs in enumerate(parts)
    ]
    plans = [plan_frames(costs, frames=of_gap) for costs, of_gap in zip(parts, names, strict=True)]
    combined = combine_plans(plans, limit)
    choices = list(product(*(range(len(plan.errors)) for plan in plans)))
    assert len(combined.errors) == min(limit, sum(map(len, names))) + 1
    for k, (left, frames) in enumerate(zip(combined.errors, combined.frames, strict=True)):
        sharings = [numbers for numbers in choices if sum(numbers) == k]
        assert left == min(
            sum(plan.errors[n] for plan, n in zip(plans, numbers, strict=True))
            for numbers in sharings
        )
        assert len(frames) == k
        own = [
            errors_left(costs, tuple(frame % 10 for frame in frames if frame // 10 == which))
            for which, costs in enumerate(parts)
        ]
        assert sum(own) == left


def test_two_labels_go_to_the_thirds_and_not_to_the_middle_first() -> None:
    # By hand: a gap of m frames is m ** 2 wrong; 8 frames between two labels.
    lengths = np.arange(10)[None] - np.arange(10)[:, None] - 1
    plans = plan_frames(np.where(lengths > 0, lengths**2, 0))
    assert plans.errors[:3].tolist() == [64, 25, 12]
    assert plans.frames[2] == (2, 5)


def test_a_plan_that_pays_late_is_taken_whole() -> None:
    # Nothing is gained by one label, all by two.
    costs = np.array([[0, 0, 9, 9], [0, 0, 0, 9], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=float)
    steady = np.array([[0, 0, 4], [0, 0, 0], [0, 0, 0]], dtype=float)
    plans = [plan_frames(costs), plan_frames(steady)]
    assert plans[0].errors.tolist() == [9, 9, 0]
    assert plans[0].steps == [(0, 2, pytest.approx(4.5))]
    assert share_labels(plans, 12) == [2, 0]
    # Both labels of the first save nine of 13.
    assert share_labels(plans, 4) == [2, 0]
    assert share_labels(plans, 0) == [2, 1]
    assert share_labels(plans, 13) == [0, 0]


def test_a_target_out_of_reach_takes_every_label_that_helps() -> None:
    costs = np.array([[0, 1, 5], [0, 0, 1], [0, 0, 0]], dtype=float)
    idle = np.array([[0, 1, 2], [0, 0, 1], [0, 0, 0]], dtype=float)
    assert share_labels([plan_frames(costs), plan_frames(idle)], 1) == [1, 0]


def test_equal_savings_are_taken_in_order() -> None:
    # 0.3 a frame, as far as numbers of this kind can say.
    lengths = np.arange(42)[None] - np.arange(42)[:, None] - 1
    plans = plan_frames(np.where(lengths > 0, 0.3 * lengths, 0.0))
    assert share_labels([plans, plans], 0) == [40, 40]
    assert errors_by_labels([plans, plans]) == pytest.approx(0.3 * np.arange(80, -1, -1))
