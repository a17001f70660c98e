"""ONNX files of the form that RTMPose's authors publish, written without the package onnx."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

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
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Encode a network of opset 8."""
    graph = b''.join(field(1, each) for each in nodes) + field(2, 'graph')
    graph += b''.join(field(5, each) for each in constants)
    graph += b''.join(field(11, each) for each in inputs)
    graph += b''.join(field(12, each) for each in outputs)
    entries = b''.join(
        field(14, field(1, key) + field(2, value)) for key, value in (metadata or {}).items()
    )
    return field(1, 7) + field(8, field(1, '') + field(2, 8)) + field(7, graph) + entries


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
    nodes, constants = _blob_scores(side, scale, 4 / 255, -2.7)
    count = constants['corners'].shape[1]
    nodes += [
        node('Concat', ['corners', 'scores'], ['dets'], axis=2),
        node('Identity', ['people'], ['labels']),
    ]
    constants['people'] = np.zeros((1, count), np.int64)
    return model(
        nodes,
        [tensor('input', [1, 3, side, side])],
        [tensor('dets', [1, count, 5]), tensor('labels', [1, count], INT64)],
        [constant(name, values) for name, values in constants.items()],
    )


def _blob_scores(
    side: int, scale: int, gain: float, offset: float
) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """Encode the operators of :func:`blob_detector` up to ``scores`` [1, N, 1], for ``corners``."""
    width, height, step = PERSON[0] * scale, PERSON[1] * scale, 2 * scale
    y, x = np.mgrid[: side - height + 1 : step, : side - width + 1 : step]
    corners = np.stack([x, y, x + width, y + height], axis=-1).reshape(1, -1, 4)
    nodes = [
        node('ReduceMean', ['input'], ['grey'], axes=[1]),
        node('AveragePool', ['grey'], ['mean'], kernel_shape=[height, width], strides=[step] * 2),
        node('Mul', ['mean', 'gain'], ['high']),
        node('Add', ['high', 'offset'], ['sharp']),
        node('Relu', ['sharp'], ['positive']),
        node('Reshape', ['positive', 'shape'], ['scores']),
    ]
    return nodes, {
        'gain': np.float32([gain]),
        'offset': np.float32([offset]),
        'shape': np.array([1, corners.shape[1], 1]),
        'corners': corners.astype(np.float32),
    }


WHITE = 230
"""Brightness of people that :func:`one_stage_network` finds."""

YOLO = {
    'task': 'pose',
    'kpt_shape': '[17, 3]',
    'names': "{0: 'person'}",
    'imgsz': '[128, 128]',
    'stride': '32',
    'license': 'AGPL-3.0 License (https://ultralytics.com/license)',
}
"""Metadata of a network that Ultralytics exports."""


def one_stage_network(
    form: str = 'yolo',
    joints: int = 17,
    scale: int = 1,
    metadata: Mapping[str, str] | None = None,
    classes: int = 1,
    steepness: float = 18.0,
    side: int = 128,
) -> bytes:
    """Encode a one-stage network that finds people as :func:`blob_detector` does.

    The score of people of brightness ``WHITE`` is 0.94 (RF-DETR's 0.82).

    The n-th joint lies n + 1 pixels to the right of and 2 n below the box's top-left corner, in
    pixels of the picture if that is shown as large as ``scale`` says. Its score is 0.9, or
    0.5 at an odd n.

    Args:
        form: 'yolo', 'yolo with NMS', 'rtmo' or 'rfdetr'.
        joints: Their number.
        scale: Pixels of the input per pixel of the picture.
        metadata: Entries of the file.
        classes: Number of classes, of which all score the same.
        steepness: How much lower the score is where nothing is bright.
        side: Width and height of the input.
    """
    # Brightness ``WHITE`` in the values that the form takes, and its distance to black.
    white, contrast = {'rtmo': (WHITE, WHITE), 'rfdetr': (2.001, 3.987)}.get(form, (0.902, 0.902))
    gain = steepness / contrast
    nodes, constants = _blob_scores(side, scale, gain, 0.94 - gain * white)
    corners = constants['corners']
    count, number = corners.shape[1], np.arange(joints)
    places = corners[0, :, None, :2] + scale * np.stack([number + 1, 2 * number], axis=1)
    scores = np.tile(np.where(number % 2, 0.5, 0.9), (count, 1))[..., None]
    values = np.concatenate([places, scores], axis=2)
    outputs = [tensor('output0', [1, 'a', 'b'])]
    centres = np.concatenate(
        [(corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]], axis=2
    )
    if form == 'yolo':
        constants |= {'boxes': centres, 'joints': values.reshape(1, count, -1)}
        nodes += [
            node('Concat', ['boxes', *['scores'] * classes, 'joints'], ['rows'], axis=2),
            node('Transpose', ['rows'], ['output0'], perm=[0, 2, 1]),
        ]
    elif form == 'yolo with NMS':
        constants |= {'class': np.zeros((1, count, 1)), 'joints': values.reshape(1, count, -1)}
        nodes.append(node('Concat', ['corners', 'scores', 'class', 'joints'], ['output0'], axis=2))
    else:
        outputs = [tensor('dets', [1, count, 'c']), tensor('keypoints', [1, count, joints, 'd'])]
        constants['joints'] = values[None]
    if form == 'rtmo':
        nodes.append(node('Concat', ['corners', 'scores'], ['dets'], axis=2))
    if form == 'rfdetr':
        outputs.append(tensor('labels', [1, count, 'e']))
        # The deviation is a 64th of the picture along x and y for all joints.
        logits = np.log(scores / (1 - scores))
        factor = np.tile([0, np.log(64), 0, np.log(64)], (count, joints, 1))
        constants |= {
            'boxes': centres / side,
            'joints': np.concatenate([places / side, logits, factor], axis=2)[None],
            'other': np.full((1, count, 1), -9.0),
        }
        nodes += [
            node('Identity', ['boxes'], ['dets']),
            node('Add', ['scores', 'middle'], ['around']),
            node('Mul', ['around', 'steep'], ['logits']),
            node('Concat', ['logits', 'other'], ['labels'], axis=2),
        ]
        constants |= {'middle': np.array([-0.5]), 'steep': np.array([10.0])}
    if form in ('rtmo', 'rfdetr'):
        nodes.append(node('Identity', ['joints'], ['keypoints']))
    stored = [
        constant(name, v if v.dtype == np.int64 else v.astype(np.float32))
        for name, v in constants.items()
    ]
    return model(nodes, [tensor('input', [1, 3, side, side])], outputs, stored, metadata)


def published_zip(network: bytes, name: str = 'rtmpose-x/end2end.onnx') -> bytes:
    """Pack a network as MMDeploy does, with descriptions beside it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('rtmpose-x/deploy.json', '{}')
        archive.writestr(name, network)
        archive.writestr('rtmpose-x/pipeline.json', '{}')
    return content.getvalue()
