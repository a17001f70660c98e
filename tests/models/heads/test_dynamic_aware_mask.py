from __future__ import annotations

import math

import pytest
import torch

from stdpose_mm.models.heads.dynamic_aware_mask import DynamicAwareMask, modified_sigmoid


@pytest.mark.parametrize(
    ('x', 'expected'), [(0.0, 0.320821), (0.5, 0.5), (1.0, 0.679179), (-1.0, 0.679179)]
)
def test_modified_sigmoid_of_eq_3(x, expected):
    value = modified_sigmoid(torch.tensor(x), slope=1.5, threshold=0.5)
    assert float(value) == pytest.approx(expected, abs=1e-6)


def mask_with_known_weights() -> DynamicAwareMask:
    mask = DynamicAwareMask(num_joints=1, slope=2.0, threshold=0.25)
    with torch.no_grad():
        mask.compress.weight.fill_(3.0)
        mask.direction_weights.copy_(torch.tensor([0.5, 2.0]))
    return mask


def test_mask_of_two_pixels_by_hand():
    # Pixel 0: H_t - H_l = 1, H_r - H_t = -0.5. Pixel 1: nothing moves.
    window = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.0]]).view(1, 3, 1, 1, 2)

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-2 * (abs(x) - 0.25)))

    moving = 3 * (0.5 * sigmoid(1) + 2 * sigmoid(-0.5))
    still = 3 * (0.5 * sigmoid(0) + 2 * sigmoid(0))
    expected = math.exp(moving) / (math.exp(moving) + math.exp(still))
    result = mask_with_known_weights()(window)
    assert result.shape == (1, 1, 1, 2)
    assert result.flatten().tolist() == pytest.approx([expected, 1 - expected], abs=1e-6)


@pytest.mark.parametrize(('normalization', 'total'), [('softmax', 1), ('mean', 8 * 6)])
def test_mask_has_sum_or_mean_one(normalization, total):
    mask = DynamicAwareMask(num_joints=5, normalization=normalization)(torch.rand(4, 3, 5, 8, 6))
    torch.testing.assert_close(mask.sum((1, 2, 3)), torch.full((4,), float(total)))


@pytest.mark.parametrize('normalization', ['softmax', 'mean'])
def test_both_directions_and_the_compression_are_trained(normalization):
    mask = DynamicAwareMask(num_joints=5, normalization=normalization)
    (mask(torch.rand(2, 3, 5, 8, 6)) * torch.rand(2, 1, 8, 6)).sum().backward()
    for parameter in mask.parameters():
        assert parameter.grad.abs().min() > 0


def test_mean_form_of_two_pixels_by_hand():
    # Joint 0 moves at pixel 0 by 1 and back, joint 1 nowhere; equal weights at the start.
    window = torch.zeros(1, 3, 2, 1, 2)
    window[0, 1, 0, 0, 0] = 1
    moving, still = (1 / (1 + math.exp(-10 * (x - 0.5))) for x in (1, 0))
    sums = [moving + still, 2 * still]
    expected = [2 * value / sum(sums) for value in sums]
    mask = DynamicAwareMask(num_joints=2, slope=10.0, normalization='mean')
    assert mask(window).flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_mean_form_weighs_joints_and_directions():
    # Only joint 0 moves, and only after the key frame.
    window = torch.zeros(1, 3, 2, 1, 2)
    window[0, 2, 0, 0, 0] = 1
    mask = DynamicAwareMask(num_joints=2, slope=10.0, normalization='mean')
    before = mask(window)[0, 0, 0, 0].item()
    with torch.no_grad():
        mask.joint_weights[0] = 2
        mask.direction_weights[1] = 2
    assert mask(window)[0, 0, 0, 0].item() > before
    with torch.no_grad():
        mask.joint_weights[0] = -20
    assert mask(window)[0, 0, 0, 0].item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(('normalization', 'expected'), [('softmax', 1 / 48), ('mean', 1)])
def test_where_nothing_moves_the_mask_is_uniform(normalization, expected):
    window = torch.rand(2, 1, 5, 8, 6).expand(2, 3, 5, 8, 6)
    mask = DynamicAwareMask(num_joints=5, normalization=normalization)(window)
    torch.testing.assert_close(mask, torch.full((2, 1, 8, 6), expected, dtype=torch.float32))


@pytest.mark.parametrize('normalization', ['softmax', 'mean'])
def test_normalisation_is_over_each_window_by_itself(normalization):
    window = torch.rand(3, 3, 5, 8, 6)
    mask = DynamicAwareMask(num_joints=5, normalization=normalization)
    torch.testing.assert_close(mask(window)[1:2], mask(window[1:2]))


@pytest.mark.parametrize('normalization', ['softmax', 'mean'])
def test_of_five_frames_each_is_compared_with_the_key_frame(normalization):
    # One frame after the other differs from the key frame at a pixel of its own.
    window = torch.zeros(1, 5, 1, 1, 5)
    for frame in (0, 1, 3, 4):
        window[0, frame, 0, 0, frame] = 1
    mask = DynamicAwareMask(1, 10.0, normalization=normalization, num_frames=5)
    if normalization == 'softmax':
        mask.compress.weight.data.fill_(1.0)
    first, *others = mask(window)[0, 0, 0, [0, 1, 3, 4]].tolist()
    assert others == pytest.approx([first] * 3)
    assert first > mask(window)[0, 0, 0, 2].item()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ({'normalization': 'max'}, 'normalization must be one of'),
        ({'slope': 0}, 'slope must be a number above 0, got 0'),
        ({'num_frames': 4}, 'must be odd'),
    ],
)
def test_impossible_settings_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        DynamicAwareMask(2, **arguments)
