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


def train_once(cfg: Config) -> Any:
    """Return a small model after a step of training, with its gradients."""
    torch.manual_seed(0)
    np.random.seed(0)
    model = MODELS.build(small_model_cfg(cfg)).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    batch = model.data_preprocessor(next(iter(loader_of(cfg, 'train', 2))), True)
    with optim_wrapper.optim_context(model):
        losses = model(**batch, mode='loss')
    total, values = model.parse_losses(losses)
    assert all(torch.isfinite(value) for value in values.values())
    optim_wrapper.backward(total)
    optim_wrapper.step()
    assert any(not torch.equal(before[name], value) for name, value in model.named_parameters())
    return model


def measure(cfg: Config, model: Any) -> dict[str, float]:
    """Return the metrics of a test of few windows, each with a whole pose."""
    model.eval()
    loader = loader_of(cfg, 'test', 32)
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    with torch.no_grad():
        for batch in loader:
            samples = model.test_step(batch)
            for sample in samples:
                keypoints = sample.pred_instances.keypoints
                assert keypoints.shape == (1, cfg.model.head.out_channels, 2)
                assert np.isfinite(keypoints).all()
            evaluator.process(data_samples=samples, data_batch=batch)
    return evaluator.evaluate(len(loader.dataset))
