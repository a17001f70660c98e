from __future__ import annotations

from torch import Tensor, nn

from .cross_attention import CrossAttention
from .feed_forward import FeedForward
from .self_attention import SelfAttention


class PoseAggregationBlock(nn.Module):
    """Pose Aggregation block (Sec. 3.2, Eq. 12): heatmap tokens gather from the fused feature.

    Self-attention, cross-attention (query: heatmap tokens, key and value: tokens of F~) and a
    feed-forward network, with a LayerNorm before each. F~ leaves its module unnormalised, so the
    context has a LayerNorm of its own.

    Args:
        embed_dims: Width D of the heatmap tokens.
        num_heads: Number of attention heads.
        feedforward_channels: Hidden width of the feed-forward network. ``None`` means 4 D.
        context_dims: Width of the tokens of F~. ``None`` means D.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int | None = None,
        context_dims: int | None = None,
    ) -> None:
        super().__init__()
        self.ln_self = nn.LayerNorm(embed_dims, eps=1e-6)
        self.self_attn = SelfAttention(embed_dims, num_heads)
        self.ln_cross = nn.LayerNorm(embed_dims, eps=1e-6)
        self.ln_context = nn.LayerNorm(context_dims or embed_dims, eps=1e-6)
        self.cross_attn = CrossAttention(embed_dims, num_heads, context_dims)
        self.ln_ffn = nn.LayerNorm(embed_dims, eps=1e-6)
        self.ffn = FeedForward(embed_dims, feedforward_channels or 4 * embed_dims)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """[N, L, D] and [N, L', D'] -> [N, L, D]."""
        tokens = tokens + self.self_attn(self.ln_self(tokens))
        tokens = tokens + self.cross_attn(self.ln_cross(tokens), self.ln_context(context))
        return tokens + self.ffn(self.ln_ffn(tokens))
