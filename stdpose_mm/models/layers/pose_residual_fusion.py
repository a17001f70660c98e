from __future__ import annotations

import torch
from torch import Tensor, nn

from .conv_block import conv_block
from .residual_block import ResidualBlock


class PoseResidualFusion(nn.Module):
    """Pose Residual Fusion of DCPose (Eq. 4 and 5 there): how the pose moves through the window.

    Reads H_t - H_l and H_r - H_t, each as it is and weighted by how near its auxiliary frame is to
    the key frame.

    Args:
        num_joints: Number of joints K.
        channels: Channels C of the output.
        num_blocks: Number of residual blocks.
    """

    def __init__(self, num_joints: int, channels: int, num_blocks: int = 2) -> None:
        super().__init__()
        self.fuse = nn.Sequential(
            conv_block(4 * num_joints, channels),
            *(ResidualBlock(channels) for _ in range(num_blocks)),
        )

    def forward(self, frame_heatmaps: Tensor, nearness: Tensor) -> Tensor:
        """Fuse.

        Args:
            frame_heatmaps: H_l, H_t, H_r with shape [N, 3, K, h, w].
            nearness: Weights of the left and right frame [N, 2].

        Returns:
            [N, C, h, w].
        """
        residuals = frame_heatmaps.diff(dim=1)
        weighted = nearness[..., None, None, None] * residuals
        by_joint = torch.cat((residuals, weighted), dim=1).transpose(1, 2)
        return self.fuse(by_joint.flatten(1, 2))
