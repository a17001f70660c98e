from __future__ import annotations

import pytest
import torch

from research.training.joint_matcher import JointMatcher

SIDE = 32


@pytest.fixture
def matcher() -> JointMatcher:
    torch.manual_seed(0)
    return JointMatcher(channels=8, descriptor_channels=6).eval()


def crops(number: int = 2) -> torch.Tensor:
    return torch.rand(number, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 255


def pair(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Two joints of one person who stands still, in crops of a pose of 20 pixels."""
    joints = torch.tensor([[[10.0, 12], [20, 18]]])
    values = {
        'crops': crops(1),
        'label_crops': crops(1),
        'joints': joints,
        'label_joints': joints,
        'centres': joints + 1,
        'weights': torch.ones(1, 2),
        'size': torch.tensor([20.0]),
    }
    return values | changes


def test_descriptors_have_length_one_and_half_the_size_of_crops(matcher):
    descriptors = matcher(crops())
    assert descriptors.shape == (2, 6, SIDE // 2, SIDE // 2)
    torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(2, SIDE // 2, SIDE // 2))


def test_the_same_picture_looks_the_same_wherever_it_is(matcher):
    """A shift by whole places of the coarsest layer moves the descriptors with it."""
    small = torch.zeros(1, 3, 480, 480) + 100
    small[..., 230:240, 230:240] = crops(1)[..., :10, :10]
    moved = small.roll((32, 16), (2, 3))
    descriptors, expected = matcher(moved), matcher(small).roll((16, 8), (2, 3))
    # Off the border, whose padding a descriptor sees from far away.
    torch.testing.assert_close(descriptors[..., 110:145, 110:145], expected[..., 110:145, 110:145])


def test_loss_is_low_where_the_joint_is_told_from_all_other_places(matcher):
    """With one descriptor for all places, all 625 are as likely."""
    with torch.no_grad():
        matcher.describe.weight.zero_()
        matcher.describe.bias.fill_(1.0)
        blind = matcher(**pair(), mode='loss')['loss_match']
    assert blind.item() == pytest.approx(torch.tensor(625.0).log().item(), rel=1e-4)


def test_joints_without_weight_do_not_count(matcher):
    first = pair(weights=torch.tensor([[1.0, 0]]))
    other = pair(weights=torch.tensor([[1.0, 0]]))
    other['joints'] = other['joints'].clone()
    other['joints'][0, 1] += 3
    torch.testing.assert_close(matcher(**first, mode='loss'), matcher(**other, mode='loss'))


def test_joints_out_of_reach_do_not_count(matcher):
    """The second joint lies 0.5 pose sizes beside its centre, 0.36 are looked at."""
    far = pair()
    far['centres'] = far['centres'].clone()
    far['centres'][0, 1, 0] = far['joints'][0, 1, 0] + 10
    first = pair(weights=torch.tensor([[1.0, 0]]))
    torch.testing.assert_close(matcher(**far, mode='loss'), matcher(**first, mode='loss'))
