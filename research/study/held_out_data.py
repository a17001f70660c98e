"""Held-out data with labels, whose samples and random draws are the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmpose.registry import DATA_SAMPLERS
from torch import nn
from torch.utils.data import Sampler

from stdpose_mm.engine.seeding import seed_generators


@DATA_SAMPLERS.register_module()
class EvenlySpacedSampler(Sampler[int]):
    """Sampler of the same samples every time, in order: all of a dataset, or evenly spaced ones.

    Neighbouring samples of a video dataset show the same scene, so the first samples would not
    represent it. Processes divide the samples among them; none is drawn twice.

    Args:
        dataset: Any dataset with a length.
        max_samples: Largest number of samples, over all processes; None for all.
        seed: Not used, but the runner passes a seed to every sampler.
    """

    def __init__(
        self, dataset: Sized, max_samples: int | None = None, seed: int | None = None
    ) -> None:
        size = len(dataset)
        number = size if max_samples is None else min(max_samples, size)
        rank, world_size = get_dist_info()
        self.indices = [place * size // number for place in range(number)][rank::world_size]

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)


def nested_datasets(dataset: Any) -> Iterator[dict[str, Any]]:
    """List the configs of a dataset and of the datasets inside it, the outer ones first.

    ``RepeatDataset`` and others hold one ``dataset``; ``ConcatDataset`` and ``CombinedDataset``
    hold several ``datasets``. Datasets that are already built are left out.
    """
    if isinstance(dataset, list | tuple):
        for part in dataset:
            yield from nested_datasets(part)
    elif isinstance(dataset, dict):
        yield dataset
        for name in ('dataset', 'datasets'):
            yield from nested_datasets(dataset.get(name))


def show_labels(dataset: Any) -> Any:
    """Copy the config of a dataset, with ``test_mode`` switched off in all its parts.

    Test mode hides the labels of frames that are not given, which some losses need as targets.
    """
    shown = deepcopy(dataset)
    for part in nested_datasets(shown):
        if 'test_mode' in part:
            part['test_mode'] = False
    return shown


@contextmanager
def generators_from(seed: int) -> Iterator[None]:
    """Seed the global random generators in the context, and restore their states after it.

    If there are several GPUs, only the current one's generator is restored.

    Args:
        seed: A 32-bit seed.
    """
    python, numpy = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices):
            seed_generators(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def kept_modes(model: nn.Module) -> Iterator[None]:
    """Restore every module's training or evaluation mode after the context."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
