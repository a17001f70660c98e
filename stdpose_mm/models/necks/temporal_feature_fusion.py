from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers import (
    FrameAggregation,
    KeyFrameBlock,
    TransformerBlock,
    apply_block,
)
from stdpose_mm.models.structures import AuxiliaryLabels, key_of, position_of, relative_times
from stdpose_mm.structures import NUM_FRAMES

AGGREGATED = ('frames', 'key')


@MODELS.register_module()
class TemporalFeatureFusion(BaseModule):
    """Temporal Feature Fusion (TFF, Sec. 3.1): fuses the features of all frames to F~_t.

    A learnable embedding per frame is added to its tokens (the backbone has already added their
    positions in the frame); the tokens of all frames pass cascaded transformer blocks together; an
    MLP aggregates the frames' tokens at the same position.

    Args:
        embed_dims: Width D of the features.
        num_heads: Attention heads of a block.
        num_blocks: Number of transformer blocks.
        feedforward_channels: Hidden width of the feed-forward networks. ``None`` means 4 D.
        num_frames: Number of frames T.
        relative_time: Also add an embedding of each frame's time, in which the key frame is at 0
            and the outermost frames are 1 apart (beyond the paper).
        residual: Start from F~ = F_t and learn what to add (beyond the paper).
        with_cp: Recompute blocks in the backward pass to save memory.
        aggregate: Tokens that the MLP reads: of all 'frames' (the paper), or of the 'key' frame
            only. The last block then does not compute the unused tokens of the other frames.

    Raises:
        InputError: If ``aggregate`` is unknown, or 'key' has no block that reads other frames.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        num_blocks: int = 2,
        feedforward_channels: int | None = None,
        num_frames: int = NUM_FRAMES,
        relative_time: bool = False,
        residual: bool = False,
        with_cp: bool = False,
        aggregate: str = 'frames',
    ) -> None:
        super().__init__()
        if aggregate not in AGGREGATED:
            raise InputError(f'aggregate must be one of {AGGREGATED}, got {aggregate!r}')
        key_only = aggregate == 'key'
        if key_only and num_blocks < 1:
            raise InputError("aggregate='key' needs a block, got num_blocks=0")
        self.num_frames = num_frames
        self.residual = residual
        self.with_cp = with_cp
        self.frame_embed = nn.Parameter(torch.zeros(1, num_frames, 1, embed_dims))
        nn.init.trunc_normal_(self.frame_embed, std=0.02)
        self.blocks = nn.Sequential(
            *(
                TransformerBlock(embed_dims, num_heads, feedforward_channels)
                for _ in range(num_blocks - key_only)
            )
        )
        self.last_block = (
            KeyFrameBlock(embed_dims, num_heads, feedforward_channels) if key_only else None
        )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.aggregate = FrameAggregation(
            1 if key_only else num_frames, embed_dims, start_at_zero=residual
        )
        self.time_embed = (
            nn.Sequential(nn.Linear(1, embed_dims), nn.GELU(), nn.Linear(embed_dims, embed_dims))
            if relative_time
            else None
        )

    def forward(self, features: Tensor, given: AuxiliaryLabels | None = None) -> Tensor:
        """Fuse the features of a window.

        Args:
            features: F_l, F_t, F_r and those between with shape [N, T, D, h', w'].
            given: Labels; the key frame's position is read with ``relative_time``, half way if
                ``None``.

        Returns:
            F~_t with shape [N, D, h', w'].
        """
        num_frames, grid = features.shape[1], features.shape[-2:]
        tokens = features.flatten(3).transpose(2, 3) + self.frame_embed
        if self.time_embed is not None:
            times = relative_times(position_of(given, features), num_frames)
            tokens = tokens + self.time_embed(times[..., None])[:, :, None]
        tokens = tokens.flatten(1, 2)
        for block in self.blocks:
            tokens = apply_block(block, tokens, recompute=self.with_cp)
        by_frame = tokens.unflatten(1, (num_frames, -1))
        if self.last_block is not None:
            key_value = self.last_block.project(tokens)
            tokens = apply_block(
                self.last_block, key_of(by_frame), key_value, recompute=self.with_cp
            )
            by_frame = tokens[:, None]
        aggregated = self.aggregate(self.norm(by_frame))
        fused = aggregated.transpose(1, 2).unflatten(2, grid)
        return key_of(features) + fused if self.residual else fused
