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

_MATCHED = (1, 2)
"""Levels of ``CHANNELS`` at which crops are compared with the crops of labels."""

_DESCRIPTOR = 32
"""Size of the vector that describes how a joint looks."""

_HINTS = 4
"""Maps of each joint that are further inputs: mean and maximum of the similarity to its neighbours'
joints, and a narrow and a wide Gaussian around the prior estimate."""

_SPREADS = (8.0, 24.0)
"""Standard deviations of these Gaussians in pixels of the crop."""

_READ = 0.7
"""Standard deviation in cells of the Gaussian with which a label's vector is read."""

_FAR = -1e4
"""Coordinate of joints without a label, at which no Gaussian reaches the crop."""


class SmallUNet(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015) for one subject in a crop, which is shown labels.

    It is small enough to train on a CPU in minutes, and keeps details of a few pixels, such as the
    legs of an insect. Each crop has up to two neighbours in the batch: crops of the same subject
    with labels, one before and one after it in time. How similar each place is to a neighbour's
    joint, and where a prior estimate has the joints, are further inputs of the decoder.

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
        self.describe, self.hint, self.up = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleList()
        for level, channels in reversed([*enumerate(CHANNELS[:-1])]):
            hinted = channels if level in _MATCHED else 0
            if hinted:
                self.describe[str(level)] = nn.Conv2d(channels, _DESCRIPTOR, 1)
                self.hint[str(level)] = _block(_HINTS * num_joints, hinted, size=1)
            self.up.append(_block(below + channels + hinted, channels))
            below = channels
        self.trust = nn.Parameter(torch.ones(len(_MATCHED), _HINTS))
        self.head = nn.Conv2d(below, num_joints, 1)

    def forward(
        self,
        crops: Tensor,
        keypoints: Tensor,
        prior: Tensor,
        neighbours: Tensor,
        weights: Tensor,
    ) -> Tensor:
        """Compute the logits of the joints' places in N crops.

        The softmax over all places of a joint is the probability that the joint is there.

        Args:
            crops: [N, 3, h, w].
            keypoints: [N, K, 2] pixels of the labels of crops that are neighbours; NaN where there
                is no label. The keypoints of other crops are not used.
            prior: [N, K, 2] prior estimate of the joints; NaN where there is none.
            neighbours: [N, 2] indices of crops in the batch.
            weights: [N, 2] by how much each neighbour counts, in sum 1, and 0 where there is none.

        Returns:
            [N, K, h / 2, w / 2].
        """
        values = self.stem(crops)
        skipped = []
        for block in self.down:
            values = block(values)
            skipped.append(values)
        skipped.pop()
        keypoints, prior = (torch.nan_to_num(points, nan=_FAR) for points in (keypoints, prior))
        direct = torch.zeros(())
        for trust, level in zip(self.trust, _MATCHED, strict=True):
            features = F.normalize(self.describe[str(level)](skipped[level]).float(), dim=1)
            hints = self._hints(features, STRIDE * 2**level, keypoints, neighbours, weights, prior)
            skipped[level] = torch.cat(
                [skipped[level], self.hint[str(level)](hints.flatten(1, 2))], 1
            )
            hints = (hints * trust[:, None, None, None]).sum(1)
            direct = direct + F.interpolate(
                hints, scale_factor=float(2**level), mode='bilinear', align_corners=False
            )
        for block in self.up:
            values = F.interpolate(values, scale_factor=2.0, mode='bilinear', align_corners=False)
            values = block(torch.cat([values, skipped.pop()], dim=1))
        return self.head(values) + direct

    @staticmethod
    def _hints(
        features: Tensor,
        stride: int,
        keypoints: Tensor,
        neighbours: Tensor,
        weights: Tensor,
        prior: Tensor,
    ) -> Tensor:
        """Compute the maps [N, 4, K, h, w] that crops get from their neighbours.

        Args:
            features: [N, C, h, w] unit vectors.
            stride: Pixels per cell.
            keypoints: [N, K, 2] pixels.
            neighbours: [N, 2].
            weights: [N, 2].
            prior: [N, K, 2] pixels.
        """
        cells = (features.shape[2], features.shape[3])
        read = gaussians(keypoints, cells, stride, _READ * stride)
        places = features.flatten(2)
        vectors = F.normalize(read.flatten(2) @ places.transpose(1, 2), dim=-1)
        shown = vectors[neighbours] * (weights > 0)[..., None, None]
        similar = (shown.flatten(1, 2) @ places).view(-1, 2, *read.shape[1:])
        mean = (similar * weights[..., None, None, None]).sum(1)
        priors = [gaussians(prior, cells, stride, spread) for spread in _SPREADS]
        return torch.stack([mean, similar.amax(1), *priors], dim=1)


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
    height, width = cells
    x, y = (
        torch.arange(side, device=points.device) * stride + (stride - 1) / 2
        for side in (width, height)
    )
    columns = torch.exp(-((x - points[..., :1]) ** 2) / (2 * spread**2))
    rows = torch.exp(-((y - points[..., 1:]) ** 2) / (2 * spread**2))
    return rows[..., :, None] * columns[..., None, :]


def _block(channels: int, out_channels: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(True),
    )
