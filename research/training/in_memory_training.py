"""Training of a small network on a data set in memory, without a config file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader


def train_in_memory(
    model: BaseModel,
    loader: DataLoader,
    work_dir: str | Path,
    *,
    max_iters: int,
    optimizer: dict[str, Any],
    schedule: dict[str, Any],
    seed: int,
    device: str = 'cpu',
) -> None:
    """Train with MMEngine's runner: AdamW, clipped gradients and one cycle of the learning rate.

    No checkpoint is written. The model is left on the CPU, ready for use.

    Args:
        model: The model, trained in place.
        loader: Loader whose batches are the model's arguments.
        work_dir: Folder for logs.
        max_iters: Training steps.
        optimizer: Arguments of AdamW; ``lr`` is the largest learning rate.
        schedule: Arguments of MMEngine's ``OneCycleLR`` besides the rate and the steps, including
            ``pct_start``.
        seed: Seed of the runner.
        device: Device for the training.
    """
    if max_iters * schedule['pct_start'] == 1:
        # If the rise has no step, OneCycleLR divides by its length of zero.
        schedule = {**schedule, 'pct_start': 1.5 / max_iters}
    runner = Runner(
        model=model.to(device),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters),
        optim_wrapper=dict(optimizer=dict(type='AdamW', **optimizer), clip_grad=dict(max_norm=1.0)),
        param_scheduler=dict(
            type='OneCycleLR',
            eta_max=optimizer['lr'],
            total_steps=max_iters,
            by_epoch=False,
            **schedule,
        ),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
            checkpoint=None,
            sampler_seed=None,
        ),
        log_processor=dict(by_epoch=False),
        randomness=dict(seed=seed),
        default_scope='mmpose',
    )
    runner.train()
    model.eval().to('cpu')
