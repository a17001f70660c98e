"""Backbones of networks that others have trained: ONNX files, and models of timm."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.backbones import OnnxNetwork, PyramidBackbone, TimmNetwork
from support.onnx_networks import OUTPUTS, write_network


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_network(tmp_path / 'network.onnx')


def backbone_of(file: str, outputs: list[str], **settings: Any) -> PyramidBackbone:
    return PyramidBackbone(
        dict(type='OnnxNetwork', file=file, outputs=outputs), embed_dims=8, **settings
    )


def pictures(height: int = 64, width: int = 32) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_layers_compute_what_onnxruntime_computes(file):
    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    expected = session.run([*OUTPUTS, 'maps'], {'pictures': pictures().numpy()})
    with torch.no_grad():
        maps = OnnxNetwork(file, [*OUTPUTS, 'maps'])(pictures())
    for values, reference in zip(maps, expected, strict=True):
        np.testing.assert_allclose(values, reference, atol=1e-5)


def test_only_layers_before_the_outputs_are_built(file):
    assert [*OnnxNetwork(file, ['fine']).layers] == ['fine', 'first']


def test_maps_are_freed_after_the_last_layer_that_reads_them(file):
    network = OnnxNetwork(file, ['added'])
    maps: dict[str, Any] = {}
    present = {}

    def hook(name: str, values: Tensor) -> None:
        maps[name] = weakref.ref(values)
        present[name] = [other for other, values in maps.items() if values() is not None]

    for name, layer in network.layers.items():
        layer.register_forward_hook(lambda _layer, _inputs, values, name=name: hook(name, values))
    with torch.no_grad():
        network(pictures())
    # "added" is the sum of "fine" and an enlarged "narrow".
    expected = {'first': ['first'], 'fine': ['fine'], 'deep': ['fine', 'deep']}
    assert present == {**expected, 'narrow': ['fine', 'narrow']}


def test_maps_are_folded_to_one_feature(file):
    """Finer maps patch by patch, coarser ones enlarged, by a linear layer each."""
    backbone = backbone_of(file, OUTPUTS, stride=2)
    with torch.no_grad():
        fine, added, coarse = backbone.network(pictures())
        (feature,) = backbone(pictures())
        of_fine, of_added, of_coarse = backbone.embeddings
        enlarged = F.interpolate(of_coarse(coarse), scale_factor=2, mode='bilinear')
        expected = of_fine(fine) + of_added(added) + enlarged
    normed = F.layer_norm(expected.movedim(1, 3), (8,), eps=1e-6)
    assert tuple(backbone.network.strides) == (2, 2, 4)
    torch.testing.assert_close(feature, normed.movedim(3, 1))


def test_a_patch_of_a_finer_map_is_one_position_of_the_feature(file):
    backbone = backbone_of(file, ['fine'])
    backbone.norm = nn.Identity()
    with torch.no_grad():
        patches = F.pixel_unshuffle(backbone.network(pictures())[0], 8)
        weight = backbone.embeddings[0].weight.flatten(1)
        expected = torch.einsum('nchw,dc->ndhw', patches, weight)
        expected = expected + backbone.embeddings[0].bias[:, None, None]
        torch.testing.assert_close(backbone(pictures())[0], expected)


@pytest.mark.parametrize('frozen', [False, True])
def test_a_frozen_network_learns_nothing(frozen, file):
    backbone = backbone_of(file, OUTPUTS, frozen=frozen).train()
    backbone(pictures())[0].square().sum().backward()
    assert backbone.network.training is not frozen
    assert all((each.grad is None) is frozen for each in backbone.network.parameters())
    assert all(each.grad is not None for each in backbone.embeddings.parameters())


@pytest.mark.parametrize(
    ('outputs', 'content', 'message'),
    [
        (['coarse', 'fine2'], None, 'has no fine2, set outputs to names of its values'),
        (['maps'], 'Softmax', 'has layers Softmax, which OnnxNetwork does not know'),
        (['maps'], '', 'cannot be read as an ONNX file'),
        (['maps'], 'damaged', 'cannot be read as an ONNX file'),
    ],
)
def test_files_that_cannot_be_used(outputs, content, message, tmp_path):
    path = tmp_path / 'network.onnx'
    if content == 'damaged':
        path.write_bytes(b'no network')
    elif content != '':
        write_network(path, content or 'Sigmoid')
    with pytest.raises(InputError, match=message):
        OnnxNetwork(str(path), outputs)


def test_sides_must_be_multiples_of_the_strides(file):
    with pytest.raises(InputError, match=r'multiples of 16, got \[64, 40\]'):
        backbone_of(file, OUTPUTS)(pictures(width=40))


# Models of timm


def test_without_timm_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(InputError, match='needs timm, install it with pip install timm'):
        TimmNetwork('resnet10t')


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip('timm', reason='timm is optional, see pyproject.toml')


NAME = 'tf_efficientnet_lite0'


@pytest.mark.parametrize('named', [True, False])
def test_weights_of_a_file_are_timms(named, timm, tmp_path):
    torch.manual_seed(0)
    model = timm.create_model(NAME).eval()
    weights = model.state_dict()
    if not named:
        weights = {f'_{position}': value for position, value in enumerate(weights.values())}
    torch.save(weights, tmp_path / 'weights.pth')
    backbone = PyramidBackbone(
        dict(
            type='TimmNetwork',
            model_name=NAME,
            pretrained=str(tmp_path / 'weights.pth'),
            out_indices=(1, 3),
        ),
        embed_dims=8,
    ).eval()
    # As the runner does before a training.
    backbone.init_weights()
    network = backbone.network
    assert (network.channels, network.strides) == ([24, 112], [4, 16])
    with torch.no_grad():
        maps = model.forward_intermediates(pictures(), intermediates_only=True)
        for values, expected in zip(network(pictures()), (maps[1], maps[3]), strict=True):
            torch.testing.assert_close(values, expected)


@pytest.mark.parametrize(
    ('name', 'weights', 'message'),
    [
        ('no_such_model', False, 'timm cannot build .*no_such_model.* with pretrained=False'),
        (NAME, {'other': torch.zeros(3)}, 'Remap failed.*, give another model or its own'),
    ],
)
def test_models_and_weights_that_timm_cannot_use(name, weights, message, timm, tmp_path):
    if weights:
        torch.save(weights, tmp_path / 'weights.pth')
        weights = str(tmp_path / 'weights.pth')
    with pytest.raises(InputError, match=message):
        TimmNetwork(name, weights).init_weights()
