from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.registration import register
from stdpose_mm.text import listed

_PROBE_SIDE = 64


@register(MODELS)
class OnnxNetwork(nn.Module):
    """The network of an ONNX file, such as MoveNet's, as PyTorch layers that can be trained.

    A pose network that has learned from people is a better start than one that has learned from
    pictures of things. The file is also needed for prediction, because it says which layers there
    are; weights of a checkpoint replace its own. Only layers that the outputs need are built:
    convolutions, sums, ReLU, clipping, sigmoid and bilinear enlargement.

    Args:
        file: ONNX file with one input, normalised RGB images.
        outputs: Names of the maps to return, as in the file; a viewer of ONNX files shows them.

    Raises:
        InputError: If the file cannot be read, has no such maps, or has other kinds of layers.
    """

    def __init__(self, file: str, outputs: Sequence[str]) -> None:
        super().__init__()
        nodes, constants, self.source = _read_graph(file)
        if unknown := {*outputs} - {node.output[0] for node in nodes}:
            raise InputError(
                f'{file} has no {listed(sorted(unknown), 4)}, set outputs to names of its values'
            )
        self.outputs = tuple(outputs)
        self.layers = nn.ModuleDict()
        # The value that a layer computes, the layer, its inputs, and those that no later one reads.
        self.steps: list[tuple[str, Callable[..., Tensor], list[str], set[str]]] = []
        needed = {*outputs}
        for node in reversed(nodes):
            name = node.output[0]
            if name in needed:
                layer = _layer(node, [constants.get(value) for value in node.input[1:]], file)
                if isinstance(layer, nn.Module):
                    self.layers[name] = layer
                inputs = [value for value in node.input if value and value not in constants]
                self.steps.insert(0, (name, layer, inputs, {*inputs} - needed))
                needed.update(inputs)
        with torch.no_grad():
            maps = self(torch.zeros(1, 3, _PROBE_SIDE, _PROBE_SIDE))
        self.channels = [values.shape[1] for values in maps]
        self.strides = [_PROBE_SIDE // values.shape[3] for values in maps]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the maps of images [N, 3, H, W]."""
        values = {self.source: images}
        for name, layer, inputs, last_read in self.steps:
            values[name] = layer(*(values[value] for value in inputs))
            for value in last_read:
                del values[value]
        return [values[name] for name in self.outputs]


def _read_graph(file: str) -> tuple[list[Any], dict[str, np.ndarray], str]:
    """Read the layers of an ONNX file, its constants by name, and the name of its input."""
    import onnx

    try:
        graph = onnx.load_model_from_string(Path(file).read_bytes()).graph
        if any(value.data_location for value in graph.initializer):
            raise ValueError('its weights are in other files')
        constants = {value.name: onnx.numpy_helper.to_array(value) for value in graph.initializer}
        source = graph.input[0].name
    # The error of a damaged file is protobuf's own.
    except Exception as error:
        raise InputError(f'{file} cannot be read as an ONNX file ({one_line(error)})') from error
    for node in graph.node:
        if node.op_type == 'Cast' and node.input[0] in constants:
            # Weights that are stored in half precision.
            constants[node.output[0]] = constants[node.input[0]].astype(np.float32)
    return [node for node in graph.node if node.output[0] not in constants], constants, source


def _layer(node: Any, constants: Sequence[Any], file: str) -> Callable[..., Tensor]:
    """Build the PyTorch layer of a node, whose inputs after the first may be constants."""
    match node.op_type:
        case 'Conv':
            return _convolution(node, *constants)
        case 'Add' | 'Relu' | 'Sigmoid' as kind:
            return getattr(torch, kind.lower())
        case 'Clip':
            return partial(torch.clamp, min=float(constants[0]), max=float(constants[1]))
        case 'Resize':
            return partial(F.interpolate, scale_factor=constants[1][2:].tolist(), mode='bilinear')
    raise InputError(f'{file} has layers {node.op_type}, which OnnxNetwork does not know')


def _convolution(node: Any, weight: Any, bias: np.ndarray | None = None) -> nn.Module:
    """Build a convolution with the attributes and weights of a node."""
    attributes: dict[str, Any] = {a.name: list(a.ints) or a.i for a in node.attribute}
    top, left, bottom, right = attributes.get('pads', (0, 0, 0, 0))
    groups, stride = attributes.get('group', 1), attributes.get('strides', 1)
    padding = (top, left) if (top, left) == (bottom, right) else None
    width, size = weight.shape[1] * groups, weight.shape[2:]
    layer = nn.Conv2d(width, len(weight), size, stride, padding or 0, groups=groups)
    layer.weight.data = torch.tensor(weight)
    layer.bias = None if bias is None else nn.Parameter(torch.tensor(bias))
    # PyTorch pads alike on both sides; TensorFlow pads more at the end.
    return layer if padding else nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), layer)
