from __future__ import annotations

import pytest
import torch
from torch import nn

from stdpose_mm.bfloat16 import is_bfloat16_faster
from stdpose_mm.models.layers.blocks import TransformerBlock
from stdpose_mm.models.layers.convolutions import conv_block
from stdpose_mm.models.layers.mkldnn_layers import (
    MkldnnLinear,
    MkldnnPatchEmbedding,
    optimize_for_cpu,
)


@pytest.mark.parametrize(
    ('shape', 'bias'), [((5,), True), ((1, 7, 5), False), ((3, 2, 4, 5), True)]
)
def test_a_converted_layer_computes_the_same(shape, bias):
    torch.manual_seed(0)
    linear = nn.Linear(5, 9, bias=bias)
    inputs = torch.randn(shape[::-1]).permute(*reversed(range(len(shape))))  # not contiguous
    with torch.inference_mode():
        torch.testing.assert_close(MkldnnLinear(linear.weight, linear.bias)(inputs), linear(inputs))
        expected = nn.functional.gelu(linear(inputs))
        found = MkldnnLinear(linear.weight, linear.bias, activation='gelu')(inputs)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ('size', 'padding', 'bias'),
    [((32, 16), 0, True), ((36, 20), 2, False), ((37, 28), (2, 1), True)],
)
def test_patches_side_by_side_are_a_linear_layer(size, padding, bias):
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 5, 4, stride=4, padding=padding, bias=bias)
    inputs = torch.randn(2, 3, *size)
    assert MkldnnPatchEmbedding.fits(convolution)
    with torch.inference_mode():
        torch.testing.assert_close(MkldnnPatchEmbedding(convolution)(inputs), convolution(inputs))


@pytest.mark.parametrize('settings', [{'stride': 2}, {'stride': 4, 'dilation': 2}, {'groups': 3}])
def test_other_convolutions_are_not_taken_for_patches(settings):
    assert not MkldnnPatchEmbedding.fits(nn.Conv2d(3, 6, 4, **{'stride': 4, **settings}))


@pytest.mark.parametrize(
    ('kernel', 'settings'), [(4, {'padding': 1}), (3, {'padding': 1, 'output_padding': 1}), (2, {})]
)
def test_a_deconvolution_with_what_follows_it(kernel, settings):
    torch.manual_seed(0)
    deconvolution = nn.ConvTranspose2d(6, 5, kernel, stride=2, bias=False, **settings)
    normalisation = nn.BatchNorm2d(5)
    nn.init.normal_(normalisation.weight)
    nn.init.normal_(normalisation.bias)
    normalisation.running_mean.normal_()
    normalisation.running_var.uniform_(0.5, 2)
    model = nn.Sequential(deconvolution, normalisation, nn.ReLU(inplace=True)).eval()
    inputs = torch.randn(2, 6, 4, 3)
    with torch.inference_mode():
        expected = model(inputs)
        optimize_for_cpu(model)
        torch.testing.assert_close(model(inputs), expected, atol=1e-5, rtol=1e-5)
    assert [type(layer) for layer in model] == [nn.ConvTranspose2d, nn.Identity, nn.ReLU]
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_all_linear_layers_of_a_model_are_converted():
    block = TransformerBlock(32, 4).eval()
    tokens = torch.randn(2, 10, 32)
    with torch.inference_mode():
        expected = block(tokens)
        optimize_for_cpu(block)
        torch.testing.assert_close(block(tokens), expected, atol=1e-5, rtol=1e-5)
    kinds = [type(module) for module in block.modules()]
    assert nn.Linear not in kinds
    assert nn.GELU not in kinds
    assert kinds.count(MkldnnLinear) == 4


def test_only_an_exact_activation_becomes_part_of_a_layer():
    model = nn.Sequential(nn.Linear(4, 4), nn.GELU(approximate='tanh'))
    inputs = torch.randn(8, 4)
    with torch.inference_mode():
        expected = model(inputs)
        optimize_for_cpu(model)
        torch.testing.assert_close(model(inputs), expected)
    assert isinstance(model[1], nn.GELU)


def test_bfloat16_is_near_where_the_processor_has_it():
    torch.manual_seed(0)
    block = TransformerBlock(32, 4).eval()
    tokens = torch.randn(2, 600, 32)
    with torch.inference_mode():
        expected = block(tokens)
        optimize_for_cpu(block, torch.bfloat16)
        found = block(tokens)
    # What is added up stays in float32.
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0.05)
    # Elsewhere the layers stay as they are, and autocast computes in bfloat16 without oneDNN.
    assert torch.equal(found, expected) != is_bfloat16_faster('cpu')


def test_the_activation_of_a_convolution_stays():
    model = nn.Sequential(conv_block(4, 6, groups=2)).eval()
    inputs = torch.randn(2, 4, 5, 5)
    with torch.inference_mode():
        expected = model(inputs)
        optimize_for_cpu(model)
        torch.testing.assert_close(model(inputs), expected, atol=1e-5, rtol=1e-5)
    assert expected.min() == 0
