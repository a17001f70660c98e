"""The second system learns to reconstruct what is hidden, also in clips that it never saw."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, MODELS, OPTIM_WRAPPERS

import stdpose_mm  # noqa: F401  registers the classes of the config
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'semantic_motion_tiny_synthetic.py'
STEPS = 60

Batch = dict[str, Any]


@pytest.fixture(scope='module')
def config() -> Config:
    init_default_scope('mmpose')
    return Config.fromfile(CONFIG)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('clips')
    write_dataset(folder, 6, 4, ClipSettings(15, 192, 144, (1, 1)), workers=1)
    return folder


def windows(config: Config, data: Path, part: str, number: int) -> list[dict[str, Any]]:
    """Windows spread over the clips of a part, without augmentation."""
    options = {
        **config.train_dataloader.dataset,
        'data_root': str(data),
        'ann_file': f'annotations/{part}',
        'pipeline': config.val_pipeline,
    }
    dataset = DATASETS.build(options)
    chosen = np.linspace(0, len(dataset) - 1, number).astype(int)
    return [dataset[int(index)] for index in chosen]


def held_out_losses(model: Any, batch: Batch) -> dict[str, float]:
    """Losses with the same masks every time."""
    torch.manual_seed(0)
    with torch.no_grad():
        values = model(**model.data_preprocessor(copy.deepcopy(batch), False), mode='loss')
    return {name: float(value) for name, value in values.items()}


def test_reconstruction_gets_better_on_held_out_clips(config: Config, data: Path) -> None:
    train = windows(config, data, 'train', 48)
    held_out = pseudo_collate(windows(config, data, 'val', 16))
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    # The features to be reconstructed are those of a backbone that stands still: were it trained,
    # it could make them easier.
    model.backbone.requires_grad_(False)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3, betas=(0.9, 0.99))
    wrapper = OPTIM_WRAPPERS.build({'type': config.optim_wrapper.type, 'optimizer': optimizer})

    before = held_out_losses(model.eval(), held_out)
    model.train()
    # Batch normalisation of the stem, too.
    model.backbone.eval()
    for step in range(STEPS):
        batch = [train[(8 * step + index) % len(train)] for index in range(8)]
        model.train_step(pseudo_collate(copy.deepcopy(batch)), wrapper)
    after = held_out_losses(model.eval(), held_out)
    for name in ('loss_context_tubes', 'loss_context_frames', 'loss_masked_kpt'):
        assert after[name] < 0.8 * before[name], (name, before, after)
