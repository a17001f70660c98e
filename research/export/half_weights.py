"""Weights of ONNX networks in half precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

_LEAST_HALVED = 1024
"""Smallest number of values that are halved; smaller weights take no room."""


def halve_weights(network: onnx.ModelProto) -> None:
    """Store an ONNX network's weights in half precision.

    The runtime converts them back once, when it starts.

    Args:
        network: Changed in place.
    """
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


def halve_file(path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Store the weights of an ONNX file in half precision, and add metadata."""
    network = onnx.load(path)
    halve_weights(network)
    onnx.helper.set_model_props(network, dict(metadata or {}))
    onnx.save(network, path)
