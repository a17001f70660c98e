from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK = 2**20
"""Scores that are at hand at once, so that they stay in a processor's cache."""


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention.

    On a CPU it is computed in float32, but for bfloat16 inputs in inference mode: the backward pass
    of PyTorch's fused bfloat16 attention is several times slower on a CPU than the float32 one, and
    would be a third of a training step under autocast; its forward pass is no faster than in
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
    """See :func:`attend`."""
    shape = query.shape
    query = (query * shape[-1] ** -0.5).flatten(0, 1)
    key, value = key.flatten(0, 1).transpose(1, 2), value.flatten(0, 1)
    size = max(1, _CHUNK // (shape[2] * key.shape[2]))
    result = torch.empty_like(query)
    for start in range(0, len(query), size):
        part = slice(start, start + size)
        scores = torch.bmm(query[part], key[part])
        torch.softmax(scores, dim=-1, out=scores)
        torch.bmm(scores, value[part], out=result[part])
    return result.unflatten(0, shape[:2])
