"""Quantisation of the layers of ONNX networks to 8 bits, calibrated on inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnxruntime import quantization

from stdpose_mm.errors import InputError
from stdpose_mm.export.graph_tracing import quiet_exporter
from stdpose_mm.io import atomic_path

from .half_weights import halve_file


def quantise_layers(
    source: str | Path, target: str | Path, seen: Iterable[Mapping[str, np.ndarray]]
) -> None:
    """Write a network with its convolutions and linear layers in 8 bits, about twice as fast.

    The last convolution, which computes the result, and all other layers stay in single precision;
    their weights are stored in half precision. Weights are quantised per output channel to 7 bits,
    because processors without VNNI add two products of 8-bit numbers in 16 bits. Activations are
    quantised over the range that they have for ``seen``.

    Args:
        source: Network in single or half precision.
        target: File to write; it gets the metadata of ``source``.
        seen: Typical inputs of the network, by name.

    Raises:
        InputError: If ``source`` is in 8 bits already or ``target`` cannot be written.
        OSError: If ``source`` cannot be read.
    """
    network = onnx.load(source)
    if any(node.op_type == 'QuantizeLinear' for node in network.graph.node):
        raise InputError(f'{source} is in 8 bits already, give the network in single precision')
    metadata = {entry.key: entry.value for entry in network.metadata_props}
    with TemporaryDirectory() as folder, quiet_exporter(), atomic_path(target) as temporary:
        whole = Path(folder) / 'whole.onnx'
        # This folds normalisations into convolutions, and restores single precision.
        quantization.shape_inference.quant_pre_process(
            network, str(whole), skip_symbolic_shape=True
        )
        graph = onnx.load(whole).graph
        convolutions = [node.name for node in graph.node if node.op_type == 'Conv']
        weights = {weight.name for weight in graph.initializer}
        # Attention multiplies results with each other; these are no layers.
        products = [
            node.name
            for node in graph.node
            if node.op_type == 'MatMul' and weights.isdisjoint(node.input)
        ]
        quantization.quantize_static(
            str(whole),
            str(temporary),
            _Seen(seen),
            # The range of an activation that follows a convolution is that of its result in 8 bits.
            op_types_to_quantize=['Conv', 'MatMul', 'Relu', 'Clip'],
            nodes_to_exclude=[*convolutions[-1:], *products],
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        halve_file(temporary, metadata)


class _Seen(quantization.CalibrationDataReader):
    """Reader that gives onnxruntime one input after the other."""

    def __init__(self, seen: Iterable[Mapping[str, np.ndarray]]) -> None:
        self._left = iter(seen)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self._left, None)
