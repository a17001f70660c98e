"""ONNX files of the form that RTMPose's authors publish, written without the package onnx."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence

Value = int | bytes | str


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


def tensor(name: str, shape: Sequence[int | str]) -> bytes:
    """Encode the name, type (float32) and shape of an input or output."""
    dims = b''.join(field(1, field(1 if isinstance(n, int) else 2, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def model(nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes]) -> bytes:
    """Encode a network of opset 8."""
    graph = b''.join(field(1, each) for each in nodes) + field(2, 'graph')
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


def published_zip(network: bytes, name: str = 'rtmpose-x/end2end.onnx') -> bytes:
    """Pack a network as MMDeploy does, with descriptions beside it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('rtmpose-x/deploy.json', '{}')
        archive.writestr(name, network)
        archive.writestr('rtmpose-x/pipeline.json', '{}')
    return content.getvalue()
