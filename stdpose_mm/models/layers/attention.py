"""Scaled dot-product attention, multi-head self-attention and cross-attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import xavier_init
from torch import Tensor, nn

from stdpose_mm.errors import InputError

_CHUNK = 2**20
"""Number of attention scores per chunk, chosen so that they fit into a processor's cache."""


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Compute scaled dot-product attention (Eq. 12).

    On a CPU it is computed in float32, except for bfloat16 inputs in inference mode. The backward
    pass of PyTorch's fused bfloat16 attention is several times slower on a CPU than in float32 and
    would take a third of a training step under autocast. Its forward pass is no faster than in
    float32, while plain products and softmax take half the time.

    Args:
        query: [N, heads, L, d].
        key: [N, heads, L', d].
        value: [N, heads, L', d].

    Returns:
        [N, heads, L, d].
    """
    if query.device.type != 'cpu':
        return F.scaled_dot_product_attention(query, key, value)
    with torch.autocast('cpu', enabled=False):
        if query.dtype == torch.bfloat16 and torch.is_inference_mode_enabled():
            return _attend_in_chunks(query, key, value)
        return F.scaled_dot_product_attention(query.float(), key.float(), value.float())


def _attend_in_chunks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Compute :func:`attend` in bfloat16, for a part of the samples at a time."""
    shape = query.shape
    query = (query * shape[-1] ** -0.5).flatten(0, 1)
    key, value = key.flatten(0, 1).transpose(1, 2), value.flatten(0, 1)
    size = max(1, _CHUNK // (shape[2] * key.shape[2]))
    result = torch.empty_like(query)
    for start in range(0, len(query), size):
        chunk = slice(start, start + size)
        scores = torch.bmm(query[chunk], key[chunk])
        torch.softmax(scores, dim=-1, out=scores)
        torch.bmm(scores, value[chunk], out=result[chunk])
    return result.unflatten(0, shape[:2])


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
            raise InputError(f'embed_dims={embed_dims} is not a multiple of num_heads={num_heads}')
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims)
        self.proj = nn.Linear(embed_dims, embed_dims)
        for linear in (self.qkv, self.proj):
            xavier_init(linear, distribution='uniform')

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend from every token to every token: [N, L, D] -> [N, L, D]."""
        qkv = self.qkv(tokens).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = attend(query, key, value)
        return self.proj(attended.transpose(1, 2).flatten(2))


class CrossAttention(nn.Module):
    """Multi-head cross-attention (Eq. 12): queries from the tokens, keys and values from a context.

    Eq. 12 divides by the square root of "the embedding dimension"; with several heads this is the
    width of one head, as in all multi-head attention.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Number of heads; divides ``embed_dims``.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise InputError(f'embed_dims={embed_dims} is not a multiple of num_heads={num_heads}')
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dims, embed_dims)
        self.key_value = nn.Linear(embed_dims, 2 * embed_dims)
        self.proj = nn.Linear(embed_dims, embed_dims)
        for linear in (self.query, self.key_value, self.proj):
            xavier_init(linear, distribution='uniform')

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Attend from tokens [N, L, D] to a context [N, L', D]; returns [N, L, D]."""
        return self.read(tokens, self.key_value(context))

    def read(self, tokens: Tensor, key_value: Tensor) -> Tensor:
        """Attend from tokens [N, L, D] to projected keys and values [N, L', 2 D]."""
        query = self.query(tokens).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        pairs = key_value.unflatten(-1, (2, self.num_heads, -1))
        key, value = pairs.permute(2, 0, 3, 1, 4).unbind(0)
        attended = attend(query, key, value)
        return self.proj(attended.transpose(1, 2).flatten(2))
