from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.models.layers.blocks import (
    FrameAggregation,
    KeyFrameBlock,
    TransformerBlock,
    apply_block,
    zero_init_residual,
)
from stdpose_mm.models.structures import AuxiliaryLabels, key_of, position_of, relative_times
from stdpose_mm.registration import register
from stdpose_mm.structures import NUM_FRAMES


@register(MODELS)
class TemporalFeatureFusion(BaseModule):
    """Temporal Feature Fusion (TFF, Sec. 3.1) of the features of all frames to F~_t.

    A learnable embedding per frame is added to its tokens (the backbone has already added their
    positions in the frame); the tokens of all frames pass cascaded transformer blocks together; an
    MLP aggregates the frames' tokens at the same position. The paper adds "a new learnable position
    embedding to each visual feature", which may also mean one vector per token of each frame.

    Args:
        embed_dims: Width D of the features.
        num_heads: Attention heads of a block.
        num_blocks: Number of transformer blocks.
        feedforward_channels: Hidden width of the feed-forward networks. ``None`` means 4 D.
        num_frames: Number of frames T.
        feature_size: Rows and columns of the features, for an embedding with a vector for each
            token of each frame; ``None`` for one vector per frame.
        relative_time: Whether to add an embedding of each frame's time, in which the key frame is
            at 0 and the outermost frames are 1 apart (beyond the paper).
        residual: Whether to start from F~ = F_t and learn what to add (beyond the paper).
        with_cp: Recompute blocks in the backward pass to save memory.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        num_blocks: int = 2,
        feedforward_channels: int | None = None,
        num_frames: int = NUM_FRAMES,
        feature_size: tuple[int, int] | None = None,
        relative_time: bool = False,
        residual: bool = False,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.residual = residual
        self.with_cp = with_cp
        num_vectors = 1 if feature_size is None else feature_size[0] * feature_size[1]
        self.frame_embed = nn.Parameter(torch.zeros(1, num_frames, num_vectors, embed_dims))
        nn.init.trunc_normal_(self.frame_embed, std=0.02)
        self.blocks = nn.Sequential(
            *(
                TransformerBlock(embed_dims, num_heads, feedforward_channels)
                for _ in range(num_blocks)
            )
        )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.aggregate = FrameAggregation(num_frames, embed_dims, start_at_zero=residual)
        self.time_embed = time_embedding(embed_dims, embed_dims) if relative_time else None

    def project_frames(self, features: Tensor) -> None:
        """Return nothing, since all frames pass the blocks together."""

    def forward(
        self,
        features: Tensor,
        aux_labels: AuxiliaryLabels | None = None,
        projections: Tensor | None = None,
    ) -> Tensor:
        """Fuse the features of a window.

        Args:
            features: F_l, F_t, F_r and the frames between, with shape [N, T, D, h', w'].
            aux_labels: Labels; with ``relative_time`` the key frame's position is read, half way if
                ``None``.
            projections: Not used; :class:`KeyFrameFusion` has the same interface.

        Returns:
            F~_t with shape [N, D, h', w'].
        """
        num_frames, grid = features.shape[1], features.shape[-2:]
        tokens = features.flatten(3).transpose(2, 3) + self.frame_embed
        if self.time_embed is not None:
            times = relative_times(position_of(aux_labels, features), num_frames)
            tokens = tokens + self.time_embed(times[..., None])[:, :, None]
        tokens = tokens.flatten(1, 2)
        for block in self.blocks:
            tokens = apply_block(block, tokens, recompute=self.with_cp)
        aggregated = self.aggregate(self.norm(tokens.unflatten(1, (num_frames, -1))))
        fused = aggregated.transpose(1, 2).unflatten(2, grid)
        return key_of(features) + fused if self.residual else fused


@register(MODELS)
class KeyFrameFusion(BaseModule):
    """Light form of TFF (beyond the paper): only the key frame is updated, from all frames.

    In a block the tokens of the key frame attend to the features of all frames, as the backbone
    computed them. The keys and values of a frame are the same in every window that contains it, so
    they can be projected once (:meth:`project_frames`); an embedding of the frame's place in the
    window is added afterwards. F~ starts as F_t, and the block learns what to add.

    Args:
        embed_dims: Width D of the features.
        num_heads: Attention heads of the block.
        feedforward_channels: Hidden width of the feed-forward network. ``None`` means 4 D.
        num_frames: Number of frames T.
        relative_time: Whether to add an embedding of each frame's time, as in TFF.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int | None = None,
        num_frames: int = NUM_FRAMES,
        relative_time: bool = False,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        # A list of one block, since checkpoints name the parameters so.
        block = KeyFrameBlock(embed_dims, num_heads, feedforward_channels)
        self.blocks: Any = nn.ModuleList([block])
        zero_init_residual(self.blocks)
        width = 2 * embed_dims
        self.frame_embed = nn.Parameter(torch.zeros(1, num_frames, 1, width))
        nn.init.trunc_normal_(self.frame_embed, std=0.02)
        self.time_embed = time_embedding(embed_dims, width) if relative_time else None

    def project_frames(self, features: Tensor) -> Tensor:
        """Project the features of single frames, which windows may share.

        Args:
            features: [..., D, h', w'].

        Returns:
            Keys and values [..., h' w', 2 D].
        """
        return self.blocks[0].project(features.flatten(-2).transpose(-2, -1))

    def forward(
        self,
        features: Tensor,
        aux_labels: AuxiliaryLabels | None = None,
        projections: Tensor | None = None,
    ) -> Tensor:
        """Fuse the features of a window.

        Args:
            features: F_l, F_t, F_r and the frames between, with shape [N, T, D, h', w'].
            aux_labels: Labels; with ``relative_time`` the key frame's position is read, half way if
                ``None``.
            projections: :meth:`project_frames` of ``features`` [N, T, h' w', 2 D], if already
                computed.

        Returns:
            F~_t with shape [N, D, h', w'].
        """
        num_frames, grid = features.shape[1], features.shape[-2:]
        if projections is None:
            projections = self.project_frames(features)
        embedding = self.frame_embed
        if self.time_embed is not None:
            times = relative_times(position_of(aux_labels, features), num_frames)
            embedding = embedding + self.time_embed(times[..., None])[:, :, None]
        placed = projections + embedding.to(projections.dtype)
        tokens = key_of(features).flatten(2).transpose(1, 2)
        tokens = self.blocks[0](tokens, placed.flatten(1, 2))
        return tokens.transpose(1, 2).unflatten(2, grid)


def time_embedding(embed_dims: int, width: int) -> nn.Sequential:
    """Build the MLP that embeds the time of a frame [..., 1] in ``width`` channels."""
    return nn.Sequential(nn.Linear(1, embed_dims), nn.GELU(), nn.Linear(embed_dims, width))
