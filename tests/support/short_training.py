"""A step of training and a test of few windows, as a config says, with a small model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmpose.registry import MODELS

from support.small_configs import small_model_cfg

WINDOWS = 4
"""Windows of a test."""


def loader_of(cfg: Config, kind: str, batch_size: int) -> Any:
    """The loader of a config, in this process."""
    settings = cfg[f'{kind}_dataloader'].to_dict()
    settings |= dict(batch_size=batch_size, num_workers=0, persistent_workers=False)
    settings['dataset']['indices'] = WINDOWS
    return Runner.build_dataloader(settings, seed=0)


def train_and_test(cfg: Config) -> dict[str, float]:
    """Do a step of training and a test of few windows with a small model; returns the metrics."""
    torch.manual_seed(0)
    np.random.seed(0)
    model = MODELS.build(small_model_cfg(cfg)).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    losses = model.train_step(next(iter(loader_of(cfg, 'train', 2))), optim_wrapper)
    assert all(torch.isfinite(torch.as_tensor(value)).all() for value in losses.values())

    model.eval()
    loader = loader_of(cfg, 'test', 32)
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    with torch.no_grad():
        for batch in loader:
            evaluator.process(data_samples=model.test_step(batch), data_batch=batch)
    return evaluator.evaluate(len(loader.dataset))
