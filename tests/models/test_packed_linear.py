from __future__ import annotations

import pytest
import torch
from torch import nn

from stdpose_mm.models.layers import PackedLinear, TransformerBlock, pack_linear_layers


@pytest.mark.parametrize('shape', [(5,), (1, 7, 5), (3, 2, 4, 5)])
@pytest.mark.parametrize('bias', [True, False])
def test_a_packed_layer_computes_the_same(shape, bias):
    torch.manual_seed(0)
    linear = nn.Linear(5, 9, bias=bias)
    inputs = torch.randn(shape)
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(linear)(inputs), linear(inputs))


def test_inputs_need_not_be_contiguous():
    linear = nn.Linear(6, 4)
    inputs = torch.randn(6, 8).T
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(linear)(inputs), linear(inputs))


def test_all_linear_layers_of_a_model_are_packed():
    block = TransformerBlock(32, 4).eval()
    tokens = torch.randn(2, 10, 32)
    with torch.inference_mode():
        expected = block(tokens)
        pack_linear_layers(block)
        torch.testing.assert_close(block(tokens), expected, atol=1e-5, rtol=1e-5)
    kinds = [type(module) for module in block.modules()]
    assert nn.Linear not in kinds
    assert kinds.count(PackedLinear) == 4
