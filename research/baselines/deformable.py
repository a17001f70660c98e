from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import normal_init
from torch import Tensor, nn

KERNEL_SIZE = 3
TAPS = KERNEL_SIZE**2


def deformable_convolution(
    maps: Tensor, offsets: Tensor, weight: Tensor, dilation: int = 1, factors: Tensor | None = None
) -> Tensor:
    """Compute a deformable convolution (Dai et al. 2017; v2 with ``factors``), offsets per channel.

    Equals torchvision's ``deform_conv2d`` with ``padding`` that keeps the size. ``grid_sample``
    trains five times faster on a CPU.

    Args:
        maps: [N, C, h, w]; zero outside.
        offsets: [N, 2 T C, h, w] in pixels for a kernel of T taps: by channel, then by tap in
            reading order, then (y, x).
        weight: [C', C, s, s] with T = s * s taps, s odd.
        dilation: Distance between neighbouring taps in pixels.
        factors: [N, T C, h, w] that multiply the sampled values, in the order of ``offsets``.

    Returns:
        [N, C', h, w].
    """
    batch, channels, height, width = maps.shape
    side = weight.shape[-1]
    num_taps = side * side
    reach = (torch.arange(side, device=maps.device) - side // 2) * dilation
    rows = torch.arange(height, device=maps.device)[:, None]
    columns = torch.arange(width, device=maps.device)
    tap_rows, tap_columns = torch.meshgrid(reach, reach, indexing='ij')
    offsets = offsets.view(batch, channels, num_taps, 2, height, width)
    y = offsets[:, :, :, 0] + (rows + tap_rows.reshape(-1, 1, 1))
    x = offsets[:, :, :, 1] + (columns + tap_columns.reshape(-1, 1, 1))
    # grid_sample counts from -1 (first pixel) to 1 (last pixel).
    grid = torch.stack((2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1), dim=-1)
    sampled = F.grid_sample(
        maps.reshape(batch * channels, 1, height, width),
        grid.view(batch * channels, num_taps * height, width, 2),
        align_corners=True,
    ).view(batch, channels * num_taps, height, width)
    if factors is not None:
        sampled = sampled * factors
    return F.conv2d(sampled, weight.flatten(1)[..., None, None])


class DeformableWarp(nn.Module):
    """Warp of heatmaps by deformable convolutions whose offsets are predicted from a context.

    There is one branch per dilation: a 3x3 convolution of the context gives an offset for every
    joint, position and tap of the kernel, and a deformable 3x3 convolution over all joints applies
    them. The branches are averaged. At the start, kernels have only their centre tap and offsets
    are nearly zero, so that maps are nearly unchanged.

    Args:
        num_joints: Number of joints K.
        context_channels: Channels C of the context.
        dilations: Dilation of each branch, in heatmap pixels; used for both convolutions.
        modulated: Whether every tap also gets a factor in 0..2 from the context (deformable
            convolution v2), nearly 1 at the start.
    """

    def __init__(
        self,
        num_joints: int,
        context_channels: int,
        dilations: Sequence[int],
        modulated: bool = False,
    ) -> None:
        super().__init__()
        self.dilations = tuple(dilations)
        self.num_joints = num_joints
        self.modulated = modulated
        # The order is joint by joint: the offsets of all taps, then their factors.
        per_joint = (3 if modulated else 2) * TAPS
        self.motions = nn.ModuleList(
            _offset_convolution(context_channels, num_joints * per_joint, dilation)
            for dilation in self.dilations
        )
        self.kernels = nn.ParameterList(
            nn.init.dirac_(torch.empty(num_joints, num_joints, KERNEL_SIZE, KERNEL_SIZE))
            for _ in self.dilations
        )

    def forward(self, heatmaps: Tensor, context: Tensor) -> Tensor:
        """Warp heatmaps.

        Args:
            heatmaps: [N, K, h, w].
            context: [N, C, h, w].

        Returns:
            [N, K, h, w], float32 also under autocast.
        """
        warped = []
        for motion, kernel, dilation in zip(
            self.motions, self.kernels, self.dilations, strict=True
        ):
            # bfloat16 would round positions to whole pixels.
            predicted = motion(context).float().unflatten(1, (self.num_joints, -1))
            offsets = predicted[:, :, : 2 * TAPS].flatten(1, 2)
            factors = None
            if self.modulated:
                factors = 2 * predicted[:, :, 2 * TAPS :].flatten(1, 2).sigmoid()
            warped.append(
                deformable_convolution(heatmaps.float(), offsets, kernel, dilation, factors)
            )
        return torch.stack(warped).float().mean(0)


def _offset_convolution(in_channels: int, out_channels: int, dilation: int) -> nn.Conv2d:
    """Build a convolution whose output is nearly zero at the start."""
    convolution = nn.Conv2d(
        in_channels, out_channels, KERNEL_SIZE, padding=dilation, dilation=dilation
    )
    normal_init(convolution, std=0.001)
    return convolution
