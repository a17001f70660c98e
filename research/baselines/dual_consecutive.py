from __future__ import annotations

from collections.abc import Sequence

from mmpose.registry import MODELS
from torch import Tensor

from research.baselines.deformable import DeformableWarp
from stdpose_mm.errors import InputError
from stdpose_mm.models.layers.convolutions import conv_block
from stdpose_mm.models.necks.window_neck import WindowNeck
from stdpose_mm.models.structures import (
    AuxiliaryLabels,
    SpatioTemporalRepresentation,
    key_of,
    nearness_of,
    position_of,
)
from stdpose_mm.structures import NUM_FRAMES

from .dcpose import PoseResidualFusion, PoseTemporalMerger


@MODELS.register_module()
class DualConsecutive(WindowNeck):
    """DCPose (Liu et al., CVPR 2021) as a neck: heatmaps merged over time, then corrected.

    The Pose Temporal Merger makes one map per joint from H_l, H_t, H_r; Pose Residual Fusion
    encodes their differences; the Pose Correction Network resamples the merged maps by modulated
    deformable convolutions at several dilations, whose offsets and factors it predicts from both.
    The features and the prior map are not read.

    Differences from the original: a ViT instead of HRNet; the auxiliary frames are the nearest
    labelled ones with the given labels as their maps, whereas the original predicts all three;
    fewer and narrower residual blocks; merged maps are embedded and added to the encoded
    differences, not concatenated with them; the backbone is also trained; kernels start as the
    identity.

    Args:
        num_joints: Number of joints K.
        joint_channels: Channels per joint in the Pose Temporal Merger.
        residual_channels: Width of Pose Residual Fusion.
        num_blocks: Number of residual blocks of each of these modules.
        dilations: Dilations of the offset and warping convolutions, in heatmap pixels. The default
            is the paper's, for heatmaps of 96x72.
        num_frames: Number T of frames; the original has three.
    """

    def __init__(
        self,
        num_joints: int,
        joint_channels: int = 4,
        residual_channels: int = 32,
        num_blocks: int = 2,
        dilations: Sequence[int] = (3, 6, 9, 12, 15),
        num_frames: int = NUM_FRAMES,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.merger = PoseTemporalMerger(num_joints, joint_channels, num_blocks, num_frames)
        self.residual_fusion = PoseResidualFusion(
            num_joints, residual_channels, num_blocks, num_frames
        )
        self.embed = conv_block(num_joints, residual_channels)
        self.correction = DeformableWarp(num_joints, residual_channels, dilations, modulated=True)

    def forward(
        self,
        features: Tensor,
        frame_heatmaps: Tensor | None = None,
        aux_labels: AuxiliaryLabels | None = None,
    ) -> SpatioTemporalRepresentation:
        """Merge and correct the heatmaps of a window.

        Args:
            features: F_l, F_t, F_r with shape [N, T, D, h', w'].
            frame_heatmaps: H_l, H_t, H_r with shape [N, T, K, h, w], including given labels.
            aux_labels: Position of the key frame; halfway if ``None``.

        Returns:
            A representation whose ``merged_heatmaps`` are the corrected ones.

        Raises:
            InputError: If there are no heatmaps.
        """
        if frame_heatmaps is None:
            raise InputError('DualConsecutive merges heatmaps but got none; configure a frame_head')
        nearness = nearness_of(position_of(aux_labels, frame_heatmaps), self.num_frames)
        merged = self.merger(frame_heatmaps, nearness)
        residual = self.residual_fusion(frame_heatmaps, nearness)
        return SpatioTemporalRepresentation(
            frame_feature=key_of(features),
            frame_heatmaps=frame_heatmaps,
            merged_heatmaps=self.correction(merged, self.embed(merged) + residual),
        )
