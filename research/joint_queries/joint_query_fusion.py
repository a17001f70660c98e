from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule, constant_init
from torch import Tensor, nn

from stdpose_mm.models.layers.blocks import PoseAggregationBlock
from stdpose_mm.models.necks import AppearanceCorrelation
from stdpose_mm.models.necks.temporal_feature_fusion import time_embedding
from stdpose_mm.models.structures import auxiliary_of, key_of

EPSILON = 1e-6
CLOSED = -1e4
"""Score of a cell that is not read; float16 can represent it."""
NOTHING = 0.05
"""Height of a map at which a joint reads the cell and the empty token equally."""
OUTSIDE = 0.1
"""Share of a map's height up to which a cell is outside the joint's region."""
MAP_CHANNELS = 32
"""Width of the feature at the size of the heatmaps."""


class ReadingBlock(PoseAggregationBlock):
    """Pose Aggregation block with a bias in its cross-attention."""

    def forward(self, tokens: Tensor, context: Tensor, bias: Tensor | None = None) -> Tensor:
        """Update tokens [N, L, D] by a context [N, L', D], with a bias [N, 1, L, L'] of scores."""
        tokens = tokens + self.self_attn(self.ln_self(tokens))
        attn = self.cross_attn
        key, value = attn.key_value(self.ln_context(context)).chunk(2, dim=-1)
        parts = (attn.query(self.ln_cross(tokens)), key, value)
        heads = [x.float().unflatten(-1, (attn.num_heads, -1)).transpose(1, 2) for x in parts]
        with torch.autocast('cpu', enabled=False):
            read = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], bias)
        tokens = tokens + attn.proj(read.transpose(1, 2).flatten(2))
        return tokens + self.ffn(self.ln_ffn(tokens))


class JointQueryFusion(BaseModule):
    """Joint queries that read the auxiliary frames at the joints' positions.

    The idea follows TAR-ViTPose (Fang et al., "Beyond Static Frames", CVPR 2026): one token per
    joint reads the neighbouring frames only in the region of that joint, and the result is restored
    into the feature of the key frame. The implementation differs.

    - **Queries**: the sum of a learnable embedding per joint, the key frame's feature under the
      joint's map there, and an embedding of the position, height and time of the peaks of its maps.
    - **Reading**: the queries attend to each other, then to the auxiliary frames. The score of a
      cell is increased by the log of the joint's map there; cells outside the map are not read. So
      with given labels, a query reads the feature at the label. A joint with faint or no maps reads
      an empty token.
    - **Restoring**: the projected token of a joint is added to the feature under the joint's map in
      the key frame. The product of another projection of the token and the feature at the size of
      the heatmaps is added to the key frame's maps: it shows where the described joint is.

    The projections are zero at the start, so that feature and maps are unchanged. The times of the
    auxiliary frames matter, not their order or number.

    Args:
        num_joints: Number of joints K.
        embed_dims: Width D of the features.
        num_heads: Attention heads.
    """

    def __init__(self, num_joints: int, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.query_embed = nn.Parameter(torch.zeros(1, num_joints, embed_dims))
        nn.init.trunc_normal_(self.query_embed, std=0.02)
        self.place_embed = nn.Sequential(
            nn.Linear(4, embed_dims), nn.GELU(), nn.Linear(embed_dims, embed_dims)
        )
        self.time_embed = time_embedding(embed_dims, embed_dims)
        self.block = ReadingBlock(embed_dims, num_heads)
        self.norm = nn.LayerNorm(embed_dims, eps=EPSILON)
        self.restore = nn.Linear(embed_dims, embed_dims)
        constant_init(self.restore, 0)
        self.fine_feature = AppearanceCorrelation(embed_dims, MAP_CHANNELS).upsample
        self.kernels = nn.Linear(embed_dims, MAP_CHANNELS)
        constant_init(self.kernels, 0)

    def forward(
        self, features: Tensor, key_feature: Tensor, heatmaps: Tensor, times: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Read the auxiliary frames and change the key frame.

        Args:
            features: [N, T, D, h', w'].
            key_feature: F_t or F~ [N, D, h', w'].
            heatmaps: [N, T, K, h, w], given labels in place of predictions.
            times: Times of the frames relative to the key frame, [N, T] or [1, T].

        Returns:
            The key frame's feature [N, D, h', w'], and the heatmaps, changed in the key frame.
        """
        # Heatmaps only show where to read, so they get no gradient from it.
        maps = heatmaps.detach().float().clamp(min=0)
        regions = F.adaptive_max_pool2d(maps.flatten(0, 1), key_feature.shape[-2:])
        regions = regions.unflatten(0, maps.shape[:2]).flatten(3)
        weights = key_of(regions)
        shares = weights / (weights.sum(-1, keepdim=True) + EPSILON)
        here = torch.einsum('nkp,ndp->nkd', shares, key_feature.flatten(2).float())
        tokens = self.query_embed + here + self.place_embed(find_places(maps, times)).mean(1)

        context = auxiliary_of(features).flatten(3).transpose(2, 3)
        context = context + self.time_embed(auxiliary_of(times)[..., None])[:, :, None]
        context = F.pad(context.flatten(1, 2), (0, 0, 0, 1))
        tokens = self.norm(self.block(tokens, context, reading_bias(auxiliary_of(regions))))

        restored = torch.einsum('nkp,nkd->ndp', weights, self.restore(tokens).float())
        feature = key_feature + restored.reshape(key_feature.shape)
        fine, kernels = self.fine_feature(feature).float(), self.kernels(tokens).float()
        changed = heatmaps.clone()
        key_of(changed).add_(torch.einsum('nkc,nchw->nkhw', kernels, fine))
        return feature, changed


def reading_bias(regions: Tensor) -> Tensor:
    """Compute the bias on the scores of the cells that a joint may read.

    Args:
        regions: Heights of the joints' maps at the L tokens of the auxiliary frames [N, A, K, L].

    Returns:
        [N, 1, K, A L + 1], the last one for the empty token.
    """
    floor = (OUTSIDE * regions.amax(-1, keepdim=True)).clamp(min=EPSILON)
    bias = torch.where(regions > floor, regions.clamp(min=EPSILON).log(), CLOSED)
    return F.pad(bias.transpose(1, 2).flatten(2), (0, 1), value=math.log(NOTHING))[:, None]


def find_places(maps: Tensor, times: Tensor) -> Tensor:
    """Locate the peaks of maps.

    Args:
        maps: [N, T, K, h, w], not negative.
        times: [N, T].

    Returns:
        Column and row, each in -1..1, height and time [N, T, K, 4]; an empty map has its peak at
        the centre.
    """
    heights = maps.amax((-2, -1))
    peaks = torch.where(maps > heights[..., None, None] / 2, maps, 0)
    total = peaks.sum((-2, -1)) + EPSILON
    row, column = (torch.linspace(-1, 1, side, device=maps.device) for side in maps.shape[-2:])
    x, y = (peaks.sum(-2) * column).sum(-1) / total, (peaks.sum(-1) * row).sum(-1) / total
    return torch.stack((x, y, heights, times[..., None].expand_as(x)), dim=-1)
