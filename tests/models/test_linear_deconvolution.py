from __future__ import annotations

import pytest
import torch
from torch import nn

from stdpose_mm.models.layers import LinearDeconvolution, linearise_deconvolutions


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('shape', [(1, 3, 1, 1), (2, 3, 4, 5)])
def test_the_result_is_that_of_the_deconvolution(shape, bias):
    torch.manual_seed(0)
    deconvolution = nn.ConvTranspose2d(3, 7, 4, stride=2, padding=1, bias=bias)
    inputs = torch.randn(shape)
    with torch.no_grad():
        found = LinearDeconvolution(deconvolution)(inputs)
        torch.testing.assert_close(found, deconvolution(inputs))


def test_only_what_can_be_replaced_is():
    other = nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1, output_padding=1)
    model = nn.Sequential(nn.Sequential(nn.ConvTranspose2d(3, 3, 4, 2, 1)), other)
    inputs = torch.randn(1, 3, 4, 4)
    with torch.no_grad():
        expected = model(inputs)
        linearise_deconvolutions(model)
        torch.testing.assert_close(model(inputs), expected)
    assert isinstance(model[0][0], LinearDeconvolution)
    assert model[1] is other
