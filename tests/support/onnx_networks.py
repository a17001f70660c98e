"""A small network in an ONNX file, as a start of a backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUTPUTS = ['fine', 'added', 'coarse']


def write_network(path: Path, last: str = 'Sigmoid') -> str:
    """Write a small network of MoveNet's form: maps of 1/2 and 1/4, and their sum at 1/2."""
    random = np.random.default_rng(0)
    stored: list[Any] = []

    def store(name: str, values: Any) -> str:
        stored.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def convolution(name: str, source: str, shape: tuple[int, ...], bias: bool = True, **how: Any):
        weight = store(f'{name}.weight', random.normal(0, 0.4, shape).astype(np.float32))
        biases = [store(f'{name}.bias', random.normal(0, 1, shape[0]).astype(np.float32))]
        return helper.make_node('Conv', [source, weight, *biases * bias], [name], **how)

    half = random.normal(0, 0.4, (6, 4, 3, 3)).astype(np.float16)
    limits = [store('low', np.float32(0)), store('high', np.float32(6))]
    scales = store('scales', np.array([1, 1, 2, 2], np.float32))
    nodes = [
        helper.make_node('Cast', [store('deep.half', half)], ['deep.weight'], to=TensorProto.FLOAT),
        convolution('first', 'pictures', (4, 3, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1]),
        helper.make_node('Clip', ['first', *limits], ['clipped']),
        convolution('fine', 'clipped', (4, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
        helper.make_node(
            'Conv', ['fine', 'deep.weight'], ['deep'], strides=[2, 2], pads=[1, 1, 1, 1]
        ),
        helper.make_node('Relu', ['deep'], ['coarse']),
        convolution('narrow', 'coarse', (4, 6, 1, 1), bias=False),
        helper.make_node(
            'Resize',
            ['narrow', '', scales],
            ['large'],
            mode='linear',
            coordinate_transformation_mode='half_pixel',
        ),
        helper.make_node('Add', ['large', 'fine'], ['added']),
        helper.make_node(last, ['added'], ['maps']),
    ]
    taken = helper.make_tensor_value_info('pictures', TensorProto.FLOAT, ['N', 3, 'H', 'W'])
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (*OUTPUTS, 'maps')
    ]
    network = helper.make_model(
        helper.make_graph(nodes, 'network', [taken], given, stored),
        opset_imports=[helper.make_opsetid('', 17)],
        ir_version=8,
    )
    onnx.save(network, path)
    return str(path)
