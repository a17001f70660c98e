"""Convolution of a feature that is brought to the size of the heatmaps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def convolve_upsampled(
    feature: Tensor, weight: Tensor, bias: Tensor | None, upsample: int
) -> Tensor:
    """Convolve a feature after bilinear upsampling, in a fraction of the multiply-adds.

    A 1x1 convolution and bilinear upsampling commute. So the weights of each place of the kernel
    are applied before upsampling, where there are ``upsample ** 2`` times fewer pixels, and the
    upsampled results are shifted to their places and added. Up to rounding the result is that of
    upsampling first.

    Args:
        feature: [N, C, h', w'].
        weight: Kernel [C', C, k, k], k odd.
        bias: [C'] or ``None``.
        upsample: Factor s of the size.

    Returns:
        [N, C', s h', s w'], of the upsampled feature padded by zeros.
    """
    out_channels, _, side, _ = weight.shape
    places = weight.permute(2, 3, 0, 1).flatten(0, 2)[..., None, None]
    parts = F.conv2d(feature, places)
    # Under autocast nine sums in bfloat16 would round more than one convolution.
    parts = parts.to(torch.promote_types(parts.dtype, torch.float32))
    fine = F.interpolate(parts, scale_factor=upsample, mode='bilinear', align_corners=False)
    height, width = upsample * feature.shape[2], upsample * feature.shape[3]
    padded = F.pad(fine, (side // 2,) * 4).unflatten(1, (side, side, out_channels))
    shifted = [
        padded[:, row, column, :, row : row + height, column : column + width]
        for row in range(side)
        for column in range(side)
    ]
    result = torch.stack(shifted).sum(0)
    return result if bias is None else result + bias[:, None, None]
