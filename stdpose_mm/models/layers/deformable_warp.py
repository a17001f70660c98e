from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .deformable_convolution import deformable_convolution

KERNEL_SIZE = 3
TAPS = KERNEL_SIZE**2


class DeformableWarp(nn.Module):
    """Heatmaps warped by deformable convolutions whose offsets are read from a context.

    One branch per dilation: a 3x3 convolution of the context gives an offset for every joint, place
    and tap of the kernel, a deformable 3x3 convolution over all joints applies them. The branches
    are averaged. At the start every kernel is its centre tap and offsets are nearly zero, so that
    maps pass nearly unchanged.

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
        # Joint by joint: the offsets of all taps, then their factors.
        per_joint = (3 if modulated else 2) * TAPS
        self.motions = nn.ModuleList(
            _quiet_convolution(context_channels, num_joints * per_joint, dilation)
            for dilation in self.dilations
        )
        self.kernels = nn.ParameterList(
            nn.init.dirac_(torch.empty(num_joints, num_joints, KERNEL_SIZE, KERNEL_SIZE))
            for _ in self.dilations
        )

    def forward(self, heatmaps: Tensor, context: Tensor) -> Tensor:
        """Warp.

        Args:
            heatmaps: [N, K, h, w].
            context: [N, C, h, w].

        Returns:
            [N, K, h, w], float32 under autocast too.
        """
        warped = []
        for motion, kernel, dilation in zip(
            self.motions, self.kernels, self.dilations, strict=True
        ):
            # Places in bfloat16 would be whole pixels.
            predicted = motion(context).float().unflatten(1, (self.num_joints, -1))
            offsets = predicted[:, :, : 2 * TAPS].flatten(1, 2)
            factors = None
            if self.modulated:
                factors = 2 * predicted[:, :, 2 * TAPS :].flatten(1, 2).sigmoid()
            warped.append(
                deformable_convolution(heatmaps.float(), offsets, kernel, dilation, factors)
            )
        return torch.stack(warped).float().mean(0)


def _quiet_convolution(in_channels: int, out_channels: int, dilation: int) -> nn.Conv2d:
    """A convolution whose output is nearly zero at the start."""
    convolution = nn.Conv2d(
        in_channels, out_channels, KERNEL_SIZE, padding=dilation, dilation=dilation
    )
    nn.init.normal_(convolution.weight, std=0.001)
    nn.init.zeros_(convolution.get_parameter('bias'))
    return convolution
