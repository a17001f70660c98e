"""What is hidden is reconstructed, also in windows that were never trained on."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, MODELS, OPTIM_WRAPPERS

import stdpose_mm  # noqa: F401  registers the classes of the config
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from support.paths import CONFIGS

pytestmark = pytest.mark.slow

CONFIG = CONFIGS / 'semantic_motion_tiny_estimation_synthetic.py'
DIMS, GRID = 16, (3, 2)


def still_windows(number: int, seed: int) -> torch.Tensor:
    """Features [N, 3, D, h', w'] that are drawn once for a window and stay for its three frames."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(number, 1, DIMS, *GRID, generator=generator).expand(-1, 3, -1, -1, -1)


def test_features_are_read_from_where_they_are_not_hidden():
    init_default_scope('mmpose')
    torch.manual_seed(0)
    decoder = {'type': 'ContextDecoder', 'embed_dims': DIMS, 'num_heads': 2}
    neck = MODELS.build(
        {
            'type': 'MLSME',
            'embed_dims': DIMS,
            'num_heads': 2,
            'feature_size': GRID,
            'tube_ratio': 0.3,
            'tube_length': 2,
            'masked_frames': 1,
            'context_decoder': decoder,
        }
    )

    def errors(features: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = neck(features, masks=neck.sample_masks(len(features))).reconstruction
        return {
            'tubes': F.mse_loss(hidden.tubes.reconstructed, hidden.tubes.target),
            'frames': F.mse_loss(hidden.frames.reconstructed, hidden.frames.target),
        }

    optimizer = torch.optim.AdamW(neck.parameters(), lr=8e-3)
    for step in range(280):
        loss = sum(errors(still_windows(16, step)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        held_out = errors(still_windows(64, 12345))
    # Whoever does not find the same place in another frame has an error of 1. Joint attention, the
    # only one after frames are hidden, learns to find it more slowly than divided attention.
    assert held_out['tubes'] < 0.4
    assert held_out['frames'] < 0.95


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


def test_poses_of_hidden_frames_get_better_on_held_out_clips(tmp_path):
    init_default_scope('mmpose')
    config = Config.fromfile(CONFIG)
    write_dataset(tmp_path, 4, 2, ClipSettings(15, 192, 144, (1, 1)), workers=1)
    train = windows(config, tmp_path, 'train', 32)
    held_out = pseudo_collate(windows(config, tmp_path, 'val', 8))
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99))
    wrapper = OPTIM_WRAPPERS.build({'type': 'AutocastOptimWrapper', 'optimizer': optimizer})

    def masked_pose_loss() -> float:
        """With the same masks every time."""
        model.eval()
        torch.manual_seed(0)
        data = model.data_preprocessor(copy.deepcopy(held_out), False)
        with torch.no_grad():
            return float(model(**data, mode='loss')['loss_masked_kpt'])

    before = masked_pose_loss()
    model.train()
    # After 24 steps, some seeds are still where they began, after 36 all at 0.6 of the loss.
    for step in range(36):
        batch = [train[(4 * step + index) % len(train)] for index in range(4)]
        model.train_step(pseudo_collate(copy.deepcopy(batch)), wrapper)
    assert masked_pose_loss() < 0.85 * before
