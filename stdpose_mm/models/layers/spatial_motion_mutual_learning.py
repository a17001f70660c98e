from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from .mutual_attention_block import MutualAttentionBlock
from .residual_start import zero_init_residual


@MODELS.register_module()
class SpatialMotionMutualLearning(BaseModule):
    """Spatial-Motion Mutual Learning (SMML): both features learn from each other, then are mixed.

    Every place of the key frame's feature attends to every place of the motion feature and the
    other way round; at every place the two are added with weights that are read from both and sum
    to 1. The published summary names these parts only: cross-attention and feed-forward network
    per direction, and one weight for all channels of a place, are the simplest reading. It starts
    as the mean of both features.

    Args:
        embed_dims: Width D of both features.
        num_heads: Number of attention heads.
        num_blocks: How often the features read from each other.
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
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)

    def forward(self, spatial: Tensor, motion: Tensor) -> Tensor:
        """[N, D, h', w'] and [N, D, h', w'] -> [N, D, h', w']."""
        grid = spatial.shape[-2:]
        first, second = (x.flatten(2).transpose(1, 2) for x in (spatial, motion))
        for block in self.blocks:
            first, second = block(first, second)
        both = torch.cat((self.norm_spatial(first), self.norm_motion(second)), dim=-1)
        weights = self.weigh(both).softmax(dim=-1)
        mixed = first * weights[..., :1] + second * weights[..., 1:]
        return mixed.transpose(1, 2).unflatten(2, grid)
