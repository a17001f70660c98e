"""A model that can learn from given labels alone follows them, and works without them too.

The pictures are noise and the poses random, so nothing but the given labels tells where the joints
are. The model is the tiny one for three joints.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

import stdpose_mm  # noqa: F401  registers the classes of the config
from stdpose_mm.models.backbones.vit import ARCHITECTURES
from support.paths import CONFIGS
from support.window_results import window_results

pytestmark = pytest.mark.slow

CONFIG = CONFIGS / 'stdpose_tiny_synthetic.py'
NUM_JOINTS = 3
WIDTH, HEIGHT = 96, 128
BOX = (9.6, 12.8, 86.4, 115.2)  # enlarged by 1.25 it is the picture
MOTION = 3.0  # px between the left and right frame, per axis
STEPS, BATCH_SIZE = 50, 2
NUM_TEST = 16

BOTH, LEFT, RIGHT, NONE = (True, True), (True, False), (False, True), (False, False)
Given = tuple[bool, bool]
Sample = dict[str, Any]


def window(rng: np.random.Generator, given: Given = BOTH) -> Sample:
    """A sample dict: noise, and a random pose that moves in straight lines."""
    position = rng.uniform(0.25, 0.75)
    key = rng.uniform((16, 16), (WIDTH - 16, HEIGHT - 16), (NUM_JOINTS, 2))
    motion = rng.normal(0, MOTION, (NUM_JOINTS, 2))
    poses = np.stack([key - position * motion, key, key + (1 - position) * motion])
    pictures = rng.integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    return window_results(pictures, poses, BOX, aux_given=np.array(given), window_position=position)


def held_out(given: Given, shift: tuple[float, float] = (0.0, 0.0)) -> list[Sample]:
    """The same windows whatever is given, with the labels of (left, right) moved in x by px."""
    rng = np.random.default_rng(99)
    samples = [window(rng, given) for _ in range(NUM_TEST)]
    for sample in samples:
        sample['aux_keypoints'][..., 0] += np.array(shift, np.float32)[:, None]
    return samples


class TrainedModel:
    """A model and the pipeline it is tested with."""

    def __init__(self, model: torch.nn.Module, pipeline: Compose) -> None:
        self.model: Any = model.eval()
        self.pipeline = pipeline
        # Several tests compare with the same predictions.
        self.predict = cache(self._predict)

    def pack(self, samples: list[Sample]) -> dict[str, Any]:
        return pseudo_collate([self.pipeline(copy.deepcopy(sample)) for sample in samples])

    def keypoints(self, batch: dict[str, Any]) -> np.ndarray:
        """[N, K, 2] pixels."""
        with torch.inference_mode():
            results = self.model.test_step(batch)
        return np.stack([result.pred_instances.keypoints[0] for result in results])

    def _predict(self, given: Given, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
        return self.keypoints(self.pack(held_out(given, shift)))


@pytest.fixture(scope='module')
def trained() -> TrainedModel:
    """Trained on windows of which three out of four show both labels."""
    init_default_scope('mmpose')
    config = Config.fromfile(CONFIG)
    cfg = config.model
    # Pictures of noise need no deep network.
    cfg.backbone.arch = {**ARCHITECTURES['tiny'], 'num_layers': 1}
    cfg.neck.tff.num_blocks = cfg.head.num_blocks = 1
    cfg.frame_head.deconv_out_channels = cfg.head.deconv_out_channels = (32, 32)
    cfg.frame_head.out_channels = cfg.head.out_channels = NUM_JOINTS
    cfg.neck.tks.num_joints = cfg.head.mask.num_joints = NUM_JOINTS
    # Nothing to learn in single frames of noise; the time goes to what the labels teach.
    cfg.frame_head_loss_weight = 0.0
    pipeline = copy.deepcopy(config.val_pipeline)
    for transform in pipeline:
        if transform.type == 'GenerateWindowTarget':
            transform.update(test_mode=False, aux_label_prob=0.75)
    pack = Compose(pipeline)

    torch.manual_seed(0)
    np.random.seed(0)
    rng = np.random.default_rng(0)
    model = MODELS.build(cfg)
    model.init_weights()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.99))
    # In float32: how bfloat16 rounds, and with it the steps it takes, depends on the processor.
    wrapper = OptimWrapper(optimizer)
    for _ in range(STEPS):
        batch = pseudo_collate([pack(window(rng)) for _ in range(BATCH_SIZE)])
        model.train_step(batch, wrapper)
    return TrainedModel(model, Compose(config.val_pipeline))


def median_error(predicted: np.ndarray) -> float:
    truth = np.stack([sample['keypoints'][0] for sample in held_out(BOTH)])
    return float(np.median(np.linalg.norm(predicted - truth, axis=-1)))


@pytest.mark.parametrize('given', [BOTH, LEFT, RIGHT])
def test_given_labels_tell_where_the_joints_are(trained, given):
    # Without labels the pictures say nothing: the error is that of a guess.
    assert median_error(trained.predict(NONE)) > 8
    assert median_error(trained.predict(given)) < 6


@pytest.mark.parametrize('given', [BOTH, LEFT, RIGHT])
@pytest.mark.parametrize('shift', [8.0, -8.0])
def test_the_prediction_moves_with_the_given_labels(trained, given, shift):
    moved = trained.predict(given, (shift, shift)) - trained.predict(given)
    np.testing.assert_allclose(np.median(moved, axis=(0, 1)), (shift, 0.0), atol=3.0)


def test_labels_that_are_not_given_move_nothing(trained):
    np.testing.assert_array_equal(trained.predict(LEFT, (0.0, 8.0)), trained.predict(LEFT))
    np.testing.assert_array_equal(trained.predict(NONE, (8.0, 8.0)), trained.predict(NONE))


def without_labels(sample: PoseDataSample) -> PoseDataSample:
    """The sample as estimation hands it over: no fields of given labels at all."""
    bare = PoseDataSample(metainfo=sample.metainfo)
    bare.gt_instances = sample.gt_instances
    return bare


def test_without_labels_poses_are_finite_and_inside_the_crop(trained):
    batch = trained.pack(held_out(NONE))
    batch['data_samples'] = [without_labels(sample) for sample in batch['data_samples']]
    keypoints = trained.keypoints(batch)
    assert keypoints.shape == (NUM_TEST, NUM_JOINTS, 2)
    assert np.isfinite(keypoints).all()
    # Decoding refines a peak by less than one heatmap pixel, 4 px of the crop.
    assert (keypoints > -4).all()
    assert (keypoints < np.array([WIDTH + 3, HEIGHT + 3])).all()


def test_no_fields_and_empty_fields_are_the_same(trained):
    batch = trained.pack(held_out(NONE))
    empty = trained.keypoints(copy.deepcopy(batch))
    batch['data_samples'] = [without_labels(sample) for sample in batch['data_samples']]
    np.testing.assert_allclose(trained.keypoints(batch), empty, atol=1e-3)
