"""The network that learns from the labels of a project."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (16, 32, 64, 96)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the crop's resolution."""

STRIDE = 2
"""Pixels of the crop per cell of the maps."""

SIZE_STEP = STRIDE * 2 ** (len(CHANNELS) - 1)
"""Sides of crops are multiples of this number of pixels."""


class SmallUNet(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015) for one subject in a crop.

    It is small enough to train on a CPU in minutes, and keeps details of a few pixels, such as the
    legs of an insect.

    Args:
        num_joints: Number of joints K.
    """

    def __init__(self, num_joints: int) -> None:
        super().__init__()
        first = CHANNELS[0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 5, STRIDE, 2, bias=False), nn.BatchNorm2d(first), nn.ReLU(True)
        )
        self.down = nn.ModuleList()
        below = first
        for level, channels in enumerate(CHANNELS):
            stride = 1 if level == 0 else 2
            self.down.append(
                nn.Sequential(_block(below, channels, stride), _block(channels, channels))
            )
            below = channels
        self.up = nn.ModuleList()
        for channels in CHANNELS[-2::-1]:
            self.up.append(_block(below + channels, channels))
            below = channels
        self.head = nn.Conv2d(below, num_joints, 1)

    def forward(self, crops: Tensor) -> Tensor:
        """Compute the logits [N, K, h / 2, w / 2] of the joints' places in crops [N, 3, h, w].

        The softmax over all places of a joint is the probability that the joint is there.
        """
        values = self.stem(crops)
        skipped = []
        for block in self.down:
            values = block(values)
            skipped.append(values)
        skipped.pop()
        for block in self.up:
            values = F.interpolate(values, scale_factor=2.0, mode='bilinear', align_corners=False)
            values = block(torch.cat([values, skipped.pop()], dim=1))
        return self.head(values)


def _block(channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, 3, stride, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(True),
    )
