from __future__ import annotations

from torch import Tensor, nn

from .feed_forward import FeedForward
from .self_attention import SelfAttention


class DividedAttentionBlock(nn.Module):
    """Divided space-time attention (Bertasius et al., "Is Space-Time Attention All You Need?").

    A token attends to those at its place in the other frames, then to those of its own frame; a
    feed-forward network follows. A LayerNorm stands before each.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Number of attention heads.
        feedforward_channels: Hidden width of the feed-forward network. ``None`` means 4 D.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, feedforward_channels: int | None = None
    ) -> None:
        super().__init__()
        self.ln_time = nn.LayerNorm(embed_dims, eps=1e-6)
        self.time_attn = SelfAttention(embed_dims, num_heads)
        self.ln_space = nn.LayerNorm(embed_dims, eps=1e-6)
        self.space_attn = SelfAttention(embed_dims, num_heads)
        self.ln_ffn = nn.LayerNorm(embed_dims, eps=1e-6)
        self.ffn = FeedForward(embed_dims, feedforward_channels or 4 * embed_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, T, L, D] -> [N, T, L, D]."""
        num_frames, num_places = tokens.shape[1:3]
        by_place = self.ln_time(tokens).transpose(1, 2).flatten(0, 1)
        over_time = self.time_attn(by_place).unflatten(0, (-1, num_places))
        tokens = tokens + over_time.transpose(1, 2)
        over_space = self.space_attn(self.ln_space(tokens).flatten(0, 1))
        tokens = tokens + over_space.unflatten(0, (-1, num_frames))
        return tokens + self.ffn(self.ln_ffn(tokens))
