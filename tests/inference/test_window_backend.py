from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from stdpose_mm.datasets.body import PoseTrack18WindowDataset
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend
from stdpose_mm.inference.window_backend import FrameFeatures, WindowLabels, fill_batches
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.models.layers.mkldnn_layers import MkldnnLinear, MkldnnPatchEmbedding
from stdpose_mm.structures import Skeleton
from support.heatmaps import assert_same_maps
from support.paths import ROOT
from support.tiny_models import (
    light,
    model_cfg,
    pruned,
    semantic_motion,
    semantic_motion_appearance,
    window_model,
    window_systems,
)

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'))
CROPS = np.random.default_rng(0).integers(0, 256, (5, 64, 48, 3), dtype=np.uint8)
WIDE_ROWS = np.array([[1, 0, 1, 2, 3], [4, 4, 4, 3, 0], [3, 2, 1, 0, 0]])
ROWS = WIDE_ROWS[:, 1:4]


SYSTEMS = {
    'first, five frames': window_systems(3, 5)['stdpose'],
    'first, light': light(3),
    'first, pruned': pruned(3),
    'second, five frames': window_systems(3, 5)['semantic motion, labels'],
    'second, appearance': semantic_motion_appearance(3),
}


@pytest.fixture(scope='module', params=[False, True], ids=['plain', 'mirrored'])
def flip_test(request):
    return request.param


def test_the_ears_of_posetrack_are_not_trained():
    """MMPose's metainfo gives them a weight like all joints, but PoseTrack never annotates them."""
    init_default_scope('mmpose')
    cfg = Config.fromfile(ROOT / 'configs' / 'stdpose_tiny_estimation_synthetic.py')
    metainfo = parse_pose_metainfo(PoseTrack18WindowDataset.METAINFO)
    model = WindowModel(torch.nn.Identity(), cfg.test_dataloader.dataset.pipeline, metainfo)
    names = np.array(model.skeleton.keypoint_names)
    assert list(names[~model.trained_joints]) == ['left_ear', 'right_ear']
    weights = metainfo['dataset_keypoint_weights'].copy()
    weights[0] = 0
    other = {**metainfo, 'dataset_name': 'heads', 'dataset_keypoint_weights': weights}
    model = WindowModel(torch.nn.Identity(), cfg.test_dataloader.dataset.pipeline, other)
    assert list(names[~model.trained_joints]) == ['nose']


def rows_of(model):
    """Rows [N, T] of windows, by the numbers of their crops."""
    return ROWS if model.num_frames == 3 else WIDE_ROWS


@pytest.fixture(scope='module', params=SYSTEMS.values(), ids=SYSTEMS)
def model(request, flip_test):
    return window_model(SKELETON, test_cfg={'flip_test': flip_test}, **request.param)


def test_windows_of_codes_are_windows_of_pictures(model):
    backend = TorchWindowBackend(model, batch_size=2)
    features = backend.encode(CROPS)
    assert len(features) == 5
    rows = rows_of(model)
    found = backend.fuse(features, rows)
    estimator = model.model
    with torch.inference_mode():
        windows = model.normalise(CROPS)[torch.from_numpy(rows)]
        expected = estimator.head.forward(estimator.extract_feat(windows))
        if estimator.test_cfg['flip_test']:
            mirrored = estimator.head.forward(estimator.extract_feat(windows.flip(-1)))
            expected = (expected + mirrored.flip(-1)[:, [0, 2, 1]]) / 2
    assert_same_maps(found, expected.numpy())


def test_codes_can_be_taken_apart_and_put_together(model):
    backend = TorchWindowBackend(model)
    whole = backend.encode(CROPS)
    parts = FrameFeatures.concatenate([whole.take([3, 4]), whole.take([0]), whole.take([2, 1])])
    place = np.array([2, 4, 3, 0, 1])
    rows = rows_of(model)
    np.testing.assert_array_equal(backend.fuse(parts, place[rows]), backend.fuse(whole, rows))
    taken = whole.take([1])
    assert taken.views[0]['features'].data_ptr() != whole.views[0]['features'].data_ptr()


def test_keys_and_values_of_a_frame_are_projected_once():
    model = window_model(SKELETON, **light(3))
    (block,) = model.model.neck.tff.blocks
    projected = []
    block.attn.key_value.register_forward_hook(lambda _, args, __: projected.append(len(args[0])))
    backend = TorchWindowBackend(model, batch_size=2)
    features = backend.encode(CROPS)
    backend.fuse(features, ROWS)
    assert sum(projected) == len(CROPS)


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
@pytest.mark.parametrize('form', [light, pruned])
def test_packed_layers_of_the_light_form_compute_the_same(form, precision):
    model = window_model(SKELETON, **form(3))
    model.precision = precision
    backend = TorchWindowBackend(model)
    plain = backend.fuse(backend.encode(CROPS), ROWS)
    model.optimize_for_cpu()
    packed = backend.fuse(backend.encode(CROPS), ROWS)
    tolerance = (1e-5 if precision == 'float32' else 0.05) * np.abs(plain).max()
    np.testing.assert_allclose(packed, plain, atol=tolerance)


ALONE = {
    'neck': None,
    'frame_head': None,
    'head': {**model_cfg(3)['frame_head'], 'type': 'SingleSourceHead', 'source': 'frame_feature'},
}


@pytest.mark.parametrize(
    'changes', [ALONE, {**semantic_motion(3), 'test_cfg': {'use_frame_head': True}}]
)
def test_a_network_of_single_frames_gives_the_key_frames_maps(changes):
    backend = TorchWindowBackend(window_model(SKELETON, **changes))
    assert not backend.sees_windows
    features = backend.encode(CROPS)
    assert_same_maps(backend.fuse(features, ROWS), backend.frame_heatmaps(features)[ROWS[:, 1]])


def frame_maps_of(model, crops):
    """Every frame by itself, by the estimator's own frame head."""
    estimator = model.model
    with torch.inference_mode():
        inputs = model.normalise(crops)
        maps = estimator.frame_head.forward((estimator.encode_frames(inputs),))
        if estimator.test_cfg.get('flip_test'):
            mirrored = estimator.frame_head.forward((estimator.encode_frames(inputs.flip(-1)),))
            maps = (maps + mirrored.flip(-1)[:, [0, 2, 1]]) / 2
    return maps.numpy()


def test_frames_by_themselves_are_seen_by_the_frame_head(model):
    backend = TorchWindowBackend(model, batch_size=2)
    found = backend.frame_heatmaps(backend.encode(CROPS))
    assert_same_maps(found, frame_maps_of(model, CROPS))
    assert found.std() > 0.01


def test_a_frame_head_that_windows_do_not_need_is_not_run(model, monkeypatch):
    runs = []
    frame_head = model.model.frame_head
    forward = frame_head.forward
    monkeypatch.setattr(frame_head, 'forward', lambda feats: (runs.append(1), forward(feats))[1])
    backend = TorchWindowBackend(model)
    features = backend.encode(CROPS)
    backend.fuse(features, rows_of(model))
    reads = model.model.neck.tks is not None
    assert bool(runs) == reads
    assert (features.views[0].get('frame_heatmaps') is not None) == reads


@pytest.mark.parametrize('labels', [False, True])
def test_packed_layers_of_the_second_system_compute_the_same(labels):
    model = window_model(SKELETON, **semantic_motion(3, labels))
    given = WindowLabels(
        heatmaps=torch.rand(3, 2, 3, 16, 12).numpy(),
        mask=np.tile([[True] * 3, [False, True, True]], (3, 1, 1)),
        prior=torch.rand(3, 3, 16, 12).numpy(),
        position=np.full(3, 0.5, np.float32),
    )
    backend = TorchWindowBackend(model)
    plain = [backend.fuse(backend.encode(CROPS), ROWS, labels) for labels in (None, given)]
    model.optimize_for_cpu()
    parts = (*model.model.neck.modules(), *model.model.head.modules())
    kinds = {type(module) for module in parts}
    assert not kinds & {torch.nn.Linear, torch.nn.Conv2d}
    assert {MkldnnLinear, MkldnnPatchEmbedding} <= kinds
    packed = [backend.fuse(backend.encode(CROPS), ROWS, labels) for labels in (None, given)]
    for own, expected in zip(packed, plain, strict=True):
        assert_same_maps(own, expected)
    assert np.array_equal(plain[0], plain[1]) != labels
    assert not [name for name, _ in model.model.named_parameters() if 'decoder' in name]


def test_batches_are_filled_by_the_sizes_of_neighbouring_items() -> None:
    assert [*fill_batches(['aaa', 'bb', 'c', 'dddd', 'ee', 'f'], len, 5)] == [
        ['aaa', 'bb'],
        ['c', 'dddd'],
        ['ee', 'f'],
    ]
    assert [*fill_batches([], len, 5)] == []


def test_a_batch_has_at_most_as_many_items_as_may_wait():
    assert [*fill_batches(['', 'a', 'aaa', 'aa', ''], len, 3, most=2)] == [
        ['', 'a'],
        ['aaa'],
        ['aa', ''],
    ]
