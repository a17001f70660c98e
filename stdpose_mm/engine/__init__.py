"""Extensions of the MMEngine runner: bf16 on any device, exact resuming.

A training run depends only on its seed and the step number, so that a stopped and resumed run gives
the same losses as an uninterrupted run:

- the order of the samples, and a seed for each: :class:`SeededSampler` and
  :class:`SeededInfiniteSampler`;
- the augmentation of a sample from its seed, in any worker: :class:`SeedSample`;
- the randomness of the model (dropout, sampled losses) at each step: :class:`RandomStateHook`.

A checkpoint file is either complete or absent: :class:`AtomicLocalBackend`. :func:`packed_collate`
hands batches of windows from loader processes to the training process.
"""

from __future__ import annotations

from .atomic_backend import AtomicLocalBackend
from .hooks import CheckpointReportHook, RandomStateHook
from .optim_wrappers import AutocastOptimWrapper, ViTOptimWrapperConstructor
from .packed_collate import packed_collate
from .samplers import EvenlySpacedSampler, SeededInfiniteSampler, SeededSampler
from .transforms import SeedSample

__all__ = [
    'AtomicLocalBackend',
    'AutocastOptimWrapper',
    'CheckpointReportHook',
    'EvenlySpacedSampler',
    'RandomStateHook',
    'SeedSample',
    'SeededInfiniteSampler',
    'SeededSampler',
    'ViTOptimWrapperConstructor',
    'packed_collate',
]
