from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.registry import DefaultScope
from onnx import TensorProto, helper, numpy_helper, save

from stdpose_mm.detection import PersonDetector, build_person_detector
from stdpose_mm.detection.person_detector import NMS_IOU, suppress_overlaps
from stdpose_mm.errors import InputError
from stdpose_mm.structures import to_corners

PICTURE = np.full((100, 200, 3), 50, np.uint8)


class Fixed(PersonDetector):
    """Three boxes, of which the first two overlap by 0.81 / 1.19 = 0.68."""

    def _detect(self, picture):
        corners = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 80]], np.float32)
        return corners, np.array([0.3, 0.6, 0.1], np.float32)


def test_boxes_are_sure_distinct_and_best_first():
    detector = Fixed()
    assert detector(PICTURE).boxes.tolist() == [[1, 1, 10, 10]]
    detector.score_threshold = 0.05
    people = detector(PICTURE)
    assert people.boxes.tolist() == [[1, 1, 10, 10], [50, 50, 10, 30]]
    np.testing.assert_allclose(people.scores, [0.6, 0.1])
    detector.nms_iou = 0.7
    assert len(detector(PICTURE).boxes) == 3
    detector.score_threshold = 0.9
    assert detector(PICTURE).boxes.shape == (0, 4)


BOXES = st.lists(
    st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 12)] * 2, st.integers(0, 9)), max_size=30
)


@given(BOXES, st.sampled_from([0, 0.2, 0.5, NMS_IOU, 1]))
def test_overlaps_are_suppressed_as_by_torchvision(rows, max_iou):
    table = np.array(rows, np.float64).reshape(-1, 5)
    boxes, scores = table[:, :4], table[:, 4] / 10
    corners = torch.from_numpy(to_corners(boxes))
    expected = torchvision.ops.nms(corners, torch.from_numpy(scores), max_iou)
    assert suppress_overlaps(boxes, scores, max_iou).tolist() == expected.tolist()


class Session:
    """Stands for onnxruntime's session of a network with the given outputs."""

    def __init__(self, shape, outputs):
        self.shape, self.outputs, self.fed = shape, outputs, []

    def get_inputs(self):
        return [types.SimpleNamespace(name='x', shape=self.shape, type='tensor(float)')]

    def get_modelmeta(self):
        return types.SimpleNamespace(custom_metadata_map={})

    def get_outputs(self):
        return [
            types.SimpleNamespace(name=name, shape=np.shape(value))
            for name, value in self.outputs.items()
        ]

    def run(self, names, feed):
        self.fed.append(feed['x'])
        return list(self.outputs.values())


@pytest.fixture
def onnx(monkeypatch, tmp_path):
    """Makes a detector whose network is a ``Session``."""

    def make(session, kind=''):
        runtime = types.SimpleNamespace(
            SessionOptions=Mock, InferenceSession=lambda *_, **__: session
        )
        monkeypatch.setitem(sys.modules, 'onnxruntime', runtime)
        (tmp_path / 'net.onnx').write_bytes(b'network')
        return build_person_detector(f'{tmp_path / "net.onnx"}{kind}')

    return make


def test_rtmdet_boxes_come_back_to_the_picture(onnx):
    dets = np.array([[[10, 20, 30, 40, 0.9], [0, 0, 5, 5, 0.8], [90, 40, 120, 60, 0.7]]])
    outputs = {'dets': dets.astype(np.float32), 'labels': np.array([[0, 3, 0]])}
    session = Session([1, 3, 64, 100], outputs)
    found = onnx(session)(PICTURE)
    # 200x100 pixels became 100x50; the class 3 is no person; boxes end with the picture.
    np.testing.assert_allclose(found.boxes, [[20, 40, 40, 40], [180, 80, 20, 20]])
    (fed,) = session.fed
    assert fed.shape == (1, 3, 64, 100)
    assert fed.dtype == np.float32
    np.testing.assert_allclose(fed[0, 0, 0, 0], (50 - 123.675) / 58.395, rtol=1e-5)
    np.testing.assert_allclose(fed[0, 2, 60, 0], (114 - 103.53) / 57.375, rtol=1e-5)


DETS = {'dets': np.array([[[10, 20, 30, 40, 0.9]]], np.float32), 'labels': np.array([[0]])}


@pytest.mark.parametrize(
    ('kind', 'first'),
    [('=yolox', 10), *[(kind, (30 - 123.675) / 58.395) for kind in ('=rtmdet', '')]],
)
def test_the_user_says_which_colours_a_network_takes(onnx, kind, first):
    session = Session([1, 3, 64, 100], DETS)
    picture = np.tile(np.array([10, 20, 30], np.uint8), (100, 200, 1))
    assert onnx(session, kind)(picture).boxes.tolist() == [[20, 40, 40, 40]]
    # YOLOX takes blue first and as it is; RTMDet red first, minus a mean and divided.
    np.testing.assert_allclose(session.fed[0][0, 0, 0, 0], first, rtol=1e-5)


def test_yolox_cells_are_decoded(onnx):
    # 64x96 pixels: 8 x 12 cells of 8 pixels, 4 x 6 of 16, 2 x 3 of 32.
    raw = np.zeros((1, 96 + 24 + 6, 85), np.float32)
    raw[..., 4] = 0.01
    # Third cell of the second row with stride 16: centre (2.5, 1.25) * 16, size e x 1 cells.
    raw[0, 96 + 6 + 2] = [0.5, 0.25, 1, 0, 0.9, 0.5, *[0] * 79]
    session = Session([1, 3, 64, 96], {'output': raw})
    found = onnx(session)(PICTURE[:64, :96])
    width = 16 * np.e
    np.testing.assert_allclose(found.boxes, [[40 - width / 2, 12, width, 16]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.45])
    assert session.fed[0].max() == 50


def write_network(
    path: Path,
    shape: Sequence[int | str] = (1, 3, 64, 96),
    *,
    outputs: Mapping[str, Sequence[int]],
    dtype: int = TensorProto.FLOAT,
    inputs: Sequence[str] = ('x',),
) -> Path:
    """Write a network whose outputs are zeros; returns ``path``.

    Args:
        path: The file.
        shape: Of the input.
        outputs: Shapes of the outputs.
        dtype: Type of the input.
        inputs: Names of the inputs; nothing is computed from them.
    """
    # The sizes depend on the picture's values: else onnxruntime would find them in the file.
    nodes = [
        helper.make_node('Cast', [inputs[0]], ['values'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMin', ['values'], ['least'], keepdims=0),
        helper.make_node('Mul', ['least', 'zero'], ['nothing']),
        helper.make_node('Cast', ['nothing'], ['none'], to=TensorProto.INT64),
    ]
    tensors = [numpy_helper.from_array(np.array(0, np.float32), 'zero')]
    for name, sizes in outputs.items():
        tensors.append(numpy_helper.from_array(np.array(sizes), f'sizes_{name}'))
        nodes += [
            helper.make_node('Add', ['none', f'sizes_{name}'], [f'shape_{name}']),
            helper.make_node('ConstantOfShape', [f'shape_{name}'], [name]),
        ]
    graph = helper.make_graph(
        nodes,
        'zeros',
        [helper.make_tensor_value_info(name, dtype, shape) for name in inputs],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
            for name, sizes in outputs.items()
        ],
        tensors,
    )
    opsets = [helper.make_opsetid('', 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


FREE = ('h', 'w')


YOLOX = {'output': (1, 126, 85)}


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        ({'dtype': TensorProto.UINT8}, r'takes \[1, 3, 64, 96\] in uint8, expected one picture'),
        ({'shape': (3, 64, 96)}, r'takes \[3, 64, 96\] in float32, expected'),
        ({'shape': (1, 64, 96, 3)}, r'takes \[1, 64, 96, 3\] in float32, expected'),
        ({'shape': (4, 3, 64, 96)}, r'takes \[4, 3, 64, 96\] in float32, expected'),
        ({'inputs': ('x', 'y')}, r'takes .* and \[1, 3, 64, 96\] in float32, expected one'),
        ({'outputs': {'a': (1,), 'b': (1,)}}, 'has the outputs a, b, expected dets and labels'),
    ],
)
def test_networks_of_another_form_are_refused(tmp_path, options, sentence):
    path = write_network(tmp_path / 'net.onnx', **{'outputs': YOLOX, **options})
    with pytest.raises(InputError, match=rf'net\.onnx {sentence}'):
        build_person_detector(path)


def test_a_raw_output_is_none_of_rtmdet(tmp_path):
    path = write_network(tmp_path / 'net.onnx', outputs=YOLOX)
    with pytest.raises(InputError, match=r'has the outputs output, expected dets and labels'):
        build_person_detector(f'{path}=rtmdet')


@pytest.mark.parametrize(
    ('shape', 'outputs', 'sentence'),
    [
        # YOLOv8's, whose columns are where YOLOX has its boxes, and boxes end to end.
        ((640, 640), {'output0': (1, 84, 8400)}, r'\[1, 84, 8400\], expected .* 640x640 pixels'),
        ((640, 640), {'output0': (1, 300, 6)}, r'gives outputs of shape \[1, 300, 6\]'),
        # 8 x 12, 4 x 6 and 2 x 3 cells are 126.
        ((64, 96), {'output': (1, 125, 85)}, r'\[1, 125, 85\].*\[1, 126, 5 \+ .* 96x64 pixels'),
        ((64, 96), {'output': (1, 126, 5)}, r'gives outputs of shape \[1, 126, 5\]'),
        ((64, 96), {'output': (126, 85)}, r'gives outputs of shape \[.+, .+\], expected'),
        # 52 x 52, 26 x 26 and 13 x 13 cells are 3549.
        (FREE, {'output': (1, 8400, 85)}, r'\[1, 8400, 85\].*\[1, 3549, 5 \+ .* 416x416 pixels'),
        # Rotated boxes.
        (FREE, {'dets': (1, 9, 6), 'labels': (1, 9)}, r'\[1, 9, 6\] and \[1, 9\], expected'),
        (FREE, {'dets': (1, 9, 5), 'labels': (1, 8)}, r'\[1, 9, 5\] and \[1, 8\], expected'),
    ],
)
def test_outputs_of_other_networks_are_refused(tmp_path, shape, outputs, sentence):
    path = write_network(tmp_path / 'net.onnx', (1, 3, *shape), outputs=outputs)
    detector = build_person_detector(path)
    with pytest.raises(InputError, match=sentence):
        detector(PICTURE)


@pytest.mark.parametrize(
    ('shape', 'outputs'),
    [
        ((64, 96), {'output': (1, 126, 6)}),
        (FREE, {'output': (1, 3549, 85)}),
        (FREE, {'labels': (1, 9), 'dets': (1, 9, 5), 'masks': (1, 9, 4, 4)}),
    ],
)
def test_outputs_of_rtmdet_and_yolox_are_read(tmp_path, shape, outputs):
    path = write_network(tmp_path / 'net.onnx', ('n', 3, *shape), outputs=outputs)
    assert len(build_person_detector(path)(PICTURE).boxes) == 0


@pytest.mark.parametrize(
    ('files', 'sentence'),
    [
        (('no.py', 'det.pth'), r'no\.py does not exist, give a published one \(person-nano, '),
        (('det.py',), 'det.py needs a checkpoint'),
        (
            ('net.onnx', 'det.pth'),
            r'net\.onnx is an ONNX file, .* leave out the checkpoint det\.pth',
        ),
        (('det.py', 'no.pth'), r'checkpoint no\.pth does not exist'),
        (('det.py', 'det.pth'), r'det\.py with det\.pth cannot be used \(.*\), give a config'),
        (('net.onnx',), r'net\.onnx is not a network that onnxruntime can run'),
        (('net.onnx=yolox',), r'net\.onnx is not a network that onnxruntime can run'),
        (('net.onnx=yolo',), r"kind of net\.onnx must be one of rtmdet, yolox, got 'yolo'"),
        (('no.onnx=yolox',), r'detector no\.onnx does not exist'),
    ],
)
def test_mistakes_with_the_files_are_one_sentence(tmp_path, monkeypatch, files, sentence):
    monkeypatch.chdir(tmp_path)
    Path('det.py').write_text('model = dict(type="Nothing")')
    Path('net.onnx').write_bytes(b'no network')
    torch.save({'state_dict': {}}, 'det.pth')
    with pytest.raises(InputError, match=sentence) as caught:
        build_person_detector(*files)
    assert '\n' not in str(caught.value)


CONFIG = """
default_scope = 'mmdet'
norm = dict(type='BN')
model = dict(
    type='RTMDet',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[0.0] * 3, std=[1.0] * 3),
    backbone=dict(
        type='CSPNeXt', deepen_factor=0.1, widen_factor=0.125, norm_cfg=norm,
        channel_attention=False,
    ),
    neck=dict(
        type='CSPNeXtPAFPN', in_channels=[32, 64, 128], out_channels=16, num_csp_blocks=1,
        norm_cfg=norm,
    ),
    bbox_head=dict(
        type='RTMDetSepBNHead', num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1,
        exp_on_reg=False, norm_cfg=norm,
        anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='GIoULoss'),
    ),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.9),
        max_per_img=30,
    ),
)
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(64, 64), keep_ratio=True),
            dict(type='Pad', size=(64, 64)),
            dict(type='PackDetInputs', meta_keys=('img_shape', 'ori_shape', 'scale_factor')),
        ]
    )
)
test_pipeline = test_dataloader['dataset']['pipeline']
"""


@pytest.fixture
def mmdet_files(tmp_path):
    """Config and random weights of a tiny RTMDet; makes a checkpoint with the given classes."""
    from mmdet.registry import MODELS

    config = tmp_path / 'rtmdet.py'
    config.write_text(CONFIG)

    def make(*classes: str) -> tuple[Path, Path]:
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope('mmdet'):
            model = MODELS.build(Config.fromfile(config).model)
        checkpoint = tmp_path / 'rtmdet.pth'
        meta = {'dataset_meta': {'classes': classes}}
        torch.save({'meta': meta, 'state_dict': model.state_dict()}, checkpoint)
        return config, checkpoint

    return make


def current_scope() -> str | None:
    scope = DefaultScope.get_current_instance()
    return None if scope is None else scope.scope_name


def test_mmdetection_finds_people_and_leaves_the_scope_alone(mmdet_files):
    files = mmdet_files('car', 'person', 'dog')
    before = current_scope()
    detector = build_person_detector(*files)
    detector.score_threshold, detector.nms_iou = 0.0, 1.0
    found = detector(PICTURE)
    assert current_scope() == before
    from mmdet.apis import inference_detector

    with DefaultScope.overwrite_default_scope('mmdet'):
        truth = inference_detector(detector._model, PICTURE).pred_instances.numpy()
    people = truth.labels == 1
    assert 0 < people.sum() < len(people)
    corners = truth.bboxes[people]
    expected = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    np.testing.assert_allclose(found.boxes, expected, rtol=1e-5)
    assert (np.diff(found.scores) <= 0).all()


NANO = 'rtmdet_nano_320-8xb32_coco-person'


@pytest.mark.parametrize(
    ('name', 'sentence'),
    [
        (NANO, rf"{NANO}\.py needs a checkpoint: .* or the people's box"),
        ('rtmdet_tiny_8xb32-300e_coco.py', r'rtmdet_tiny_8xb32-300e_coco\.py needs a checkpoint'),
        ('rtmdet_none', 'detector rtmdet_none does not exist'),
        (f'my_finetune/{NANO}.py', rf'detector my_finetune/{NANO}\.py does not exist'),
    ],
)
def test_only_a_bare_name_stands_for_a_config_that_comes_with_mmdetection(name, sentence):
    with pytest.raises(InputError, match=sentence):
        build_person_detector(name)


def test_a_detector_without_people_is_refused(mmdet_files):
    with pytest.raises(InputError, match=r"has no class 'person' \(but car, cat, dog"):
        build_person_detector(*mmdet_files('car', 'cat', 'dog'))
