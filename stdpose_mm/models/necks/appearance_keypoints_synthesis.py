from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers import ResidualBlock, conv_block
from stdpose_mm.models.structures import (
    AuxiliaryLabels,
    append_prior,
    auxiliary_of,
    nearness_of,
    position_of,
)
from stdpose_mm.structures import NUM_FRAMES


@MODELS.register_module()
class AppearanceKeypointsSynthesis(BaseModule):
    """Keypoints synthesis that also reads image features (beyond the paper), in place of TKS.

    TKS (Eq. 6) merges heatmaps alone: where the pose moves between the frames, it can only guess.
    Here the convolutions also see where each joint's appearance in an auxiliary frame recurs in the
    key frame, the fused feature F~ at the size of the heatmaps, and how near each auxiliary frame
    is. Their output goes to the head at that size, beside the merged heatmaps, since tokens of 4x4
    heatmap pixels hold positions less precisely.

    Args:
        num_joints: Number of joints K.
        correlation: Config of the module that compares frames, :class:`AppearanceCorrelation`.
        appearance_channels: Width of the feature that ``correlation`` gives.
        channels: Width C of the convolutions.
        dilations: A residual block for each follows these, with this dilation in heatmap pixels: it
            sees how a joint moved where an appearance recurs in several places.
        num_frames: Number of frames T.
        use_prior: Also read the interpolated pose of the key frame as one more map per joint.
        merge_heatmaps: Whether to give merged heatmaps, for a head that reads them.
    """

    def __init__(
        self,
        num_joints: int,
        correlation: dict,
        appearance_channels: int = 32,
        channels: int = 48,
        dilations: Sequence[int] = (),
        num_frames: int = NUM_FRAMES,
        use_prior: bool = False,
        merge_heatmaps: bool = True,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.use_prior = use_prior
        self.correlation = MODELS.build(correlation)
        num_maps = num_frames + (num_frames - 1) + use_prior
        self.read_maps = nn.Conv2d(num_joints * num_maps, channels, 3, padding=1, bias=False)
        self.read_appearance = nn.Conv2d(appearance_channels, channels, 3, padding=1, bias=False)
        self.read_time = nn.Linear(num_frames - 1, channels, bias=False)
        self.activate = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.merge = conv_block(channels, channels)
        self.blocks = nn.Sequential(
            *(ResidualBlock(channels, dilation=dilation) for dilation in dilations)
        )
        self.synthesize = nn.Conv2d(channels, num_joints, 1) if merge_heatmaps else None

    def forward(
        self,
        frame_heatmaps: Tensor,
        given: AuxiliaryLabels | None,
        features: Tensor,
        fused_feature: Tensor | None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Merge the maps of a window.

        Args:
            frame_heatmaps: Maps of the frames [N, T, K, h, w].
            given: Labels; their prior map is read with ``use_prior``, empty if ``None``, and the
                key frame's position, half way if ``None``.
            features: Features of the frames [N, T, D, h', w'].
            fused_feature: F~ [N, D, h', w'].

        Returns:
            H~ [N, K, h, w], trained through the head only, ``None`` without ``merge_heatmaps``, and
            the feature [N, C, h, w] from which H~ is computed.

        Raises:
            InputError: If there is no fused feature.
        """
        if fused_feature is None:
            raise InputError('AppearanceKeypointsSynthesis reads F~, configure a tff')
        similarity, appearance = self.correlation(
            auxiliary_of(features), fused_feature, auxiliary_of(frame_heatmaps)
        )
        maps = torch.cat((frame_heatmaps, similarity.to(frame_heatmaps.dtype)), dim=1)
        nearness = nearness_of(position_of(given, frame_heatmaps), frame_heatmaps.shape[1])
        if self.use_prior:
            maps = append_prior(maps, given)
        by_joint = maps.transpose(1, 2).flatten(1, 2)
        read = self.read_maps(by_joint) + self.read_appearance(appearance)
        read = read + self.read_time(nearness)[..., None, None]
        merged = self.blocks(self.merge(self.activate(read)))
        return None if self.synthesize is None else self.synthesize(merged), merged
