from __future__ import annotations

from collections.abc import Sequence

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from research.baselines.deformable import DeformableWarp
from stdpose_mm.errors import InputError
from stdpose_mm.models.layers.convolutions import ResidualBlock
from stdpose_mm.models.necks.window_neck import WindowNeck
from stdpose_mm.models.structures import (
    AuxiliaryLabels,
    SpatioTemporalRepresentation,
    auxiliary_of,
    key_of,
)
from stdpose_mm.structures import NUM_FRAMES


@MODELS.register_module()
class PoseWarping(WindowNeck):
    """PoseWarper (Bertasius et al., NeurIPS 2019) as a neck: heatmaps warped to the key frame.

    For each auxiliary frame, the difference of the features, F_t - F_l or F_t - F_r, passes through
    residual blocks, from which the offsets of deformable convolutions at several dilations are
    predicted; these warp the auxiliary frame's heatmaps (a given label's, if there is one) to the
    key frame. The result is the mean over dilations and auxiliary frames. The key frame's own
    heatmaps and the prior map are not read.

    Differences from the original: a ViT instead of HRNet, whose features two upsampling layers
    enlarge to the size of the heatmaps; fewer and narrower residual blocks; windows are warped from
    all their auxiliary frames also in training, not from one random frame; kernels start as the
    identity.

    Args:
        embed_dims: Width D of the features.
        num_joints: Number of joints K.
        channels: Width of the residual blocks.
        num_blocks: Number of residual blocks.
        dilations: Dilations of the offset and warping convolutions, in heatmap pixels. The default
            is the paper's, for heatmaps of 96x72.
        num_frames: Number T of frames; no weight depends on it.
    """

    def __init__(
        self,
        embed_dims: int,
        num_joints: int,
        channels: int = 32,
        num_blocks: int = 4,
        dilations: Sequence[int] = (3, 6, 12, 18, 24),
        num_frames: int = NUM_FRAMES,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.motion = nn.Sequential(
            _upsampling(embed_dims, channels),
            _upsampling(channels, channels),
            *(ResidualBlock(channels) for _ in range(num_blocks)),
        )
        self.warp = DeformableWarp(num_joints, channels, dilations)

    def forward(
        self,
        features: Tensor,
        frame_heatmaps: Tensor | None = None,
        aux_labels: AuxiliaryLabels | None = None,
    ) -> SpatioTemporalRepresentation:
        """Warp the heatmaps of the auxiliary frames and average them.

        Args:
            features: F_l, F_t, F_r with shape [N, T, D, h', w'].
            frame_heatmaps: H_l, H_t, H_r with shape [N, T, K, h, w], including given labels;
                h = 4 h', w = 4 w'.
            aux_labels: Not read.

        Returns:
            A representation whose ``merged_heatmaps`` are the warped ones.

        Raises:
            InputError: If there are no heatmaps.
        """
        if frame_heatmaps is None:
            raise InputError('PoseWarping warps heatmaps but got none; configure a frame_head')
        key = key_of(features)
        # Sorted by frame: all windows of one auxiliary frame come together.
        differences = torch.cat([key - one for one in auxiliary_of(features).unbind(1)])
        auxiliary = torch.cat(auxiliary_of(frame_heatmaps).unbind(1))
        warped = self.warp(auxiliary, self.motion(differences))
        return SpatioTemporalRepresentation(
            frame_feature=key,
            frame_heatmaps=frame_heatmaps,
            merged_heatmaps=warped.unflatten(0, (self.num_frames - 1, -1)).mean(0),
        )


def _upsampling(in_channels: int, out_channels: int) -> nn.Sequential:
    """Build a layer that doubles height and width."""
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
