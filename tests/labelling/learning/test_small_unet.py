"""The network that learns from labels: what it takes from the labels beside a crop."""

from __future__ import annotations

import math

import pytest
import torch

from stdpose_mm.labelling.learning.small_unet import SmallUNet, gaussians


def test_a_gaussian_has_its_peak_at_the_point_and_falls_off_by_hand() -> None:
    """Cells of 4 pixels have their centres at 1.5, 5.5, 9.5; the point lies on the second one."""
    drawn = gaussians(torch.tensor([[[5.5, 1.5]]]), (2, 3), 4, 4.0)[0, 0]
    falls = [math.exp(-0.5), 1, math.exp(-0.5)]
    assert drawn[0].tolist() == pytest.approx(falls)
    assert drawn[1].tolist() == pytest.approx([math.exp(-0.5) * value for value in falls])


def test_the_prior_is_an_input_and_may_be_missing() -> None:
    torch.manual_seed(0)
    network = SmallUNet(2).eval()
    crops = torch.randn(2, 3, 32, 48)
    places = torch.tensor([[[10.0, 20], [30, 7]]]).expand(2, 2, 2).clone()
    places[1] = torch.nan
    with torch.no_grad():
        guided, alone = network(crops[:1].expand(2, -1, -1, -1), places)
        gone = network(crops[:1], torch.full((1, 2, 2), 1e6))[0]
    torch.testing.assert_close(alone, gone)
    assert (guided - alone).abs().max() > 0.1
    # Untrained, it already draws the joint towards the prior: cell (x, y) is (5, 10).
    assert (guided - alone)[0, 9:11, 4:6].mean() > (guided - alone)[0].mean() + 0.3
