from __future__ import annotations

from torch import Tensor, nn

from stdpose_mm.errors import InputError

from .scaled_dot_product import attend


class SelfAttention(nn.Module):
    """Multi-head self-attention.

    The parameters are called ``qkv`` and ``proj`` as in released ViTPose checkpoints.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Number of heads; divides ``embed_dims``.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise InputError(f'embed_dims={embed_dims} is no multiple of num_heads={num_heads}')
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims)
        self.proj = nn.Linear(embed_dims, embed_dims)
        for linear in (self.qkv, self.proj):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, L, D] -> [N, L, D]."""
        qkv = self.qkv(tokens).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = attend(query, key, value)
        return self.proj(attended.transpose(1, 2).flatten(2))
