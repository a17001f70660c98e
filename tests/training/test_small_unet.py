"""The network that learns from labels: what it takes from the labels beside a crop."""

from __future__ import annotations

import math

import pytest
import torch

from stdpose_mm.training.small_unet import SmallUNet, gaussians

NOWHERE = torch.full((2, 2), float('nan'))


def test_a_gaussian_has_its_peak_at_the_point_and_falls_off_by_hand() -> None:
    """Cells of 4 pixels have their centres at 1.5, 5.5, 9.5; the point lies on the second one."""
    drawn = gaussians(torch.tensor([[[5.5, 1.5]]]), (2, 3), 4, 4.0)[0, 0]
    falls = [math.exp(-0.5), 1, math.exp(-0.5)]
    assert drawn[0].tolist() == pytest.approx(falls)
    assert drawn[1].tolist() == pytest.approx([math.exp(-0.5) * value for value in falls])


def test_a_joint_is_similar_where_its_neighbours_joint_looks_the_same() -> None:
    """Each cell of the second crop looks like no other; the first one shows them in reverse."""
    looks = torch.eye(12).reshape(1, 12, 3, 4)
    features = torch.cat([looks.flip(2, 3), looks])
    keypoints = torch.stack([NOWHERE, torch.tensor([[6.5, 2.5], [math.nan, math.nan]])])
    keypoints = torch.nan_to_num(keypoints, nan=-1e4)
    neighbours, weights = torch.tensor([[1, 0], [0, 0]]), torch.tensor([[1.0, 0], [0, 0]])
    hints = SmallUNet._hints(features, 2, keypoints, neighbours, weights, keypoints)
    mean, largest = hints[0, 0], hints[0, 1]
    # Cell (x, y) = (3, 1) of the label is cell (0, 1) here.
    assert divmod(int(mean[0].argmax()), 4) == (1, 0)
    assert torch.equal(mean, largest)
    assert not mean[1].any()
    assert not hints[1, :2].any()


def test_a_crop_without_neighbours_is_seen_as_if_it_were_alone() -> None:
    torch.manual_seed(0)
    network = SmallUNet(2).eval()
    crops = torch.randn(2, 3, 32, 48)
    places = torch.stack([NOWHERE, torch.tensor([[10.0, 20], [30, 7]])])
    none, index = torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.int64)
    with torch.no_grad():
        alone = network(crops[:1], places[:1], places[:1], index[:1], none[:1])
        beside = network(crops, places, places, index, none)
        shown = network(crops, places, places, index + torch.tensor([[1], [0]]), none + 0.5)
        guessed = network(crops, places, places.flip(0), index, none)
    torch.testing.assert_close(beside[:1], alone)
    for other in (shown, guessed):
        assert (other[0] - alone[0]).abs().max() > 0.1
