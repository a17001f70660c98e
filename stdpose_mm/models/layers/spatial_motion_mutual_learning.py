from __future__ import annotations

import torch
from mmengine.model import BaseModule, constant_init
from mmpose.registry import MODELS
from torch import Tensor, nn

from .blocks import MutualAttentionBlock, zero_init_residual


@MODELS.register_module()
class SpatialMotionMutualLearning(BaseModule):
    """Spatial-Motion Mutual Learning (SMML): mutual cross-attention, then a weighted sum.

    Every place of the key frame's feature attends to every place of the motion feature and the
    other way round; at every place the two are added with weights that are predicted from both and
    sum to 1. The published summary names these parts only: cross-attention and feed-forward network
    per direction, and one weight for all channels of a place, are the simplest reading. It starts
    as the mean of both features.

    Args:
        embed_dims: Width D of both features.
        num_heads: Number of attention heads.
        num_blocks: Number of mutual attention blocks.
        feedforward_channels: Hidden width of the feed-forward networks. ``None`` means 4 D.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        num_blocks: int = 2,
        feedforward_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            MutualAttentionBlock(embed_dims, num_heads, feedforward_channels)
            for _ in range(num_blocks)
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
