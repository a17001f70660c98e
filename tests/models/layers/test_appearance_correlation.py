from __future__ import annotations

import pytest
import torch

from stdpose_mm.models.necks.appearance_keypoints_synthesis import AppearanceCorrelation


@pytest.fixture
def correlation() -> AppearanceCorrelation:
    """Features pass as they are, so that expected similarities can be read off them."""
    module = AppearanceCorrelation(embed_dims=2)
    module.upsample = torch.nn.Identity()
    return module


def peak(row: int, column: int, height: float = 1.0) -> torch.Tensor:
    maps = torch.zeros(1, 1, 1, 2, 2)
    maps[..., row, column] = height
    return maps


def test_joint_is_found_where_its_appearance_recurs(correlation):
    # Left frame: (3, 4) at the joint. Key frame: the same direction, its opposite, across, mixed.
    aux = torch.zeros(1, 1, 2, 2, 2)
    aux[0, 0, :, 0, 1] = torch.tensor([3.0, 4.0])
    key = torch.tensor([[[6.0, -3.0], [-4.0, 1.0]], [[8.0, -4.0], [3.0, 0.0]]])[None]
    similarity, fine = correlation(aux, key, peak(0, 1))
    torch.testing.assert_close(similarity[0, 0, 0], torch.tensor([[1.0, -1.0], [0.0, 0.6]]))
    torch.testing.assert_close(fine, key)


def test_joint_without_a_map_is_like_nothing(correlation):
    similarity, _ = correlation(torch.ones(1, 1, 2, 2, 2), torch.ones(1, 2, 2, 2), peak(0, 0, 0.0))
    assert not similarity.any()


def test_faint_map_says_less(correlation):
    similarity, _ = correlation(torch.ones(1, 1, 2, 2, 2), torch.ones(1, 2, 2, 2), peak(0, 0, 0.25))
    torch.testing.assert_close(similarity, torch.full((1, 1, 1, 2, 2), 0.25))


def test_every_auxiliary_frame_is_compared_by_itself():
    module = AppearanceCorrelation(embed_dims=8)
    aux, key, maps = torch.randn(2, 2, 8, 2, 3), torch.randn(2, 8, 2, 3), torch.rand(2, 2, 5, 8, 12)
    both, _ = module(aux, key, maps)
    right, _ = module(aux[:, 1:], key, maps[:, 1:])
    assert both.shape == (2, 2, 5, 8, 12)
    torch.testing.assert_close(both[:, 1:], right)
