"""Throughput of the data loader in training, compared with the training step."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpose.registry import MODELS
from torch.utils.data import DataLoader

from stdpose_mm.text import counted

SEED = 0


@dataclass(frozen=True)
class TrainingSpeed:
    """Speed of the loader and of the training step.

    Args:
        batch_size: Samples in a batch.
        workers: Processes of the loader.
        batches: Number of measured batches.
        loader: Samples per second that the loader delivers.
        model: Samples per second that the training step processes.
    """

    batch_size: int
    workers: int
    batches: int
    loader: float
    model: float

    @property
    def ratio(self) -> float:
        """Return how many times faster the loader is than the model."""
        return self.loader / self.model

    def summary(self) -> str:
        """Format the figures in one line each."""
        return (
            f'{counted(self.batches, "batch")} of {counted(self.batch_size, "sample")}\n'
            f'loader alone ({counted(self.workers, "worker")})  {self.loader:.1f} samples/s\n'
            f'training step alone  {self.model:.1f} samples/s\n'
            f'ratio  {self.ratio:.2f}'
        )


def measure_training(cfg: Config, batches: int, device: str = 'cpu') -> TrainingSpeed:
    """Measure the loader and the model of a config, one after the other.

    Args:
        cfg: The config; its ``load_from`` is not read.
        batches: Number of batches that are measured, after a first one that does not count.
        device: Device of the model.

    Raises:
        InputError: If the data do not fit the config.
    """
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    batch, seconds_of_loader = _load(cfg, batches)
    torch.manual_seed(SEED)
    model = MODELS.build(cfg.model).to(device).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)

    def step() -> None:
        model.train_step(batch, optim_wrapper)
        if torch.device(device).type == 'cuda':
            torch.cuda.synchronize()

    step()
    batch_size = len(batch['inputs'])
    return TrainingSpeed(
        batch_size=batch_size,
        workers=cfg.train_dataloader.get('num_workers', 0),
        batches=batches,
        loader=batches * batch_size / seconds_of_loader,
        model=batches * batch_size / _seconds(step, batches),
    )


def _load(cfg: Config, batches: int) -> tuple[dict[str, Any], float]:
    """Load one batch, and measure the seconds for the next ones; the workers end with the call."""
    loader: DataLoader = Runner.build_dataloader(cfg.train_dataloader, seed=SEED)
    # An epoch may have fewer batches.
    endless = itertools.chain.from_iterable(itertools.repeat(loader))
    batch = next(endless)
    return batch, _seconds(lambda: next(endless), batches)


def _seconds(work: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - start
