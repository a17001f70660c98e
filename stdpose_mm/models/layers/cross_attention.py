from __future__ import annotations

from torch import Tensor, nn

from stdpose_mm.errors import InputError

from .scaled_dot_product import attend


class CrossAttention(nn.Module):
    """Multi-head cross-attention (Eq. 12): the query reads from a context.

    Eq. 12 divides by the square root of "the embedding dimension"; with several heads that is the
    width of one head, as in every multi-head attention.

    Args:
        embed_dims: Width D of the query tokens and of the result.
        num_heads: Number of heads; divides ``embed_dims``.
        context_dims: Width of the context tokens. ``None`` means D.
    """

    def __init__(self, embed_dims: int, num_heads: int, context_dims: int | None = None) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise InputError(f'embed_dims={embed_dims} is no multiple of num_heads={num_heads}')
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dims, embed_dims)
        self.key_value = nn.Linear(context_dims or embed_dims, 2 * embed_dims)
        self.proj = nn.Linear(embed_dims, embed_dims)
        for linear in (self.query, self.key_value, self.proj):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """[N, L, D] and [N, L', D'] -> [N, L, D]."""
        query = self.query(tokens).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        key_value = self.key_value(context).unflatten(-1, (2, self.num_heads, -1))
        key, value = key_value.permute(2, 0, 3, 1, 4).unbind(0)
        attended = attend(query, key, value)
        return self.proj(attended.transpose(1, 2).flatten(2))
