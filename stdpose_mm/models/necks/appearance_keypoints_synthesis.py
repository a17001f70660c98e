from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers.convolutions import ResidualBlock, conv_block
from stdpose_mm.models.structures import (
    AuxiliaryLabels,
    append_prior,
    auxiliary_of,
    nearness_of,
    position_of,
)
from stdpose_mm.registration import register
from stdpose_mm.structures import NUM_FRAMES

EPSILON = 1e-6

APPEARANCE_CHANNELS = 32
"""Width C of the features of which the appearance is compared."""


@register(MODELS)
class AppearanceCorrelation(BaseModule):
    """Correlation of each joint's appearance in the auxiliary frames with the key frame.

    Features are upsampled to the size of the heatmaps. A joint's appearance in an auxiliary frame
    is the mean of that frame's features, weighted by the joint's heatmap there (the heatmap of the
    given label, if any). Its cosine similarity with the feature at every position of the key frame
    shows where the joint may have moved. No parameter belongs to a single joint.

    Args:
        embed_dims: Width D of the features.
        upsample: Size of the heatmaps relative to the features, a whole number.
    """

    def __init__(self, embed_dims: int, upsample: int = 4) -> None:
        super().__init__()
        self.upsample = nn.Sequential(
            nn.Conv2d(embed_dims, APPEARANCE_CHANNELS * upsample**2, kernel_size=1),
            nn.PixelShuffle(upsample),
            # Without this convolution, patches of neighbouring features would not fit together.
            nn.Conv2d(APPEARANCE_CHANNELS, APPEARANCE_CHANNELS, kernel_size=3, padding=1),
        )

    def forward(
        self, aux_features: Tensor, key_feature: Tensor, aux_heatmaps: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compare the auxiliary frames with the key frame.

        Args:
            aux_features: [N, A, D, h', w'] of A auxiliary frames.
            key_feature: [N, D, h', w'] of the key frame.
            aux_heatmaps: [N, A, K, h, w].

        Returns:
            Cosine similarities [N, A, K, h, w], 0 for joints with an empty map, and the key frame's
            feature at the size of the heatmaps [N, C, h, w], float32.

        Raises:
            InputError: If the features do not have the size of the heatmaps after upsampling.
        """
        num_aux = aux_features.shape[1]
        frames = torch.cat((aux_features, key_feature[:, None]), dim=1)
        fine = self.upsample(frames.flatten(0, 1)).float().unflatten(0, (-1, num_aux + 1))
        if fine.shape[-2:] != aux_heatmaps.shape[-2:]:
            raise InputError(
                f'the upsampled features of AppearanceCorrelation are {list(fine.shape[-2:])} '
                f'(height, width) and the heatmaps {list(aux_heatmaps.shape[-2:])}, set its '
                'upsample to the stride of the backbone divided by that of the heatmaps'
            )
        directions = F.normalize(fine, dim=2, eps=EPSILON).flatten(3)
        weights = aux_heatmaps.float().clamp(min=0).flatten(3)
        appearance = torch.einsum('nakp,nacp->nakc', weights, directions[:, :-1])
        # A joint with an empty map has no appearance.
        height = weights.amax(-1, keepdim=True).clamp(max=1)
        appearance = F.normalize(appearance, dim=-1, eps=EPSILON) * height
        similarity = torch.einsum('nakc,ncp->nakp', appearance, directions[:, -1])
        return similarity.unflatten(-1, aux_heatmaps.shape[-2:]), fine[:, -1]


@register(MODELS)
class AppearanceKeypointsSynthesis(BaseModule):
    """Keypoints synthesis that also reads image features (beyond the paper); it replaces TKS.

    TKS (Eq. 6) merges heatmaps only and can only guess where the pose moves between the frames.
    Here the convolutions also see where each joint's appearance in an auxiliary frame recurs in the
    key frame, the fused feature F~ at the size of the heatmaps, and how near each auxiliary frame
    is. The head receives their output at this size, beside the merged heatmaps, because tokens of
    4x4 heatmap pixels represent positions less precisely.

    Args:
        num_joints: Number of joints K.
        correlation: Config of the module that compares frames, :class:`AppearanceCorrelation`.
        channels: Width C of the convolutions.
        dilations: Dilations, in heatmap pixels, of one further residual block each. The block sees
            how a joint moved if an appearance recurs in several places.
        num_frames: Number of frames T.
        use_prior: Whether to read the interpolated pose of the key frame, as one more map per
            joint.
        merge_heatmaps: Whether to return merged heatmaps, for a head that reads them.
    """

    def __init__(
        self,
        num_joints: int,
        correlation: dict,
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
        self.read_appearance = nn.Conv2d(APPEARANCE_CHANNELS, channels, 3, padding=1, bias=False)
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
        aux_labels: AuxiliaryLabels | None,
        features: Tensor,
        fused_feature: Tensor | None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Merge the maps of a window.

        Args:
            frame_heatmaps: Maps of the frames [N, T, K, h, w].
            aux_labels: Labels. Their prior map is read with ``use_prior`` (empty if ``None``), and
                the key frame's position (half way if ``None``).
            features: Features of the frames [N, T, D, h', w'].
            fused_feature: F~ [N, D, h', w'].

        Returns:
            H~ [N, K, h, w], which is trained through the head only (``None`` without
            ``merge_heatmaps``), and the feature [N, C, h, w] from which H~ is computed.

        Raises:
            InputError: If there is no fused feature.
        """
        if fused_feature is None:
            raise InputError('AppearanceKeypointsSynthesis reads F~, configure a tff')
        similarity, appearance = self.correlation(
            auxiliary_of(features), fused_feature, auxiliary_of(frame_heatmaps)
        )
        maps = torch.cat((frame_heatmaps, similarity.to(frame_heatmaps.dtype)), dim=1)
        nearness = nearness_of(position_of(aux_labels, frame_heatmaps), frame_heatmaps.shape[1])
        if self.use_prior:
            maps = append_prior(maps, aux_labels)
        by_joint = maps.transpose(1, 2).flatten(1, 2)
        read = self.read_maps(by_joint) + self.read_appearance(appearance)
        read = read + self.read_time(nearness)[..., None, None]
        merged = self.blocks(self.merge(self.activate(read)))
        return None if self.synthesize is None else self.synthesize(merged), merged
