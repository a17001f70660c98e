from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stdpose_mm.detection import PersonDetector, build_person_detector
from stdpose_mm.errors import InputError

PICTURE = np.full((100, 200, 3), 50, np.uint8)


class Fixed(PersonDetector):
    """Three boxes, of which the first two overlap by 0.81 / 1.19 = 0.68."""

    def _detect(self, picture):
        corners = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 80]], np.float32)
        return corners, np.array([0.3, 0.6, 0.1], np.float32)


def test_boxes_are_sure_distinct_and_best_first():
    found = Fixed(score_threshold=0.05, nms_iou=0.65)(PICTURE)
    assert found.boxes.tolist() == [[1, 1, 10, 10], [50, 50, 10, 30]]
    np.testing.assert_allclose(found.scores, [0.6, 0.1])
    assert len(Fixed(score_threshold=0.05, nms_iou=0.7)(PICTURE).boxes) == 3
    assert Fixed(score_threshold=0.2)(PICTURE).boxes.tolist() == [[1, 1, 10, 10]]
    assert Fixed(score_threshold=0.9)(PICTURE).boxes.shape == (0, 4)


@pytest.mark.parametrize('name', ['score_threshold', 'nms_iou'])
def test_thresholds_are_shares(name):
    with pytest.raises(InputError, match=rf'{name} must be in 0\.\.1, got 1\.5'):
        Fixed(**{name: 1.5})


class Session:
    """Stands for onnxruntime's session of a network with the given outputs."""

    def __init__(self, shape, outputs):
        self.shape, self.outputs, self.fed = shape, outputs, []

    def get_inputs(self):
        return [types.SimpleNamespace(name='x', shape=self.shape)]

    def get_outputs(self):
        return [types.SimpleNamespace(name=name) for name in self.outputs]

    def run(self, names, feed):
        self.fed.append(feed['x'])
        return list(self.outputs.values())


@pytest.fixture
def onnx(monkeypatch, tmp_path):
    """Makes a detector whose network is a ``Session``."""

    def make(session, **options):
        runtime = types.SimpleNamespace(
            SessionOptions=Mock, InferenceSession=lambda *_, **__: session
        )
        monkeypatch.setitem(sys.modules, 'onnxruntime', runtime)
        (tmp_path / 'net.onnx').write_bytes(b'network')
        return build_person_detector(tmp_path / 'net.onnx', **options)

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


def test_yolox_cells_are_decoded(onnx):
    # 64x96 pixels: 8 x 12 cells of 8 pixels, 4 x 6 of 16, 2 x 3 of 32.
    raw = np.zeros((1, 96 + 24 + 6, 85), np.float32)
    raw[..., 4] = 0.01
    # Third cell of the second row with stride 16: centre (2.5, 1.25) * 16, size e x 1 cells.
    raw[0, 96 + 6 + 2] = [0.5, 0.25, 1, 0, 0.9, 0.5, *[0] * 79]
    session = Session([1, 3, 64, 96], {'output': raw})
    found = onnx(session, score_threshold=0.3)(PICTURE[:64, :96])
    width = 16 * np.e
    np.testing.assert_allclose(found.boxes, [[40 - width / 2, 12, width, 16]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.45])
    assert session.fed[0].max() == 50


def test_other_networks_are_refused(onnx):
    with pytest.raises(InputError, match='has the outputs a, b, expected dets and labels'):
        onnx(Session([1, 3, 64, 64], {'a': 0, 'b': 0}))


def test_mistakes_with_the_files_are_one_sentence(tmp_path, monkeypatch):
    config, network = tmp_path / 'det.py', tmp_path / 'net.onnx'
    config.write_text('model = dict(type="Nothing")')
    network.write_bytes(b'no network')
    checkpoint = tmp_path / 'det.pth'
    torch.save({'state_dict': {}}, checkpoint)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    for files, message in (
        (('no.py', checkpoint), r'no\.py does not exist, give an MMDetection config'),
        ((config,), 'det.py needs a checkpoint'),
        ((network, checkpoint), r'net\.onnx is an ONNX file, .* leave the checkpoint .*det\.pth'),
        ((config, 'no.pth'), r'checkpoint no\.pth does not exist'),
        ((config, checkpoint), r'det\.py with .*det\.pth cannot be used \(.*\), give a config'),
        ((network,), r'net\.onnx needs onnxruntime, .* `pip install onnxruntime`'),
    ):
        with pytest.raises(InputError, match=message) as caught:
            build_person_detector(*files)
        assert '\n' not in str(caught.value)


def test_a_file_that_is_no_network_is_refused(tmp_path):
    (tmp_path / 'net.onnx').write_bytes(b'no network')
    with pytest.raises(InputError, match=r'net\.onnx is no network that onnxruntime can run'):
        build_person_detector(tmp_path / 'net.onnx')


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
    detector = build_person_detector(*files, score_threshold=0.0, nms_iou=1.0)
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


@pytest.mark.slow
def test_a_config_that_comes_with_mmdetection_is_found_by_its_name(tmp_path):
    from mmdet.registry import MODELS

    name = 'rtmdet_nano_320-8xb32_coco-person'
    with pytest.raises(
        InputError, match=rf'{name}\.py needs a checkpoint: .* or the people\'s box'
    ):
        build_person_detector(name)
    with pytest.raises(InputError, match=r'rtmdet_tiny_8xb32-300e_coco\.py needs a checkpoint'):
        build_person_detector('rtmdet_tiny_8xb32-300e_coco.py')
    with pytest.raises(InputError, match='detector rtmdet_none does not exist'):
        build_person_detector('rtmdet_none')
    installed = Path(importlib.util.find_spec('mmpose').origin).parent
    cfg = Config.fromfile(next(installed.rglob(f'{name}.py')))
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    meta = {'dataset_meta': {'classes': ('person',)}}
    torch.save({'meta': meta, 'state_dict': model.state_dict()}, tmp_path / 'random.pth')
    detector = build_person_detector(name, tmp_path / 'random.pth', score_threshold=0.0)
    found = detector(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))
    assert len(found.boxes) > 0
    assert (found.boxes[:, :2] >= 0).all()
    assert (found.boxes[:, :2] + found.boxes[:, 2:] <= [120.001, 90.001]).all()


def test_a_detector_without_people_is_refused(mmdet_files):
    with pytest.raises(InputError, match="knows no class 'person' but car, cat, dog"):
        build_person_detector(*mmdet_files('car', 'cat', 'dog'))
