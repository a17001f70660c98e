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

_GUIDED = (1, 2)
"""Levels of ``CHANNELS`` at which the decoder sees the prior estimate."""

_SPREADS = (8.0, 24.0)
"""Standard deviations in pixels of the crop of the Gaussians around its joints."""

_FAR = -1e4
"""Coordinate of joints without a label, at which no Gaussian reaches the crop."""


class SmallUNet(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015) for one subject in a crop.

    It is small enough to train on a CPU in minutes, and keeps details of a few pixels, such as the
    legs of an insect. A prior estimate of the joints, from another method, may guide its decoder.

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
        self.guide, self.up = nn.ModuleDict(), nn.ModuleList()
        for level, channels in reversed([*enumerate(CHANNELS[:-1])]):
            guided = channels if level in _GUIDED else 0
            if guided:
                self.guide[str(level)] = _block(len(_SPREADS) * num_joints, guided, size=1)
            self.up.append(_block(below + channels + guided, channels))
            below = channels
        self.trust = nn.Parameter(torch.ones(len(_GUIDED), len(_SPREADS)))
        self.head = nn.Conv2d(below, num_joints, 1)

    def forward(self, crops: Tensor, prior: Tensor) -> Tensor:
        """Compute the logits of the joints' places.

        The softmax over all places of a joint is the probability that the joint is there.

        Args:
            crops: [N, 3, h, w].
            prior: [N, K, 2] prior estimate of the joints in pixels of the crops; NaN without one.

        Returns:
            [N, K, h / 2, w / 2].
        """
        values = self.stem(crops)
        skipped = []
        for block in self.down:
            values = block(values)
            skipped.append(values)
        skipped.pop()
        prior = torch.nan_to_num(prior, nan=_FAR)
        rows: list[Tensor] = []
        columns: list[Tensor] = []
        for level in _GUIDED:
            height, width = skipped[level].shape[2], skipped[level].shape[3]
            sides = [_profiles(prior, (height, width), STRIDE * 2**level, s) for s in _SPREADS]
            guide = self.guide[str(level)](torch.cat([_product(*pair) for pair in sides], 1))
            skipped[level] = torch.cat([skipped[level], guide], dim=1)
            # An interpolated product is the product of the interpolated sides.
            rows += [_enlarge(of_rows, 2**level, 'linear') for of_rows, _ in sides]
            columns += [_enlarge(of_columns, 2**level, 'linear') for _, of_columns in sides]
        for block in self.up:
            values = block(torch.cat([_enlarge(values, 2, 'bilinear'), skipped.pop()], dim=1))
        direct = (torch.stack(rows, -1) * self.trust.flatten()) @ torch.stack(columns, -2)
        return self.head(values) + direct.type_as(values)


def gaussians(points: Tensor, cells: tuple[int, int], stride: int, spread: float) -> Tensor:
    """Draw Gaussians of height 1.

    Args:
        points: [N, K, 2] pixels of the crops.
        cells: Height and width of the maps.
        stride: Pixels per cell.
        spread: Standard deviation in pixels.

    Returns:
        [N, K, h, w].
    """
    return _product(*_profiles(points, cells, stride, spread))


def _profiles(
    points: Tensor, cells: tuple[int, int], stride: int, spread: float
) -> tuple[Tensor, Tensor]:
    """Compute the Gaussians' values [N, K, h] of the rows, and [N, K, w] of the columns."""
    places = (
        torch.arange(side, device=points.device) * stride + (stride - 1) / 2 for side in cells
    )
    rows, columns = (
        torch.exp(-((place - points[..., axis]) ** 2) / (2 * spread**2))
        for place, axis in zip(places, (slice(1, 2), slice(0, 1)), strict=True)
    )
    return rows, columns


def _product(rows: Tensor, columns: Tensor) -> Tensor:
    return rows[..., :, None] * columns[..., None, :]


def _enlarge(values: Tensor, factor: int, mode: str) -> Tensor:
    larger = F.interpolate(values, scale_factor=float(factor), mode=mode, align_corners=False)
    if larger.requires_grad:
        # The gradient of a concatenation is a slice, from which PyTorch computes the next one on a
        # CPU in ten times the time.
        larger.register_hook(lambda grad: grad.contiguous(memory_format=torch.channels_last))
    return larger


def _block(channels: int, out_channels: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(True),
    )
