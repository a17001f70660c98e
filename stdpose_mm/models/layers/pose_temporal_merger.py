from __future__ import annotations

import torch
from torch import Tensor, nn

from .conv_block import conv_block
from .residual_block import ResidualBlock


class PoseTemporalMerger(nn.Module):
    """Pose Temporal Merger of DCPose (Eq. 1 to 3 there): heatmaps of three frames to one per joint.

    The maps of the auxiliary frames are weighted by how near they are to the key frame, then every
    joint passes residual blocks by itself.

    Args:
        num_joints: Number of joints K.
        joint_channels: Channels per joint of the residual blocks.
        num_blocks: Number of residual blocks.
    """

    def __init__(self, num_joints: int, joint_channels: int = 4, num_blocks: int = 2) -> None:
        super().__init__()
        channels = num_joints * joint_channels
        last = nn.Conv2d(channels, num_joints, kernel_size=1, groups=num_joints)
        # Start from nearly empty maps, as heads do.
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.get_parameter('bias'))
        self.merge = nn.Sequential(
            conv_block(3 * num_joints, channels, groups=num_joints),
            *(ResidualBlock(channels, groups=num_joints) for _ in range(num_blocks)),
            last,
        )

    def forward(self, frame_heatmaps: Tensor, nearness: Tensor) -> Tensor:
        """Merge.

        Args:
            frame_heatmaps: H_l, H_t, H_r with shape [N, 3, K, h, w].
            nearness: Weights of the left and right frame [N, 2].

        Returns:
            [N, K, h, w].
        """
        left, key, right = frame_heatmaps.unbind(1)
        near_left, near_right = nearness[..., None, None, None].unbind(1)
        by_joint = torch.stack((near_left * left, key, near_right * right), dim=2)
        return self.merge(by_joint.flatten(1, 2))
