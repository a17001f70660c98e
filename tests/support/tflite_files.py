"""TensorFlow Lite files of one convolution: the mean brightness of every 4x4 pixels.

They are put together from the schema's own classes; no TensorFlow is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SIZE = (96, 128)
"""Width and height of the input, which :data:`support.pose_network_files.INPUT` has, too."""


class Quantization(NamedTuple):
    """Integers that stand for ``(integer - zero) * scale``."""

    kind: str
    scale: float
    zero: int


class Output(NamedTuple):
    """An output: a constant of every joint is added to the mean brightness times ``gain``."""

    offsets: Sequence[float]
    gain: float = 1.0
    flat: bool = False


def write_tflite(
    path: Path,
    outputs: Sequence[Output],
    size: tuple[int, int] = SIZE,
    channels_first: bool = False,
    any_size: bool = False,
    quantization: Quantization | None = None,
) -> Path:
    """Write a network; returns ``path``.

    Args:
        path: The file.
        outputs: Its outputs, in their order.
        size: Width and height of its input.
        channels_first: Whether input and outputs are [1, C, H, W], in the place of [1, H, W, C].
        any_size: Whether the file says that pictures may have another size, too.
        quantization: Form of the input and the outputs, by default float32.
    """
    graph = _Graph()
    width, height = size
    image = graph.value('image', [1, 3, height, width] if channels_first else [1, height, width, 3])
    graph.inputs = [image]
    if any_size:
        graph.tensors[image].shapeSignature = [1, -1, -1, 3]
    if quantization is not None:
        graph.quantize(image, quantization)
        plain = graph.value('plain', [1, height, width, 3])
        graph.add('DEQUANTIZE', [image], plain)
        image = plain
    if channels_first:
        last = graph.value('last', [1, height, width, 3])
        graph.add('TRANSPOSE', [image, graph.constant(np.array([0, 2, 3, 1], np.int32))], last)
        image = last
    for number, output in enumerate(outputs):
        joints = len(output.offsets)
        weights = graph.constant(np.full((joints, 4, 4, 3), output.gain / 48, np.float32))
        offsets = graph.constant(np.array(output.offsets, np.float32))
        options = schema.Conv2DOptionsT()
        options.padding, options.strideW, options.strideH = schema.Padding.VALID, 4, 4
        maps = graph.value(f'maps{number}', [1, height // 4, width // 4, joints])
        graph.add('CONV_2D', [image, weights, offsets], maps, options)
        if output.flat:
            shape = [1, height // 4 * width // 4 * joints]
            flat = graph.value(f'flat{number}', shape)
            graph.add('RESHAPE', [maps, graph.constant(np.array(shape, np.int32))], flat)
            maps = flat
        if channels_first:
            first = graph.value(f'first{number}', [1, joints, height // 4, width // 4])
            graph.add('TRANSPOSE', [maps, graph.constant(np.array([0, 3, 1, 2], np.int32))], first)
            maps = first
        if quantization is not None:
            integers = graph.value(f'integers{number}', graph.tensors[maps].shape)
            graph.quantize(integers, quantization)
            graph.add('QUANTIZE', [maps], integers)
            maps = integers
        graph.outputs.append(maps)
    path.write_bytes(graph.to_bytes())
    return path


class _Graph:
    """Tensors and operators, by their numbers."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self._operators: list[Any] = []
        self._codes: list[str] = []
        # The first buffer is that of all tensors without a constant.
        self._buffers = [schema.BufferT()]

    def value(self, name: str, shape: Sequence[int], buffer: int = 0, kind: str = 'FLOAT32') -> int:
        """Add a tensor."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
        tensor.type = getattr(schema.TensorType, kind)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, values: np.ndarray) -> int:
        """Add a tensor of constant values."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._buffers.append(buffer)
        number = len(self._buffers) - 1
        return self.value(f'constant{number}', values.shape, number, values.dtype.name.upper())

    def quantize(self, number: int, quantization: Quantization) -> None:
        """Let a tensor hold integers."""
        tensor = self.tensors[number]
        tensor.type = getattr(schema.TensorType, quantization.kind)
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [quantization.scale]
        tensor.quantization.zeroPoint = [quantization.zero]

    def add(self, name: str, inputs: Sequence[int], output: int, options: Any = None) -> None:
        """Add an operator."""
        if name not in self._codes:
            self._codes.append(name)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.index(name)
        operator.inputs, operator.outputs = list(inputs), [output]
        if options is not None:
            operator.builtinOptionsType = getattr(
                schema.BuiltinOptions, type(options).__name__.removesuffix('T')
            )
            operator.builtinOptions = options
        self._operators.append(operator)

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self._operators
        graph.inputs, graph.outputs = self.inputs, self.outputs
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self._buffers
        model.operatorCodes = []
        for name in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
            # DEQUANTIZE and QUANTIZE of int8 came with the second version.
            code.version = 2 if name in ('DEQUANTIZE', 'QUANTIZE') else 1
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b'TFL3')
        return bytes(builder.Output())
