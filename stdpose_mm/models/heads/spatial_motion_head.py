from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModule, constant_init
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers.blocks import MutualAttentionBlock, zero_init_residual
from stdpose_mm.models.structures import SpatioTemporalRepresentation
from stdpose_mm.registration import register

from .decoder_head import DecoderHead


@register(MODELS)
class SpatialMotionHead(DecoderHead):
    """Head that fuses the key frame's feature and the motion feature into the final heatmaps.

    Loss, prediction and decoding are those of :class:`HeatmapHead`.

    Args:
        fusion: Config of the module that fuses the two features: SpatialMotionMutualLearning or
            SpatialMotionConcatenation.
        merged_channels: Width C of the neck's ``merged_feature``, which is then added to the motion
            feature and concatenated with the upsampled feature: a path at full resolution (beyond
            the paper). ``None`` leaves it out.
        **kwargs: Arguments of :class:`HeatmapHead`.
    """

    def __init__(self, fusion: dict, merged_channels: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fusion = MODELS.build(fusion)
        if merged_channels is not None:
            self.add_full_resolution_path(merged_channels)

    def forward(self, feats: SpatioTemporalRepresentation) -> Tensor:
        """Fuse both features and decode the heatmaps.

        Args:
            feats: Representation with ``frame_feature``, ``fused_feature`` and, for the path at
                full resolution, ``merged_feature``.

        Returns:
            Heatmaps [N, K, h, w], float32.

        Raises:
            InputError: If the neck provides no ``fused_feature``, or if only one of neck and head
                has a ``merged_feature``.
        """
        if feats.fused_feature is None:
            raise InputError('SpatialMotionHead needs a neck with a motion feature, use MLSME')
        if feats.merged_feature is not None and self.refine is None:
            raise InputError("nothing reads the output of the neck's tks, set merged_channels")
        motion = self.join_merged_feature(feats.fused_feature, feats)
        return self.to_heatmaps(self.fusion(feats.frame_feature, motion), feats.merged_feature)


@register(MODELS)
class SpatialMotionMutualLearning(BaseModule):
    """Spatial-Motion Mutual Learning (SMML): mutual cross-attention, then a weighted sum.

    Every place of the key frame's feature attends to every place of the motion feature, and vice
    versa. At every place the two are added with weights that are predicted from both and sum to 1.
    The published summary names only these parts. One cross-attention and one feed-forward network
    per direction, and one weight for all channels of a place, are the simplest reading. The output
    is initially the mean of both features.

    Args:
        embed_dims: Width D of both features.
        num_heads: Number of attention heads.
        num_blocks: Number of mutual attention blocks.
    """

    def __init__(self, embed_dims: int, num_heads: int, num_blocks: int = 2) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            MutualAttentionBlock(embed_dims, num_heads) for _ in range(num_blocks)
        )
        self.norm_spatial = nn.LayerNorm(embed_dims, eps=1e-6)
        self.norm_motion = nn.LayerNorm(embed_dims, eps=1e-6)
        self.weigh = nn.Linear(2 * embed_dims, 2)
        zero_init_residual(self.blocks)
        constant_init(self.weigh, 0)

    def forward(self, spatial: Tensor, motion: Tensor) -> Tensor:
        """Fuse the key frame's and the motion feature, [N, D, h', w'] each, to [N, D, h', w']."""
        grid = spatial.shape[-2:]
        first, second = (x.flatten(2).transpose(1, 2) for x in (spatial, motion))
        for block in self.blocks:
            first, second = block(first, second)
        both = torch.cat((self.norm_spatial(first), self.norm_motion(second)), dim=-1)
        weights = self.weigh(both).softmax(dim=-1)
        mixed = first * weights[..., :1] + second * weights[..., 1:]
        return mixed.transpose(1, 2).unflatten(2, grid)


@register(MODELS)
class SpatialMotionConcatenation(BaseModule):
    """Concatenation of both features and a 1x1 convolution, the baseline for mutual learning.

    Its output is initially the mean of both features, as in mutual learning.

    Args:
        embed_dims: Width D of both features.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(2 * embed_dims, embed_dims, kernel_size=1)
        half = torch.eye(embed_dims) / 2
        self.project.weight = nn.Parameter(torch.cat((half, half), dim=1)[..., None, None])
        nn.init.zeros_(self.project.get_parameter('bias'))

    def forward(self, spatial: Tensor, motion: Tensor) -> Tensor:
        """Fuse the key frame's and the motion feature, [N, D, h', w'] each, to [N, D, h', w']."""
        return self.project(torch.cat((spatial, motion), dim=1))
