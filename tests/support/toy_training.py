"""Training runs of a toy model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmpose.registry import DATASETS, HOOKS, MODELS, TRANSFORMS
from torch import nn

import stdpose_mm  # noqa: F401  registers the classes named below

NUM_SAMPLES, BATCH_SIZE = 10, 2
ITERS_PER_EPOCH = NUM_SAMPLES // BATCH_SIZE
_run_number = itertools.count()


@DATASETS.register_module()
class ToyDataset(BaseDataset):
    def load_data_list(self) -> list[dict]:
        return [{'value': float(i)} for i in range(NUM_SAMPLES)]


@TRANSFORMS.register_module()
class ToyAugment(BaseTransform):
    """Add noise from NumPy's and PyTorch's global generators, as MMPose's augmentations do."""

    def transform(self, results: dict) -> dict:
        noise = np.random.randn() + torch.randn(()).item()
        return {'inputs': torch.full((4,), results['value'] / NUM_SAMPLES) + 0.1 * noise}


@MODELS.register_module()
class ToyModel(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)
        )

    def forward(self, inputs, mode='tensor', **kwargs):
        output = self.layers(torch.stack(inputs))
        return {'loss': (output - 1).square().mean()} if mode == 'loss' else [output]


@HOOKS.register_module()
class RecordLosses(Hook):
    """Keep every loss; optionally die before the given iteration, as a killed run does."""

    def __init__(self, losses: dict[int, float], die_before: int | None = None) -> None:
        self.losses = losses
        self.die_before = die_before

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.die_before:
            raise KeyboardInterrupt

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses[runner.iter] = outputs['loss'].item()


def train(
    work_dir: Path,
    *,
    by_epoch: bool = True,
    length: int = 4,
    save_every_iters: int | None = None,
    num_workers: int = 0,
    seed: int | None = 7,
    resume: bool = False,
    die_before: int | None = None,
    with_hook: bool = True,
    seeded_data: bool = True,
    hooks: Sequence[dict[str, Any]] = (),
) -> dict[int, float]:
    """Train the toy model; returns the loss of every iteration that was run."""
    losses: dict[int, float] = {}
    sampler = {
        (True, True): 'SeededSampler',
        (True, False): 'DefaultSampler',
        (False, True): 'SeededInfiniteSampler',
        (False, False): 'InfiniteSampler',
    }[by_epoch, seeded_data]
    runner = Runner(
        model={'type': 'ToyModel'},
        work_dir=str(work_dir),
        train_dataloader={
            'batch_size': BATCH_SIZE,
            'num_workers': num_workers,
            'persistent_workers': num_workers > 0,
            'sampler': {'type': sampler, 'shuffle': True},
            'dataset': {
                'type': 'ToyDataset',
                'pipeline': [{'type': 'SeedSample'}] * seeded_data + [{'type': 'ToyAugment'}],
            },
        },
        train_cfg={'by_epoch': by_epoch, ('max_epochs' if by_epoch else 'max_iters'): length},
        optim_wrapper={'optimizer': {'type': 'AdamW', 'lr': 0.01}},
        param_scheduler={'type': 'MultiStepLR', 'milestones': [1, 3], 'by_epoch': by_epoch},
        default_hooks={
            'checkpoint': {
                'type': 'CheckpointHook',
                'by_epoch': save_every_iters is None,
                'interval': save_every_iters or 1,
                'save_last': False,
            }
        },
        custom_hooks=[
            {'type': 'RecordLosses', 'losses': losses, 'die_before': die_before},
            *[{'type': 'RandomStateHook'}] * with_hook,
            *hooks,
        ],
        randomness={'seed': seed},
        resume=resume,
        default_scope='mmpose',
        experiment_name=f'toy_{next(_run_number)}',
        log_level='WARNING',
    )
    try:
        runner.train()
    except KeyboardInterrupt:
        assert die_before is not None
    finally:
        # Persistent workers left to the garbage collector would each be waited for in vain.
        workers = runner.train_dataloader._iterator
        if workers is not None:
            workers._shutdown_workers()
    return losses
