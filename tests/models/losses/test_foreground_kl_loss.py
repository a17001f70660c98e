from __future__ import annotations

import math

import pytest
import torch

from stdpose_mm.models.losses import ForegroundKLLoss, ForegroundMSELoss

ONES = torch.ones(1, 1)


def test_divergence_of_two_pixels_by_hand():
    loss = ForegroundKLLoss(divergence_weight=2.0)
    # Maps are multiplied by 10.
    output, target = torch.zeros(1, 1, 1, 2), torch.tensor([[[[math.log(3) / 10, 0.0]]]])
    # The target's softmax is (3/4, 1/4), the output's (1/2, 1/2).
    divergence = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    squared_error = ForegroundMSELoss()(output, target, ONES)
    assert float(loss(output, target, ONES)) == pytest.approx(float(squared_error) + 2 * divergence)


def test_loss_of_the_target_is_zero():
    target = torch.rand(2, 3, 4, 5)
    loss = ForegroundKLLoss(divergence_weight=5.0)(target, target, torch.ones(2, 3))
    assert float(loss) == pytest.approx(0, abs=1e-5)


def test_weights_count_for_the_divergence_too():
    output, target = torch.zeros(1, 2, 1, 2), torch.tensor([[[[1.0, 0.0]], [[1.0, 0.0]]]])
    loss = ForegroundKLLoss(divergence_weight=3.0)
    one = loss(output, target, torch.tensor([[1.0, 0.0]]))
    assert float(one) == pytest.approx(float(loss(output, target, torch.ones(1, 2))))
    half = loss(output, target, torch.tensor([[0.5, 0.0]]))
    assert float(half) == pytest.approx(float(one) / 2)


def test_equal_squared_errors_differ_by_the_rival_peak():
    target = torch.tensor([[[[1.0, 0.0, 0.0]]]])
    rival = torch.tensor([[[[1.0, 0.8, 0.0]]]])
    spread = torch.tensor([[[[1.0, 0.8 / math.sqrt(2), 0.8 / math.sqrt(2)]]]])
    squared = ForegroundMSELoss()
    assert float(squared(rival, target, ONES)) == pytest.approx(
        float(squared(spread, target, ONES))
    )
    loss = ForegroundKLLoss(divergence_weight=5.0)
    assert float(loss(rival, target, ONES)) > float(loss(spread, target, ONES))
