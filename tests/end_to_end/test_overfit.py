"""The tiny models learn a few windows of generated clips by heart."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, MODELS
from mmpose.structures import PoseDataSample

import stdpose_mm  # noqa: F401  registers the classes of the config
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.evaluation.functional import keypoint_accuracy
from stdpose_mm.io.labels import read_posetrack18
from stdpose_mm.structures import PersonLabel, VideoLabels
from support.paths import CONFIGS

pytestmark = pytest.mark.slow

CONFIG = CONFIGS / 'stdpose_tiny_synthetic.py'
NUM_WINDOWS = 2
MAX_STEPS = 200
REMAINDER = 0.05
"""Share of the loss that is left. From twice of it on, all joints are right, whatever the processor
rounds; with a fifth of the loss, one or two of 30 are not."""

Batch = dict[str, Any]


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('clips')
    write_dataset(folder, 4, 0, ClipSettings(15, 192, 144, (1, 1)), workers=1)
    return folder


@pytest.fixture(scope='module')
def config() -> Config:
    init_default_scope('mmpose')
    return Config.fromfile(CONFIG)


@pytest.fixture(scope='module')
def batch(config: Config, data: Path) -> Batch:
    """Training windows as the pipeline without augmentation packs them."""
    options = {
        **config.train_dataloader.dataset,
        'data_root': str(data),
        'random_offset': False,
        'keys_per_sample': 1,
        'pipeline': config.val_pipeline,
    }
    dataset = DATASETS.build(options)
    chosen = np.linspace(0, len(dataset) - 1, NUM_WINDOWS).astype(int)
    return pseudo_collate([dataset[int(index)] for index in chosen])


def labels_of(samples: list[PoseDataSample], truth: list[VideoLabels]) -> list[VideoLabels]:
    """The predictions as label structures, one per video of ``truth``."""
    people: dict[str, list[PersonLabel]] = {video.name: [] for video in truth}
    for sample in samples:
        keypoints = sample.pred_instances.keypoints[0]
        # PoseTrack18 files have 17 joints, of which PoseTrack labels no ears.
        visible = np.full(len(keypoints), 2)
        label = PersonLabel(sample.frame_index, keypoints, visible, track_id=sample.track_id)
        people[sample.video_name].append(label)
    return [video.with_persons(people[video.name]) for video in truth]


def learn(config: Config, batch: Batch, name: str) -> tuple[Any, list[float], set[str]]:
    """Train on one batch until ``REMAINDER`` is left of the loss ``name``.

    Returns:
        The model, its losses, and the parameters that have not changed.
    """
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    model.train()
    before = {name: values.detach().clone() for name, values in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.99))
    # In float32: how bfloat16 rounds, and with it the steps it takes, depends on the processor.
    wrapper = OptimWrapper(optimizer)
    losses: list[float] = []
    while len(losses) < MAX_STEPS and (not losses or losses[-1] >= REMAINDER * losses[0]):
        losses.append(model.train_step(copy.deepcopy(batch), wrapper)[name].item())
    after = dict(model.named_parameters())
    return model.eval(), losses, {name for name in before if torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ('name', 'loss'),
    [
        ('stdpose_tiny_synthetic', 'loss'),
        # What is hidden from it cannot be learnt by heart, as other parts are hidden every time.
        ('semantic_motion_tiny_estimation_synthetic', 'loss_kpt'),
    ],
)
def test_windows_are_learnt_by_heart(name, loss, data, batch):
    model, losses, unchanged = learn(Config.fromfile(CONFIGS / f'{name}.py'), batch, loss)
    # It takes 45 to 105 steps.
    assert len(losses) < MAX_STEPS, losses[::10]
    # Heads could learn so few windows alone.
    assert not unchanged

    with torch.inference_mode():
        samples = model.test_step(copy.deepcopy(batch))
    shown = {(s.video_name, s.frame_index, s.track_id) for s in samples}
    assert len(shown) == NUM_WINDOWS
    videos = [read_posetrack18(file) for file in sorted(data.glob('annotations/train/*.json'))]
    truth = [
        video.with_persons(
            [p for p in video.persons if (video.name, p.frame_index, p.track_id) in shown]
        )
        for video in videos
    ]
    assert sum(len(video.persons) for video in truth) == NUM_WINDOWS
    accuracy = keypoint_accuracy(truth, labels_of(samples, truth))
    assert accuracy.means()['PCK@0.1'] > 90
