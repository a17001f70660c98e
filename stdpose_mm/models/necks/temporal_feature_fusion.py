from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.models.layers import FrameAggregation, TransformerBlock


@MODELS.register_module()
class TemporalFeatureFusion(BaseModule):
    """Temporal Feature Fusion (TFF, Sec. 3.1): features of all frames to one feature F~_t.

    A learnable embedding per frame is added to its tokens (their place in the frame is in them
    already); the tokens of all frames pass cascaded transformer blocks together; an MLP
    aggregates the frames' tokens of one place.

    Args:
        embed_dims: Width D of the features.
        num_heads: Attention heads of a block.
        num_blocks: Number of transformer blocks.
        feedforward_channels: Hidden width of the feed-forward networks. ``None`` means 4 D.
        num_frames: Number of frames T.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        num_blocks: int = 2,
        feedforward_channels: int | None = None,
        num_frames: int = 3,
    ) -> None:
        super().__init__()
        self.frame_embed = nn.Parameter(torch.zeros(1, num_frames, 1, embed_dims))
        nn.init.trunc_normal_(self.frame_embed, std=0.02)
        self.blocks = nn.Sequential(
            *(
                TransformerBlock(embed_dims, num_heads, feedforward_channels)
                for _ in range(num_blocks)
            )
        )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.aggregate = FrameAggregation(num_frames, embed_dims)

    def forward(self, features: Tensor) -> Tensor:
        """Fuse the frames' features [N, T, D, h', w'] to F~_t [N, D, h', w']."""
        num_frames, grid = features.shape[1], features.shape[-2:]
        tokens = features.flatten(3).transpose(2, 3) + self.frame_embed
        tokens = self.norm(self.blocks(tokens.flatten(1, 2)))
        aggregated = self.aggregate(tokens.unflatten(1, (num_frames, -1)))
        return aggregated.transpose(1, 2).unflatten(2, grid)
