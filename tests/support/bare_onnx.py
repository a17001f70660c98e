"""ONNX files of the form that RTMPose's authors publish, written without the package onnx."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence

import numpy as np

Value = int | bytes | str

FLOAT, INT64 = 1, 7
"""Numbers of types."""


def field(number: int, value: Value) -> bytes:
    """Encode a field of a protocol buffer: a number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: object) -> bytes:
    """Encode an operator; attributes are numbers, texts, or lists of numbers."""
    parts = [field(1, name) for name in inputs] + [field(2, name) for name in outputs]
    parts.append(field(4, kind))
    for name, value in attributes.items():
        if isinstance(value, int):
            content = field(3, value) + field(20, 2)
        elif isinstance(value, str):
            content = field(4, value) + field(20, 3)
        elif all(isinstance(number, int) for number in value):
            content = b''.join(field(8, number) for number in value) + field(20, 7)
        else:
            content = field(7, struct.pack(f'<{len(value)}f', *value)) + field(20, 6)
        parts.append(field(5, field(1, name) + content))
    return b''.join(parts)


def tensor(name: str, shape: Sequence[int | str], dtype: int = FLOAT) -> bytes:
    """Encode the name, type and shape of an input or output."""
    dims = b''.join(field(1, field(1 if isinstance(n, int) else 2, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, dims)))


def constant(name: str, values: np.ndarray) -> bytes:
    """Encode a stored array of float32 or int64."""
    dims = b''.join(field(1, size) for size in values.shape)
    dtype = INT64 if values.dtype == np.int64 else FLOAT
    return dims + field(2, dtype) + field(8, name) + field(9, values.tobytes())


def model(
    nodes: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    constants: Sequence[bytes] = (),
) -> bytes:
    """Encode a network of opset 8."""
    graph = b''.join(field(1, each) for each in nodes) + field(2, 'graph')
    graph += b''.join(field(5, each) for each in constants)
    graph += b''.join(field(11, each) for each in inputs)
    graph += b''.join(field(12, each) for each in outputs)
    return field(1, 7) + field(8, field(1, '') + field(2, 8)) + field(7, graph)


def simcc_network(joints: int, size: tuple[int, int] = (192, 256)) -> bytes:
    """Encode a network with a SimCC head that puts all joints at the brightest place of the crop.

    Args:
        joints: Their number.
        size: Width and height of the input.
    """
    width, height = size
    nodes = [node('ReduceMean', ['input'], ['grey'], axes=[1])]
    outputs = []
    for name, axis, scales, length in (
        ('simcc_x', 2, [1.0, 1.0, 1.0, 2.0], width),
        ('simcc_y', 3, [1.0, 1.0, 2.0, 1.0], height),
    ):
        nodes += [
            node('ReduceMax', ['grey'], [f'line_{name}'], axes=[axis]),
            # Two bins to a pixel.
            node('Upsample', [f'line_{name}'], [f'fine_{name}'], mode='nearest', scales=scales),
            node('Squeeze', [f'fine_{name}'], [f'flat_{name}'], axes=[axis]),
            node('Concat', [f'flat_{name}'] * joints, [name], axis=1),
        ]
        outputs.append(tensor(name, ['batch', joints, 2 * length]))
    return model(nodes, [tensor('input', ['batch', 3, height, width])], outputs)


def heatmap_network(joints: int, size: tuple[int, int] = (192, 256)) -> bytes:
    """Encode a network whose heatmaps, a cell for 4x4 pixels, are the brightness of the crop.

    Args:
        joints: Their number.
        size: Width and height of the input.
    """
    width, height = size
    nodes = [
        node('ReduceMean', ['input'], ['grey'], axes=[1]),
        node('AveragePool', ['grey'], ['cells'], kernel_shape=[4, 4], strides=[4, 4]),
        node('Sigmoid', ['cells'], ['map']),
        node('Concat', ['map'] * joints, ['heatmaps'], axis=1),
    ]
    output = tensor('heatmaps', ['batch', joints, height // 4, width // 4])
    return model(nodes, [tensor('input', ['batch', 3, height, width])], [output])


PERSON = (16, 32)
"""Width and height in pixels of the people that :func:`blob_detector` finds."""


def blob_detector(side: int = 416, scale: int = 2) -> bytes:
    """Encode a detector, as MMDeploy exports YOLOX, of bright rectangles of the size ``PERSON``.

    They lie on a grid of 2 pixels. The score is 4 m - 2.7 for a mean m of the brightness in 0..1,
    so that nothing scores above 0.2 a quarter of its width away, or in normalised colours.

    Args:
        side: Width and height of the input, BGR in 0..255.
        scale: Pixels of the input per pixel of the picture.
    """
    width, height, step = PERSON[0] * scale, PERSON[1] * scale, 2 * scale
    y, x = np.mgrid[: side - height + 1 : step, : side - width + 1 : step]
    corners = np.stack([x, y, x + width, y + height], axis=-1).reshape(1, -1, 4)
    count = corners.shape[1]
    nodes = [
        node('ReduceMean', ['input'], ['grey'], axes=[1]),
        node('AveragePool', ['grey'], ['mean'], kernel_shape=[height, width], strides=[step] * 2),
        node('Mul', ['mean', 'gain'], ['high']),
        node('Add', ['high', 'offset'], ['sharp']),
        node('Relu', ['sharp'], ['positive']),
        node('Reshape', ['positive', 'shape'], ['scores']),
        node('Concat', ['corners', 'scores'], ['dets'], axis=2),
        node('Identity', ['people'], ['labels']),
    ]
    constants = {
        'gain': np.float32([4 / 255]),
        'offset': np.float32([-2.7]),
        'shape': np.array([1, count, 1]),
        'corners': corners.astype(np.float32),
        'people': np.zeros((1, count), np.int64),
    }
    return model(
        nodes,
        [tensor('input', [1, 3, side, side])],
        [tensor('dets', [1, count, 5]), tensor('labels', [1, count], INT64)],
        [constant(name, values) for name, values in constants.items()],
    )


def published_zip(network: bytes, name: str = 'rtmpose-x/end2end.onnx') -> bytes:
    """Pack a network as MMDeploy does, with descriptions beside it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('rtmpose-x/deploy.json', '{}')
        archive.writestr(name, network)
        archive.writestr('rtmpose-x/pipeline.json', '{}')
    return content.getvalue()
