from __future__ import annotations

import math
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from stdpose_mm.errors import InputError
from stdpose_mm.export.onnx_export import export_onnx
from stdpose_mm.export.onnx_layers import (
    QuantisedDeconvolution,
    WinogradDeconvolution,
    prepare_for_export,
)
from stdpose_mm.inference.onnx_window_backend import OnnxWindowBackend, read_description
from stdpose_mm.models.layers.attention import CrossAttention, SelfAttention
from stdpose_mm.structures import Skeleton
from support.tiny_models import semantic_motion, window_model

pytestmark = pytest.mark.slow

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'))


@pytest.fixture
def tool():
    from stdpose_mm.cli import export

    return export


@pytest.fixture
def config(model_files):
    return str(model_files[0])


@pytest.fixture
def checkpoint(model_files):
    return str(model_files[1])


def test_the_command_writes_and_checks_all_graphs(tool, config, checkpoint, tmp_path, capsys):
    folder = tmp_path / 'a' / 'onnx'
    assert tool.main([config, checkpoint, str(folder), '--int8']) == 0
    graphs = ['encoder', 'encoder_int8', 'fusion', 'fusion_int8', 'whole']
    written = sorted(path.name for path in folder.iterdir())
    assert written == sorted([*(f'{graph}.onnx' for graph in graphs), 'network.json'])
    out = capsys.readouterr().out
    for line in ('whole.onnx: ', 'PyTorch, whole: ', 'PyTorch, split: ', 'PyTorch, int8: '):
        assert line in out
    assert read_description(folder)['input_size'] == [48, 64]


def test_a_difference_above_the_tolerance_is_refused(tool, config, checkpoint, tmp_path, capsys):
    assert tool.main([config, checkpoint, str(tmp_path), '--tolerance', '0']) == 2
    assert 'differ from PyTorch by' in capsys.readouterr().err
    with pytest.raises(InputError, match=r'holds no network\.json'):
        read_description(tmp_path)


SINGLE_FRAMES = {'test_cfg': {'use_frame_head': True}}


def test_no_number_in_the_split_graphs_alone_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(OnnxWindowBackend, 'fuse', lambda *_: np.float32([np.nan]))
    with pytest.raises(InputError, match='differ from PyTorch by nan'):
        export_onnx(window_model(SKELETON, **SINGLE_FRAMES), tmp_path)


def test_a_model_that_does_not_normalise_is_exported_as_it_is(tmp_path):
    # Graphs of an earlier export are not left beside others that they do not belong to.
    for name in ('fusion.onnx', 'encoder_int8.onnx', 'fusion_int8.onnx', 'mine.onnx'):
        (tmp_path / name).touch()
    plain = {'type': 'WindowDataPreprocessor', 'bgr_to_rgb': True}
    written = export_onnx(
        window_model(SKELETON, data_preprocessor=plain, **SINGLE_FRAMES), tmp_path
    )
    assert max(written.differences.values()) < 1e-3
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {'whole.onnx', 'encoder.onnx', 'network.json', 'mine.onnx'}


def test_a_layer_that_onnx_does_not_know_is_one_sentence(tmp_path):
    model = window_model(SKELETON, **SINGLE_FRAMES)

    class Unknown(nn.Module):
        def forward(self, tokens):
            return torch.linalg.eigvals(tokens @ tokens.transpose(1, 2)).real[..., None] + tokens

    model.model.backbone.layers[0] = Unknown()
    with pytest.raises(InputError, match='this model cannot be exported to ONNX') as caught:
        export_onnx(model, tmp_path)
    assert '\n' not in str(caught.value)
    assert not list(tmp_path.iterdir())


def initial_values(path):
    """Name -> number of values of what a graph holds."""
    graph = onnx.load(str(path)).graph
    return {value.name: math.prod(value.dims) for value in graph.initializer}


def operators(path):
    return {node.op_type for node in onnx.load(str(path)).graph.node}


@pytest.fixture(scope='module')
def second_system(tmp_path_factory):
    """A model of the second system that takes labels, and its graphs."""
    model = window_model(SKELETON, **semantic_motion(3, labels=True))
    return model, export_onnx(model, tmp_path_factory.mktemp('second'))


@pytest.mark.parametrize('graph', ['whole', 'encoder', 'fusion'])
def test_what_is_there_for_training_alone_is_in_no_graph(second_system, graph):
    """The decoders of hidden parts, the tokens in their place, and the frame head."""
    model, written = second_system
    estimator = model.model
    path = written.folder / f'{graph}.onnx'
    held = initial_values(path)
    training = ('context_decoder', 'pose_decoder', 'tube_token', 'frame_token', 'pose_embed')
    assert not [name for name in held if any(part in name for part in training)]
    assert not [name for name in held if 'frame_head' in name]
    backbone = sum(p.numel() for p in estimator.backbone.parameters())
    fusion = sum(
        p.numel()
        for name, p in (*estimator.neck.named_parameters(), *estimator.head.named_parameters())
        if not name.startswith(training)
    )
    expected = {'encoder': backbone, 'fusion': fusion, 'whole': backbone + fusion}[graph]
    # Folded normalisation has fewer values; shapes and position embeddings are some more.
    assert 0.97 * expected < sum(held.values()) < 1.03 * expected


def test_nothing_in_the_graphs_is_random(second_system):
    _, written = second_system
    for name in written.sizes:
        assert not {op for op in operators(written.folder / name) if 'Random' in op}
        assert 'Bernoulli' not in operators(written.folder / name)


@pytest.mark.parametrize('bias', [True, False])
def test_layers_for_eight_bits_compute_the_same_in_pytorch(bias):
    torch.manual_seed(0)
    deconvolution = nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1, bias=bias)
    other = nn.ConvTranspose2d(6, 6, 3, stride=2, padding=1, output_padding=1)
    model = nn.Sequential(deconvolution, nn.BatchNorm2d(6), nn.ReLU(), other).eval()
    model[1].running_mean.normal_()
    image = torch.randn(2, 8, 4, 3)
    attention = nn.ModuleList([SelfAttention(8, 2), CrossAttention(8, 2)]).eval()
    tokens, context = torch.randn(2, 5, 8), torch.randn(2, 7, 8)
    with torch.no_grad():
        expected = model(image), attention[0](tokens), attention[1](tokens, context)
        prepare_for_export(model, int8=True)
        prepare_for_export(attention, int8=True)
        found = model(image), attention[0](tokens), attention[1](tokens, context)
    assert isinstance(model[0], QuantisedDeconvolution)
    assert model[3] is other
    assert not any(isinstance(part, (SelfAttention, CrossAttention)) for part in attention)
    for own, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(own, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ('layer', 'size', 'bias', 'tolerance'),
    [
        # 8 bits of the input's range and of each weight's, in sums of 32 products.
        (QuantisedDeconvolution, (4, 5), True, 0.02),
        (WinogradDeconvolution, (4, 6), True, 1e-5),
        (WinogradDeconvolution, (3, 4), False, 1e-5),
        (WinogradDeconvolution, (5, 7), True, 1e-5),
    ],
)
def test_a_deconvolution_as_products_is_near_the_exact_one(layer, size, bias, tolerance, tmp_path):
    torch.manual_seed(0)
    exact = nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1, bias=bias)
    written = layer(exact).eval()
    image = torch.randn(3, 8, *size)
    path = str(tmp_path / 'layer.onnx')
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            written,
            (image[:1],),
            path,
            input_names=['x'],
            dynamic_axes={'x': {0: 'batch'}},
            opset_version=17,
            dynamo=False,
        )
        in_pytorch, expected = written(image).numpy(), exact(image).numpy()
    (found,) = onnxruntime.InferenceSession(path).run(None, {'x': image.numpy()})
    largest = abs(expected).max()
    np.testing.assert_allclose(in_pytorch, expected, atol=1e-5 * largest)
    np.testing.assert_allclose(found, expected, atol=tolerance * largest)


@pytest.mark.parametrize(('channels', 'replaced'), [(256, True), (255, False)])
def test_only_wide_deconvolutions_are_written_as_winograds(channels, replaced):
    model = nn.Sequential(nn.ConvTranspose2d(256, channels, 4, stride=2, padding=1)).eval()
    prepare_for_export(model)
    assert isinstance(model[0], WinogradDeconvolution) == replaced
