"""Convolution blocks, and convolution after bilinear upsampling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv_block(
    in_channels: int, out_channels: int, groups: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Build a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            3,
            padding=dilation,
            dilation=dilation,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Basic residual block of ResNet-18 at constant width: two 3x3 convolutions and a shortcut.

    Args:
        channels: Number of channels C.
        groups: Groups of both convolutions.
        dilation: Dilation of the first convolution in pixels.
    """

    def __init__(self, channels: int, groups: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            conv_block(channels, channels, groups, dilation),
            nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block: [N, C, h, w] -> [N, C, h, w]."""
        return self.activation(x + self.residual(x))


def convolve_upsampled(
    feature: Tensor, weight: Tensor, bias: Tensor | None, upsample: int
) -> Tensor:
    """Convolve a feature after bilinear upsampling, with a fraction of the multiply-adds.

    A 1x1 convolution and bilinear upsampling commute. The weights of each place of the kernel are
    therefore applied before upsampling, to ``upsample ** 2`` times fewer pixels, and the upsampled
    results are shifted to their places and added. Up to rounding this equals upsampling first.

    Args:
        feature: [N, C, h', w'].
        weight: Kernel [C', C, k, k], k odd.
        bias: [C'] or ``None``.
        upsample: Factor s of the size.

    Returns:
        [N, C', s h', s w'], for the upsampled feature padded by zeros.
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
