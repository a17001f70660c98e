"""MoveNet, of whose TensorFlow.js graph the part with the heatmaps is written as ONNX."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F

from research.export.movenet_export import export_movenet
from stdpose_mm.errors import InputError
from stdpose_mm.labelling.evidence.load_pose_network import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.pose_network import PoseNetwork

SIDE = 32
JOINTS = 17


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


class Graph:
    """Write a small TensorFlow.js graph like MoveNet's, with random weights in half precision."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[dict[str, Any]] = []
        self.values: list[tuple[str, np.ndarray]] = []
        dims = [{'size': str(side)} for side in (1, SIDE, SIDE, 3)]
        self.node('Placeholder', 'input', [], shape={'shape': {'dim': dims}})
        self.node('Cast', 'cast', ['input'])
        self.node('Mul', 'scaled', ['cast', 'factor'])
        self.constant('factor', np.array(1 / 127.5))
        first = self.convolution('first', 'scaled', (3, 3, 3, 8), stride=2, activation='Relu6')
        fine = self.convolution('fine', first, (3, 3, 8, 1), activation='Relu6')
        coarse = self.convolution('coarse', fine, (5, 5, 8, 1), stride=2, activation='Relu')
        coarse = self.convolution(
            'down', coarse, (1, 1, 8, 8), padding='VALID', activation='Relu', biased=False
        )
        self.constant('size', np.array([SIDE // 2, SIDE // 2], np.int32))
        aligned = {'align_corners': {'b': False}, 'half_pixel_centers': {'b': True}}
        self.node('ResizeBilinear', 'resized', [coarse, 'size'], **aligned)
        self.node('AddV2', 'added', ['resized', fine])
        last = self.convolution('kpt_heatmap_0/last', 'added', (1, 1, 8, JOINTS), padding='VALID')
        self.node('Sigmoid', 'heatmaps', [last])
        centre = self.convolution('center_0/last', 'added', (1, 1, 8, 1))
        self.node('Sigmoid', 'centre', [centre])
        self.node('ArgMax', 'position', ['heatmaps', 'centre'])

    def node(self, kind: str, name: str, inputs: list[str], **attributes: Any) -> None:
        self.nodes.append({'op': kind, 'name': name, 'input': inputs, 'attr': attributes})

    def constant(self, name: str, values: np.ndarray) -> None:
        self.node('Const', name, [])
        self.values.append((name, values))

    def convolution(
        self,
        name: str,
        taken: str,
        kernel: tuple[int, int, int, int],
        stride: int = 1,
        padding: str = 'SAME',
        activation: str | None = None,
        biased: bool = True,
    ) -> str:
        depthwise = kernel[3] == 1 and kernel[2] != 1 and 'center' not in name
        self.constant(f'{name}/kernel', self.random.normal(0, 0.4, kernel))
        self.constant(f'{name}/bias', self.random.normal(0, 0.4, kernel[2 if depthwise else 3]))
        fused = [text('BiasAdd')] if biased else []
        fused += [text(activation)] if activation else []
        self.node(
            'FusedDepthwiseConv2dNative' if depthwise else '_FusedConv2D',
            name,
            [taken, f'{name}/kernel', f'{name}/bias'],
            strides={'list': {'i': ['1', str(stride), str(stride), '1']}},
            dilations={'list': {'i': ['1', '1', '1', '1']}},
            padding={'s': text(padding)},
            fused_ops={'list': {'s': fused}},
        )
        return name

    def content(self) -> dict[str, Any]:
        weights = [
            {'name': name, 'shape': list(values.shape), 'dtype': 'int32'}
            if values.dtype == np.int32
            else {
                'name': name,
                'shape': list(values.shape),
                'dtype': 'float32',
                'quantization': {'dtype': 'float16', 'original_dtype': 'float32'},
            }
            for name, values in self.values
        ]
        return {
            'format': 'graph-model',
            'modelTopology': {'node': self.nodes},
            'weightsManifest': [{'paths': ['weights.bin'], 'weights': weights}],
        }

    def write(self, folder: Path) -> Path:
        stored = [
            values if values.dtype == np.int32 else values.astype('<f2')
            for _, values in self.values
        ]
        (folder / 'weights.bin').write_bytes(b''.join(values.tobytes() for values in stored))
        path = folder / 'model.json'
        path.write_text(json.dumps(self.content()))
        return path

    def compute(self, crops: np.ndarray) -> np.ndarray:
        """Compute the heatmaps by PyTorch, with the margins that TensorFlow documents."""
        weights = {
            name: torch.from_numpy(values.astype(np.float16).astype(np.float32))
            for name, values in self.values
        }

        def layer(name: str, value: torch.Tensor, margins: tuple[int, int], **settings: int):
            kernel = weights[f'{name}/kernel'].permute(3, 2, 0, 1)
            if settings.get('groups'):
                kernel = kernel.transpose(0, 1)
            begin, end = margins
            value = F.pad(value, (begin, end, begin, end))
            bias = None if name == 'down' else weights[f'{name}/bias']
            return F.conv2d(value, kernel, bias, **settings)

        # 32 -> 16 with a stride of 2 and a kernel of 3: one more row after the last, none before.
        first = layer('first', torch.from_numpy(crops), (0, 1), stride=2).clamp(0, 6)
        fine = layer('fine', first, (1, 1), groups=8).clamp(0, 6)
        # 16 -> 8 with a stride of 2 and a kernel of 5: three more rows, the odd one after the last.
        coarse = layer('coarse', fine, (1, 2), groups=8, stride=2).relu()
        coarse = layer('down', coarse, (0, 0)).relu()
        added = fine + F.interpolate(coarse, scale_factor=2, mode='bilinear', align_corners=False)
        return layer('kpt_heatmap_0/last', added, (0, 0)).sigmoid().numpy()


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (2, 3, SIDE, SIDE)).astype(np.float32)


def run(path: Path, crops: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return session.run(['heatmaps'], {'crops': crops})[0]


def test_heatmaps_are_those_of_the_graph(tmp_path, crops):
    graph = Graph()
    assert export_movenet(graph.write(tmp_path), tmp_path / 'movenet.onnx') == (SIDE, SIDE)
    np.testing.assert_allclose(
        run(tmp_path / 'movenet.onnx', crops), graph.compute(crops), atol=1e-5
    )


@pytest.mark.parametrize(('grey', 'value'), [(255, 1), (0, -1)])
def test_the_file_is_a_pose_network_for_the_joints_of_coco(grey, value, tmp_path):
    graph = Graph()
    export_movenet(graph.write(tmp_path), tmp_path / 'movenet.onnx')
    files = PoseNetworkFiles(str(tmp_path / 'movenet.onnx'), 'movenet')
    network = cast(PoseNetwork, load_pose_network(files))
    poses = network.estimate([np.full((60, 60, 3), grey, np.uint8)], np.array([[20, 20, 20, 20]]))
    expected = graph.compute(np.full((1, 3, SIDE, SIDE), value, np.float32))
    np.testing.assert_allclose(poses.heatmaps, expected, atol=1e-5)
    assert network.skeleton.keypoint_names[0] == 'nose'


def cut_weights(content: dict[str, Any], folder: Path) -> None:
    path = folder / 'weights.bin'
    path.write_bytes(path.read_bytes() + b'12')


def no_heatmaps(content: dict[str, Any], folder: Path) -> None:
    content['modelTopology']['node'] = [
        node for node in content['modelTopology']['node'] if node['name'] != 'heatmaps'
    ]


def other_layer(content: dict[str, Any], folder: Path) -> None:
    for node in content['modelTopology']['node']:
        if node['name'] == 'coarse':
            node['op'] = 'Softmax'


def no_graph(content: dict[str, Any], folder: Path) -> None:
    del content['modelTopology']


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        (cut_weights, 'give both files of one model'),
        (no_heatmaps, 'it has no heatmaps of joints, give a MoveNet'),
        (other_layer, 'take the outputs of Softmax and Mul, expected only pictures'),
        (no_graph, "cannot be read .*'modelTopology'.*, give model.json of a MoveNet"),
    ],
)
def test_another_model_is_refused(change, sentence, tmp_path):
    model = Graph().write(tmp_path)
    content = json.loads(model.read_text())
    change(content, tmp_path)
    model.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f'^{model}.*{sentence}') as raised:
        export_movenet(model, tmp_path / 'movenet.onnx')
    assert '\n' not in str(raised.value)
    assert not (tmp_path / 'movenet.onnx').exists()
