from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers.blocks import PoseAggregationBlock
from stdpose_mm.models.layers.position_embedding import (
    fit_position_embedding,
    sine_cosine_position_embedding,
)
from stdpose_mm.models.structures import SpatioTemporalRepresentation
from stdpose_mm.registration import register

from .decoder_head import DecoderHead


@register(MODELS)
class STDAHead(DecoderHead):
    """SpatioTemporal Dynamics Aggregation (STDA, Eq. 13) and the final heatmaps.

    Tokens of the masked and unmasked merged heatmaps pass Pose Aggregation blocks, in which they
    attend to the fused feature F~; a classic head with two upsampling layers follows. Loss,
    prediction and decoding are those of :class:`HeatmapHead`.

    Args:
        in_channels: Width D of the tokens and of F~.
        out_channels: Number of joints K.
        feature_size: Rows and columns of the token grid; the heatmaps are ``patch_size`` times
            larger.
        mask: Config of the motion mask, or ``None`` to embed only the merged heatmaps.
        num_heads: Attention heads of a block.
        num_blocks: Number of Pose Aggregation blocks.
        feedforward_channels: Hidden width of the feed-forward networks. ``None`` means 4 D.
        patch_size: Side of the heatmap patch that becomes a token, in heatmap pixels.
        merged_channels: Width C of the neck's ``merged_feature``, which is then added to the tokens
            and concatenated with the upsampled feature: a path at full resolution (beyond the
            paper). ``None`` leaves it out.
        refine_channels: Width of that path before the last layer. ``None`` means the width of the
            upsampled feature; less than a few channels per joint impairs the maps.
        deconv_out_channels: Channels of the upsampling layers.
        deconv_kernel_sizes: Kernel sizes of the upsampling layers.
        **kwargs: Further arguments of :class:`HeatmapHead` (``loss``, ``decoder``, ...).

    Raises:
        InputError: If ``refine_channels`` is given without ``merged_channels``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        feature_size: tuple[int, int],
        mask: dict | None,
        num_heads: int,
        num_blocks: int = 2,
        feedforward_channels: int | None = None,
        patch_size: int = 4,
        merged_channels: int | None = None,
        refine_channels: int | None = None,
        deconv_out_channels: Sequence[int] = (256, 256),
        deconv_kernel_sizes: Sequence[int] = (4, 4),
        **kwargs: Any,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deconv_out_channels=deconv_out_channels,
            deconv_kernel_sizes=deconv_kernel_sizes,
            **kwargs,
        )
        if refine_channels is not None and merged_channels is None:
            raise InputError(
                f'refine_channels={refine_channels} needs the path at full resolution, set '
                'merged_channels too'
            )
        self.grid = (feature_size[0], feature_size[1])
        self.patch_size = patch_size
        self.heatmap_shape = (self.grid[0] * patch_size, self.grid[1] * patch_size)
        self.mask = MODELS.build(mask) if mask else None
        self.patch_embed = nn.Conv2d(
            out_channels * (2 if mask else 1), in_channels, patch_size, stride=patch_size
        )
        if merged_channels is not None:
            self.add_full_resolution_path(merged_channels, patch_size, refine_channels)
        positions = sine_cosine_position_embedding(self.grid, in_channels) * 0.5
        self.pos_embed = nn.Parameter(positions)
        self.blocks = nn.ModuleList(
            PoseAggregationBlock(in_channels, num_heads, feedforward_channels)
            for _ in range(num_blocks)
        )
        self.norm = nn.LayerNorm(in_channels, eps=1e-6)

    def forward(self, feats: SpatioTemporalRepresentation) -> Tensor:
        """Aggregate and decode (Eq. 13).

        Args:
            feats: Representation with ``fused_feature``, ``merged_heatmaps``, for the mask
                ``frame_heatmaps``, and for the path at full resolution ``merged_feature``.

        Returns:
            Heatmaps H-bar [N, K, h, w], float32 also under autocast, since NumPy decodes them.

        Raises:
            InputError: If the representation lacks a part or has another heatmap size.
        """
        merged, context = feats.merged_heatmaps, feats.fused_feature
        if merged is None or context is None:
            raise InputError('STDAHead needs a neck with both tff and tks')
        if merged.shape[-2:] != self.heatmap_shape:
            raise InputError(
                f'expected merged heatmaps of size {self.heatmap_shape}, '
                f'got {tuple(merged.shape[-2:])}, set feature_size, patch_size and the layers of '
                'frame_head to fit the backbone'
            )
        if self.mask is not None:
            merged = torch.cat((merged * self.mask(feats.frame_heatmaps), merged), dim=1)
        embedded = self.join_merged_feature(self.patch_embed(merged), feats)
        tokens = embedded.flatten(2).transpose(1, 2) + self.pos_embed
        context = context.flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens, context)
        aggregated = self.norm(tokens).transpose(1, 2).unflatten(2, self.grid)
        return self.to_heatmaps(aggregated, feats.merged_feature)

    def _load_state_dict_pre_hook(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        super()._load_state_dict_pre_hook(state_dict, prefix, *args, **kwargs)
        key = prefix + 'pos_embed'
        if key in state_dict:
            state_dict[key] = fit_position_embedding(state_dict[key], self.grid)
