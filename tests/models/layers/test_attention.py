from __future__ import annotations

import math

import pytest
import torch

from stdpose_mm.models.layers.attention import CrossAttention, SelfAttention

DIMS, HEADS = 8, 2


def reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Compute Eq. 12 head by head, for one sample [L, D]."""
    width = DIMS // HEADS
    outputs = []
    for head in range(HEADS):
        channels = slice(head * width, (head + 1) * width)
        scores = query[:, channels] @ key[:, channels].T / math.sqrt(width)
        outputs.append(torch.softmax(scores, dim=-1) @ value[:, channels])
    return torch.cat(outputs, dim=-1)


def test_self_attention_is_eq_12_of_the_tokens_with_themselves():
    layer = SelfAttention(DIMS, HEADS)
    tokens = torch.randn(1, 5, DIMS)
    query, key, value = (
        tokens[0] @ layer.qkv.weight[i * DIMS : (i + 1) * DIMS].T for i in range(3)
    )
    torch.testing.assert_close(layer(tokens)[0], layer.proj(reference(query, key, value)))


def test_cross_attention_is_eq_12_with_keys_and_values_of_the_context():
    layer = CrossAttention(DIMS, HEADS)
    tokens, context = torch.randn(1, 5, DIMS), torch.randn(1, 3, DIMS)
    query = tokens[0] @ layer.query.weight.T
    key, value = (context[0] @ layer.key_value.weight.T).split(DIMS, dim=1)
    expected = layer.proj(reference(query, key, value))
    torch.testing.assert_close(layer(tokens, context)[0], expected)


@pytest.mark.parametrize('layer', [SelfAttention, CrossAttention])
def test_heads_must_divide_the_width(layer):
    with pytest.raises(ValueError, match='embed_dims=8 is not a multiple of num_heads=3'):
        layer(DIMS, 3)


def test_autocast_gives_nearly_the_float32_result():
    layer = SelfAttention(DIMS, HEADS)
    tokens = torch.randn(2, 5, DIMS)
    with torch.autocast('cpu', torch.bfloat16):
        low = layer(tokens)
    torch.testing.assert_close(low.float(), layer(tokens), atol=0.03, rtol=0.03)
