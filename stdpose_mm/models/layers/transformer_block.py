from __future__ import annotations

from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from .feed_forward import FeedForward
from .self_attention import SelfAttention


class TransformerBlock(nn.Module):
    """Pre-LayerNorm transformer block: self-attention, then a feed-forward network.

    The parameters are called ``ln1``, ``attn``, ``ln2`` and ``ffn`` as in released ViTPose
    checkpoints.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Number of attention heads.
        feedforward_channels: Hidden width of the feed-forward network. ``None`` means 4 D.
        drop_path_rate: Probability that a training sample skips a residual branch.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int | None = None,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn = SelfAttention(embed_dims, num_heads)
        self.ln2 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.ffn = FeedForward(embed_dims, feedforward_channels or 4 * embed_dims)
        self.drop_path = DropPath(drop_path_rate) if drop_path_rate else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, L, D] -> [N, L, D]."""
        tokens = tokens + self.drop_path(self.attn(self.ln1(tokens)))
        return tokens + self.drop_path(self.ffn(self.ln2(tokens)))
