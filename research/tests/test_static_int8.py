"""Networks of ``auto`` whose convolutions are in 8 bits."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from mmengine.registry import init_default_scope

from research.export.matcher_export import export_matcher
from research.export.static_int8 import quantise_layers
from research.export.stdpose_export import export_stdpose
from research.training.joint_matcher import JointMatcher
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.errors import InputError
from stdpose_mm.inference.onnx_window_backend import FRAMES_FILE, WINDOWS_FILE, OnnxWindowBackend
from stdpose_mm.labelling.propagation.auto.joint_matching import (
    CROP_SIDE,
    SHIPPED_MATCHER,
    TrainedMatcher,
)
from stdpose_mm.labelling.propagation.auto.network_heatmaps import (
    SHIPPED_STDPOSES,
    shipped_stdposes,
)
from stdpose_mm.onnx_session import start_session
from support.tiny_models import moving_pictures, window_model

pytestmark = pytest.mark.slow

MATCHER_FILE = 'joint_matcher.onnx'


@pytest.fixture(scope='module')
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an untrained matcher, and of an untrained STDPose for generated people."""
    folder = tmp_path_factory.mktemp('networks')
    torch.manual_seed(0)
    init_default_scope('mmpose')
    export_matcher(JointMatcher(), folder / MATCHER_FILE)
    export_stdpose(window_model(shipped_stdposes()[0].skeleton), folder, 'nothing')
    return folder


@pytest.fixture(scope='module')
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('clips')
    settings = ClipSettings(frames=16, people=(1, 1), width=120, height=96)
    write_dataset(folder, 0, 1, settings=settings, seed=5, workers=1)
    return folder


@pytest.fixture(scope='module')
def crops() -> np.ndarray:
    return moving_pictures(4, CROP_SIDE, CROP_SIDE)


def kinds(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_descriptors_in_8_bits_are_nearly_the_same(networks, crops, tmp_path):
    source, target = networks / MATCHER_FILE, tmp_path / MATCHER_FILE
    matcher = TrainedMatcher(source)

    quantise_layers(source, target, [matcher.inputs(crops)])

    before, after = matcher.describe(crops), TrainedMatcher(target).describe(crops)
    assert (before * after).sum(axis=1).min() > 0.98
    assert not np.array_equal(before, after)


def test_weights_have_7_bits_for_processors_without_vnni(networks, crops, tmp_path):
    target = tmp_path / MATCHER_FILE
    quantise_layers(networks / MATCHER_FILE, target, [TrainedMatcher.inputs(crops)])

    stored = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(target).graph.initializer]
    largest = max(np.abs(tensor.astype(int)).max() for tensor in stored if tensor.dtype == np.int8)
    assert largest == 64


def quantised(folder, nodes, ports, weights, inputs):
    """Write a network and the same in 8 bits; return their files.

    Args:
        folder: Folder for the files.
        nodes: Layers of the network.
        ports: Shapes of its input and of its output, by name.
        weights: Constants by name.
        inputs: Values of its input, to calibrate with.
    """
    infos = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in ports.items()
    ]
    stored = [
        onnx.numpy_helper.from_array(np.asarray(values, np.float32), name)
        for name, values in weights.items()
    ]
    graph = onnx.helper.make_graph(nodes, 'network', infos[:1], infos[1:], stored)
    opset = onnx.helper.make_opsetid('', 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    source, target = folder / 'in.onnx', folder / 'out.onnx'
    onnx.save(model, source)
    quantise_layers(source, target, [{'x': inputs}])
    return source, target


def test_the_8_bits_span_the_range_of_a_bounded_activation(tmp_path):
    """MoveNet has ReLU6 after its convolutions, a few of whose channels reach much further."""
    rng = np.random.default_rng(0)
    weights = {f'w{n}': rng.normal(0, 1, (8, 8, 3, 3)) for n in range(3)}
    for kernel in weights.values():
        kernel[0] *= 30
    nodes = []
    for n, taken in enumerate(('x', 'r0', 'r1')):
        nodes += [
            onnx.helper.make_node('Conv', [taken, f'w{n}'], [f'c{n}'], f'c{n}', pads=[1] * 4),
            onnx.helper.make_node('Clip', [f'c{n}', 'low', 'high'], [f'r{n}'], f'r{n}'),
        ]
    ports = {name: ['N', 8, 16, 16] for name in ('x', 'r2')}
    inputs = rng.normal(0, 1, (4, 8, 16, 16)).astype(np.float32)
    files = quantised(tmp_path, nodes, ports, {**weights, 'low': 0, 'high': 6}, inputs)
    before, after = (
        start_session(file, 'a network').run(['r2'], {'x': inputs})[0] for file in files
    )
    assert np.abs(before - after).mean() < 0.06 * before.mean()


def test_linear_layers_are_quantised_and_products_of_results_are_not(tmp_path):
    rng = np.random.default_rng(0)
    nodes = [
        onnx.helper.make_node('MatMul', ['x', 'w'], ['tokens'], 'layer'),
        onnx.helper.make_node('Transpose', ['tokens'], ['turned'], 'turn', perm=[0, 2, 1]),
        onnx.helper.make_node('MatMul', ['tokens', 'turned'], ['y'], 'product'),
    ]
    ports = {'x': ['N', 6, 8], 'y': ['N', 6, 6]}
    inputs = rng.normal(0, 1, (4, 6, 8)).astype(np.float32)
    _, target = quantised(tmp_path, nodes, ports, {'w': rng.normal(0, 1, (8, 4))}, inputs)
    written = onnx.load(target).graph
    made_by = {output: node.op_type for node in written.node for output in node.output}
    layer, product = (
        next(node for node in written.node if node.name == name) for name in ('layer', 'product')
    )
    assert [made_by[name] for name in layer.input] == ['DequantizeLinear'] * 2
    assert made_by[product.output[0]] == 'MatMul'
    assert 'y' in product.output  # nothing is rounded after it


def test_a_network_in_8_bits_is_not_quantised_again(networks, crops, tmp_path):
    once, again = tmp_path / 'once.onnx', tmp_path / 'again.onnx'
    quantise_layers(networks / MATCHER_FILE, once, [TrainedMatcher.inputs(crops)])
    with pytest.raises(InputError, match=r'once\.onnx is in 8 bits already'):
        quantise_layers(once, again, [TrainedMatcher.inputs(crops)])
    assert not again.exists()


@pytest.mark.parametrize('names', [[MATCHER_FILE], []], ids=['with a matcher', 'STDPose alone'])
def test_the_tool_writes_the_networks_of_auto(run_main, networks, clips, tmp_path, names):
    out = tmp_path / 'int8'
    matcher = [option for name in names for option in ('--matcher', networks / name)]
    code, printed, errors = run_main(
        import_module('research.tools.quantise_auto').main,
        clips / 'annotations' / 'val',
        *('--image-root', clips, *matcher, '--stdpose', networks, '--out', out),
    )
    assert (code, errors) == (0, [])
    assert f'are in {out}' in printed
    written = [*names, FRAMES_FILE, WINDOWS_FILE]
    assert sorted(path.name for path in out.iterdir()) == written
    assert (
        OnnxWindowBackend.from_stdpose(out).record
        == OnnxWindowBackend.from_stdpose(networks).record
    )
    for name in written:
        assert kinds(out / name)['QuantizeLinear'] > 0


def test_the_networks_of_the_package_are_in_8_bits():
    windows = [folder / WINDOWS_FILE for folder in SHIPPED_STDPOSES]
    for path in (SHIPPED_MATCHER, *windows):
        assert kinds(path)['QuantizeLinear'] > 0
