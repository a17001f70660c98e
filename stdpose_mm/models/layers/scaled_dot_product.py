from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention, in float32 on a CPU.

    The backward pass of PyTorch's fused bfloat16 attention is several times slower on a CPU than
    the float32 one, and would be a third of a training step under autocast.

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
        return F.scaled_dot_product_attention(query.float(), key.float(), value.float())
