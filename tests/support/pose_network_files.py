"""Pose networks in files that find a bright dot of the picture, each with its own geometry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUT = (96, 128)
"""Width and height."""

DOT = np.array([101.0, 63.5])
BOX = np.array([70.0, 20.0, 60.0, 90.0])


JOINTS = ('nose', 'left_ankle', 'right_ankle')
"""Names of labelled joints, of which :func:`write_described_network` knows two."""


def dot_picture(place: np.ndarray = DOT, size: tuple[int, int] = (200, 150)) -> np.ndarray:
    """Return a dark picture with a soft bright dot around ``place`` in pixels."""
    x, y = np.arange(size[0]), np.arange(size[1])[:, None]
    dot = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 3.0**2))
    return np.repeat((dot * 255).astype(np.uint8)[..., None], 3, axis=2)


def find_peak(heatmap: np.ndarray, to_heatmap: np.ndarray) -> np.ndarray:
    """Return the picture position of the peak of a map [h, w], its centroid without the floor."""
    high = np.where(heatmap > heatmap.max() / 20, heatmap, 0)
    y, x = np.indices(heatmap.shape)
    cell = np.array([(x * high).sum(), (y * high).sum()]) / high.sum()
    return np.linalg.solve(to_heatmap[:, :2], cell - to_heatmap[:, 2])


def write_described_network(path: Path) -> Path:
    """Write an ONNX file for two of ``JOINTS``, and its description; returns ``path``."""
    write_dot_network(path, joints=2)
    content = {'joints': [JOINTS[2], JOINTS[0]], 'mean': [0, 0, 0], 'std': [1, 1, 1]}
    path.with_suffix('.json').write_text(json.dumps(content))
    return path


def write_dot_network(path: Path, geometry: str = 'mmpose', joints: int = 1) -> None:
    """Write an ONNX file whose outputs are brightness, laid out as ``geometry`` says.

    'mmpose' and 'udp' and 'centre' give heatmaps, 'simcc' two distributions over half pixels.
    """
    width, height = INPUT
    nodes = [helper.make_node('ReduceMean', ['images'], ['grey'], axes=[1], keepdims=1)]
    constants = {'joints': np.array([1, joints, 1, 1])}
    if geometry == 'simcc':
        for axis, name, size in ((2, 'simcc_x', width), (3, 'simcc_y', height)):
            # The brightest place of each column, or row, at half pixels.
            grid = (axis == 2) * np.array([[1, 1, 1, 2]]) + (axis == 3) * np.array([[1, 1, 2, 1]])
            constants |= {
                f'scale_{name}': grid[0].astype(np.float32),
                f'shape_{name}': np.array([1, 1, 2 * size]),
                f'joints_{name}': np.array([1, joints, 1]),
                f'gain_{name}': np.float32(0.04),
            }
            nodes += [
                helper.make_node('ReduceMax', ['grey'], [f'line_{name}'], axes=[axis], keepdims=1),
                helper.make_node(
                    'Resize',
                    [f'line_{name}', '', f'scale_{name}'],
                    [f'fine_{name}'],
                    mode='linear',
                    coordinate_transformation_mode='asymmetric',
                ),
                helper.make_node('Reshape', [f'fine_{name}', f'shape_{name}'], [f'flat_{name}']),
                helper.make_node('Tile', [f'flat_{name}', f'joints_{name}'], [f'all_{name}']),
                helper.make_node('Mul', [f'all_{name}', f'gain_{name}'], [name]),
            ]
        outputs = {'simcc_x': [1, joints, 2 * width], 'simcc_y': [1, joints, 2 * height]}
    else:
        if geometry == 'centre':
            nodes.append(
                helper.make_node(
                    'AveragePool', ['grey'], ['small'], kernel_shape=[4, 4], strides=[4, 4]
                )
            )
        else:
            mode = 'align_corners' if geometry == 'udp' else 'asymmetric'
            constants['sizes'] = np.array([1, 1, height // 4, width // 4])
            nodes.append(
                helper.make_node(
                    'Resize',
                    ['grey', '', '', 'sizes'],
                    ['small'],
                    mode='linear',
                    coordinate_transformation_mode=mode,
                )
            )
        constants['gain'] = np.float32(1 / 255)
        nodes += [
            helper.make_node('Mul', ['small', 'gain'], ['scaled']),
            helper.make_node('Tile', ['scaled', 'joints'], ['heatmaps']),
        ]
        outputs = {'heatmaps': [1, joints, height // 4, width // 4]}
    graph = helper.make_graph(
        nodes,
        'dot',
        [helper.make_tensor_value_info('images', TensorProto.FLOAT, [1, 3, height, width])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in outputs.items()
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)
