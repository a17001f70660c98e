from __future__ import annotations

import pytest
import torch

from stdpose_mm.models.losses import ForegroundMSELoss

# Joint 0: errors 0.5 on a target of 1 and 1 on a target of 0. Joint 1: error 2 on a target of 0.
OUTPUT = torch.tensor([[[[0.5, 1.0]], [[2.0, 0.0]]]])
TARGET = torch.tensor([[[[1.0, 0.0]], [[0.0, 0.0]]]])


@pytest.mark.parametrize(
    ('weights', 'expected'),
    [
        ([[1.0, 1.0]], (0.25 * 11 + 1 + 4) / 2),
        ([[1.0, 0.0]], 0.25 * 11 + 1),
        ([[0.5, 0.0]], (0.25 * 11 + 1) / 2),
        ([[0.0, 0.0]], 0.0),
    ],
)
def test_sum_over_pixels_mean_over_counted_joints(weights, expected):
    loss = ForegroundMSELoss()(OUTPUT, TARGET, torch.tensor(weights))
    assert float(loss) == pytest.approx(expected)


def test_bfloat16_output_is_summed_in_float32():
    loss = ForegroundMSELoss()(OUTPUT.bfloat16(), TARGET, torch.ones(1, 2))
    assert loss.dtype == torch.float32
