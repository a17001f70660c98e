"""Pose networks in ONNX files: the types of values that they take, and errors of their runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stdpose_mm.errors import InputError
from stdpose_mm.labelling.evidence.described_network import OnnxPoseNetwork
from stdpose_mm.labelling.evidence.network_description import NetworkDescription

# A crop at this box, of the input's own size, is the picture from its first pixel on.
WHOLE = np.array([[-0.5, -0.5, 16, 12]])
DESCRIPTION = NetworkDescription(
    ('dot',), mean=(0, 0, 0), std=(256, 256, 256), geometry='centre', padding=1.0
)


def write_grey_network(
    path: Path, dtype: int, channels_last: bool = False, batch: int | str = 'n'
) -> Path:
    """Write a network for pictures of 16x12 whose map is the mean grey of 4x4 pixels.

    Args:
        path: The file.
        dtype: Type of its input and output; it computes in float32.
        channels_last: It takes [N, H, W, 3].
        batch: Size of a batch.
    """
    axis = 3 if channels_last else 1
    taken = [batch, 12, 16, 3] if channels_last else [batch, 3, 12, 16]
    nodes = [
        helper.make_node('Cast', ['images'], ['values'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMean', ['values'], ['grey'], axes=[axis], keepdims=1),
        helper.make_node('Reshape', ['grey', 'shape'], ['first']),
        helper.make_node('AveragePool', ['first'], ['small'], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node('Cast', ['small'], ['heatmaps'], to=dtype),
    ]
    graph = helper.make_graph(
        nodes,
        'grey',
        [helper.make_tensor_value_info('images', dtype, taken)],
        [helper.make_tensor_value_info('heatmaps', dtype, [batch, 1, None, None])],
        [numpy_helper.from_array(np.array([-1, 1, 12, 16]), 'shape')],
    )
    opsets = [helper.make_opsetid('', 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def two_greys() -> np.ndarray:
    """A picture of a quarter of 256, and of a half from its middle on."""
    picture = np.full((12, 16, 3), 64, np.uint8)
    picture[:, 8:] = 128
    return picture


@pytest.mark.parametrize('batch', ['n', 2])
@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('dtype', [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_float16_is_read_as_float32_is(tmp_path, dtype, channels_last, batch):
    path = write_grey_network(tmp_path / 'net.onnx', dtype, channels_last, batch)
    network = OnnxPoseNetwork(path, DESCRIPTION)
    pictures = [two_greys(), two_greys()[:, ::-1], two_greys()]
    found = network.estimate(pictures, np.repeat(WHOLE, 3, axis=0)).heatmaps
    expected = np.tile([0.25, 0.25, 0.5, 0.5], (3, 1, 3, 1))
    expected[1] = expected[1, ..., ::-1]
    np.testing.assert_array_equal(found, expected)
    shape = (3, 12, 16, 3) if channels_last else (3, 3, 12, 16)
    (maps,) = network._run(np.zeros(shape, np.float32))
    assert maps.dtype == np.float32


@pytest.mark.parametrize('name', ['uint8', 'int8', 'double'])
def test_other_types_are_refused(tmp_path, name):
    path = tmp_path / 'net.onnx'
    write_grey_network(path, TensorProto.DataType.Value(name.upper()))
    said = {'double': 'float64'}.get(name, name)
    sentence = (
        f'net.onnx takes pictures in {said}, expected float32 or float16, convert the network to '
        'one of them$'
    )
    with pytest.raises(InputError, match=sentence):
        OnnxPoseNetwork(path, DESCRIPTION)


def test_a_network_that_fails_on_its_input_is_refused(tmp_path):
    """Its file says that it takes any size, and its graph takes one."""
    path = write_grey_network(tmp_path / 'net.onnx', TensorProto.FLOAT)
    model = onnx.load(path)
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = 'any'
    onnx.save(model, path)
    network = OnnxPoseNetwork(path, replace(DESCRIPTION, input_size=(10, 10)))
    with pytest.raises(InputError, match=r'net\.onnx cannot be run \(.+\), give another pose'):
        network.estimate([two_greys()], WHOLE)
