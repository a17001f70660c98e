from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from stdpose_mm.models.layers.convolutions import convolve_upsampled


@pytest.mark.parametrize(
    ('shape', 'side', 'upsample'),
    [((2, 6, 4, 3), 3, 4), ((1, 2, 1, 5), 3, 2), ((1, 3, 3, 3), 1, 4), ((1, 2, 4, 4), 5, 3)],
)
@pytest.mark.parametrize('with_bias', [False, True])
def test_equals_upsampling_before_the_convolution(shape, side, upsample, with_bias):
    torch.manual_seed(0)
    feature, weight = torch.randn(shape), torch.randn(4, shape[1], side, side)
    bias = torch.randn(4) if with_bias else None
    fine = F.interpolate(feature, scale_factor=upsample, mode='bilinear', align_corners=False)
    expected = F.conv2d(fine, weight, bias, padding=side // 2)
    torch.testing.assert_close(
        convolve_upsampled(feature, weight, bias, upsample), expected, atol=1e-5, rtol=1e-5
    )


def test_multiplies_at_the_size_of_the_feature():
    feature, weight = torch.randn(1, 6, 4, 3), torch.randn(5, 6, 3, 3)
    with FlopCounterMode(display=False) as counter:
        convolve_upsampled(feature, weight, None, 4)
    assert counter.get_total_flops() == 2 * 4 * 3 * 6 * 5 * 9
