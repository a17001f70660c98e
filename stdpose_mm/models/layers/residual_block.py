from __future__ import annotations

from torch import Tensor, nn

from .conv_block import conv_block


class ResidualBlock(nn.Module):
    """The basic block of ResNet-18 at constant width: two 3x3 convolutions and a shortcut.

    Args:
        channels: Number of channels C.
        groups: Groups of both convolutions.
    """

    def __init__(self, channels: int, groups: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            conv_block(channels, channels, groups),
            nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] -> [N, C, h, w]."""
        return self.activation(x + self.residual(x))
