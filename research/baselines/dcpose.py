"""Modules of DCPose (Liu et al., CVPR 2021); equation numbers refer to that paper."""

from __future__ import annotations

import torch
from mmengine.model import normal_init
from torch import Tensor, nn

from stdpose_mm.models.heads.dynamic_aware_mask import motion_residuals
from stdpose_mm.models.layers.convolutions import ResidualBlock, conv_block
from stdpose_mm.models.structures import auxiliary_of, key_of
from stdpose_mm.structures import NUM_FRAMES


class PoseTemporalMerger(nn.Module):
    """Pose Temporal Merger (Eq. 1 to 3): merges the heatmaps of all frames to one per joint.

    The maps of the auxiliary frames are weighted by their nearness to the key frame; then each
    joint's maps pass through residual blocks separately.

    Args:
        num_joints: Number of joints K.
        joint_channels: Channels per joint of the residual blocks.
        num_blocks: Number of residual blocks.
        num_frames: Number T of frames.
    """

    def __init__(
        self,
        num_joints: int,
        joint_channels: int = 4,
        num_blocks: int = 2,
        num_frames: int = NUM_FRAMES,
    ) -> None:
        super().__init__()
        channels = num_joints * joint_channels
        last = nn.Conv2d(channels, num_joints, kernel_size=1, groups=num_joints)
        # Maps are nearly empty at the start, as in heads.
        normal_init(last, std=0.01)
        self.merge = nn.Sequential(
            conv_block(num_frames * num_joints, channels, groups=num_joints),
            *(ResidualBlock(channels, groups=num_joints) for _ in range(num_blocks)),
            last,
        )

    def forward(self, frame_heatmaps: Tensor, nearness: Tensor) -> Tensor:
        """Merge the heatmaps of a window.

        Args:
            frame_heatmaps: H_l, H_t, H_r with shape [N, T, K, h, w].
            nearness: Weights of the auxiliary frames [N, T - 1].

        Returns:
            [N, K, h, w].
        """
        weighted = nearness[..., None, None, None] * auxiliary_of(frame_heatmaps)
        before, after = weighted.chunk(2, dim=1)
        maps = torch.cat((before, key_of(frame_heatmaps)[:, None], after), dim=1)
        return self.merge(maps.transpose(1, 2).flatten(1, 2))


class PoseResidualFusion(nn.Module):
    """Pose Residual Fusion (Eq. 4 and 5): how the pose moves through the window.

    The inputs are H_t - H_l and H_r - H_t, each once unweighted and once weighted by the nearness
    of its auxiliary frame to the key frame; for more frames see :func:`motion_residuals`.

    Args:
        num_joints: Number of joints K.
        channels: Channels C of the output.
        num_blocks: Number of residual blocks.
        num_frames: Number T of frames.
    """

    def __init__(
        self, num_joints: int, channels: int, num_blocks: int = 2, num_frames: int = NUM_FRAMES
    ) -> None:
        super().__init__()
        self.fuse = nn.Sequential(
            conv_block(2 * (num_frames - 1) * num_joints, channels),
            *(ResidualBlock(channels) for _ in range(num_blocks)),
        )

    def forward(self, frame_heatmaps: Tensor, nearness: Tensor) -> Tensor:
        """Encode the residuals of a window.

        Args:
            frame_heatmaps: H_l, H_t, H_r with shape [N, T, K, h, w].
            nearness: Weights of the auxiliary frames [N, T - 1].

        Returns:
            [N, C, h, w].
        """
        residuals = motion_residuals(frame_heatmaps)
        weighted = nearness[..., None, None, None] * residuals
        by_joint = torch.cat((residuals, weighted), dim=1).transpose(1, 2)
        return self.fuse(by_joint.flatten(1, 2))
