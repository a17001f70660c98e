from __future__ import annotations

import pytest
import torch
from torchvision.ops import deform_conv2d

from research.baselines.deformable import DeformableWarp, deformable_convolution

JOINTS = 3


def still(warp: DeformableWarp) -> DeformableWarp:
    """The same with offsets of exactly zero (and factors of 1)."""
    for motion in warp.motions:
        torch.nn.init.zeros_(motion.weight)
    return warp


@pytest.mark.parametrize('dilation', [1, 2, 5])
@pytest.mark.parametrize('modulated', [False, True])
def test_is_torchvisions_deformable_convolution(dilation, modulated):
    torch.manual_seed(0)
    maps = torch.rand(2, JOINTS, 8, 6, dtype=torch.double, requires_grad=True)
    offsets = (3 * torch.randn(2, 18 * JOINTS, 8, 6, dtype=torch.double)).requires_grad_()
    weight = torch.randn(4, JOINTS, 3, 3, dtype=torch.double, requires_grad=True)
    factors = torch.rand(2, 9 * JOINTS, 8, 6, dtype=torch.double) if modulated else None
    ours = deformable_convolution(maps, offsets, weight, dilation, factors)
    theirs = deform_conv2d(maps, offsets, weight, padding=dilation, dilation=dilation, mask=factors)
    torch.testing.assert_close(ours, theirs)
    inputs = (maps, offsets, weight)
    for gradient, expected in zip(
        torch.autograd.grad(ours.square().sum(), inputs),
        torch.autograd.grad(theirs.square().sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize('modulated', [False, True])
def test_maps_pass_unchanged_with_zero_offsets(modulated):
    warp = still(DeformableWarp(JOINTS, 4, (1, 3), modulated))
    maps = torch.rand(2, JOINTS, 8, 6)
    torch.testing.assert_close(warp(maps, torch.randn(2, 4, 8, 6)), maps)


def test_an_offset_says_where_to_look():
    """All offsets (dy, dx) = (1, -2): what was at (3, 2) comes to (2, 4)."""
    warp = still(DeformableWarp(1, 4, (1,)))
    with torch.no_grad():
        warp.motions[0].bias.copy_(torch.tensor([1.0, -2.0]).repeat(9))
    maps = torch.zeros(1, 1, 8, 6)
    maps[0, 0, 3, 2] = 1
    warped = warp(maps, torch.zeros(1, 4, 8, 6))
    assert warped[0, 0].nonzero().tolist() == [[2, 4]]
