"""Weights of ONNX networks in half precision."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

_LEAST_HALVED = 1024
"""Weights of fewer values stay in single precision: they take no room."""


def halve_weights(network: Any) -> None:
    """Store an ONNX network's weights in half precision.

    The runtime turns them back once, when it starts.

    Args:
        network: An ``onnx.ModelProto``, changed in place.
    """
    onnx: Any = importlib.import_module('onnx')
    casts = []
    for weight in network.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _LEAST_HALVED:
            continue
        name = weight.name
        halved = onnx.numpy_helper.from_array(values.astype(np.float16), f'{name}.half')
        weight.CopyFrom(halved)
        casts.append(
            onnx.helper.make_node('Cast', [halved.name], [name], to=onnx.TensorProto.FLOAT)
        )
    for position, cast in enumerate(casts):
        network.graph.node.insert(position, cast)
