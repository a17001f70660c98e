"""The network that learns from labels: what it takes from the labels beside a crop."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import interpolate

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


def test_what_the_prior_adds_is_interpolated_from_maps_of_its_gaussians() -> None:
    """Maps of cells of 4 and 8 pixels, in Gaussians of 8 and 24 pixels."""
    network = SmallUNet(1).eval()
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    trust = torch.tensor([[0.5, 2.0], [3.0, 0.25]])
    places = torch.tensor([[[10.0, 20]]])
    with torch.no_grad():
        network.trust.copy_(trust)
        added = network(torch.zeros(1, 3, 32, 48), places)
        maps = [
            weight * gaussians(places, (32 // stride, 48 // stride), stride, spread)
            for stride, row in zip((4, 8), trust, strict=True)
            for spread, weight in zip((8.0, 24.0), row, strict=True)
        ]
    expected = sum(interpolate(of_level, (16, 24), mode='bilinear') for of_level in maps)
    torch.testing.assert_close(added, expected)
