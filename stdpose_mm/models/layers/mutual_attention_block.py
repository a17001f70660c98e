from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .cross_attention import CrossAttention
from .feed_forward import FeedForward


class MutualAttentionBlock(nn.Module):
    """Two sets of tokens read from each other by cross-attention, both at once.

    Each set has its own attention and feed-forward network, with a LayerNorm before each.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Number of attention heads.
        feedforward_channels: Hidden width of the feed-forward networks. ``None`` means 4 D.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, feedforward_channels: int | None = None
    ) -> None:
        super().__init__()
        hidden_dims = feedforward_channels or 4 * embed_dims
        self.ln_cross = _one_each(lambda: nn.LayerNorm(embed_dims, eps=1e-6))
        self.cross_attn = _one_each(lambda: CrossAttention(embed_dims, num_heads))
        self.ln_ffn = _one_each(lambda: nn.LayerNorm(embed_dims, eps=1e-6))
        self.ffn = _one_each(lambda: FeedForward(embed_dims, hidden_dims))

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """[N, L, D] and [N, L', D] -> the same."""
        normed = self.ln_cross[0](first), self.ln_cross[1](second)
        first = first + self.cross_attn[0](normed[0], normed[1])
        second = second + self.cross_attn[1](normed[1], normed[0])
        first = first + self.ffn[0](self.ln_ffn[0](first))
        second = second + self.ffn[1](self.ln_ffn[1](second))
        return first, second


def _one_each(build: Callable[[], nn.Module]) -> nn.ModuleList:
    """A module for each of the two sets."""
    return nn.ModuleList(build() for _ in range(2))
