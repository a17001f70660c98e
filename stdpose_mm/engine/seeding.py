"""Randomness that depends only on the seed and on the position of a draw, not on earlier draws.

A stopped and resumed run therefore gives the same losses as an uninterrupted one:

- the order of the samples, and a seed for each: :class:`SeededSampler` and
  :class:`SeededInfiniteSampler`;
- the augmentation of a sample from its seed, in any worker: :class:`SeedSample`;
- the randomness of the model (dropout, sampled losses) at each step: :class:`RandomStateHook`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import DATA_SAMPLERS, HOOKS, TRANSFORMS

from stdpose_mm.registration import register


class SampleIndex(int):
    """Index of a sample that also carries the seed for augmenting one draw of it.

    To the dataset and the data loader it is a plain ``int``, and it survives pickling to a worker.
    An index computed from it by ``ConcatDataset``, ``CombinedDataset`` or ``RepeatDataset`` carries
    the same seed.

    Args:
        index: The index.
        seed: Seed of the draw, 0 <= seed < 2 ** 32.
    """

    seed: int

    def __new__(cls, index: int, seed: int) -> SampleIndex:
        self = super().__new__(cls, index)
        self.seed = seed
        return self

    def __sub__(self, other: int) -> SampleIndex:
        return type(self)(int(self) - other, self.seed)

    def __mod__(self, other: int) -> SampleIndex:
        return type(self)(int(self) % other, self.seed)

    def __reduce__(self) -> tuple[type[SampleIndex], tuple[int, int]]:
        return type(self), (int(self), self.seed)


def derive_seed(*entropy: int) -> int:
    """Derive a 32-bit seed from any number of non-negative integers.

    ``SeedSequence`` mixes them, so that neighbouring inputs (step 7 and 8; seed 0, epoch 1 and seed
    1, epoch 0) give unrelated streams, unlike a sum.
    """
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def seed_generators(seed: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch (all devices) with a 32-bit seed."""
    seed_cpu_generators(seed)
    torch.manual_seed(seed)


def seed_cpu_generators(seed: int) -> None:
    """Seed the generators of Python, NumPy and PyTorch on the CPU.

    This is cheap enough for every sample. ``torch.manual_seed`` is not: before CUDA is used, each
    call formats a traceback, to show it if seeding the GPUs fails later.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)


@register(DATA_SAMPLERS)
class SeededSampler(DefaultSampler):
    """MMEngine's ``DefaultSampler`` with seeded indices, for epoch-based training.

    The seed of a draw depends on the sampler's seed, the epoch and the position in the epoch's
    global order, but neither on the number of workers nor on earlier draws. Use it with
    :class:`SeedSample` as the first transform.

    Args: As in ``DefaultSampler``.
    """

    _start = 0

    def start_next_epoch_at(self, num_samples: int) -> None:
        """Skip the first ``num_samples`` of this rank, in the next epoch only.

        This resumes from a checkpoint that was written in the middle of an epoch.
        """
        self._start = num_samples

    def __iter__(self) -> Iterator[int]:
        start, self._start = self._start, 0
        for draw, index in enumerate(super().__iter__()):
            if draw >= start:
                place = self.rank + draw * self.world_size
                yield SampleIndex(index, derive_seed(self.seed, self.epoch, place))


@register(DATA_SAMPLERS)
class SeededInfiniteSampler(InfiniteSampler):
    """MMEngine's ``InfiniteSampler`` with seeded indices, for iteration-based training.

    The seed of a draw depends on the sampler's seed and the position in the endless global order.
    Use it with :class:`SeedSample` as the first transform. Resuming works with MMEngine's own loop,
    which skips the samples that were already drawn.

    Args: As in ``InfiniteSampler``.
    """

    def _infinite_indices(self) -> Iterator[int]:
        for place, index in enumerate(super()._infinite_indices()):
            yield SampleIndex(index, derive_seed(self.seed, place))


@register(TRANSFORMS)
class SeedSample(BaseTransform):
    """Transform that seeds the global generators for this draw; the first one of a pipeline.

    MMPose's augmentations draw from the global generators of NumPy and Python. If these are seeded
    once per worker, draws depend on the number of workers and on all earlier draws, and MMEngine
    gives a worker the same seed again in every epoch. If they are seeded per draw, the result
    depends on the draw alone.

    Required key: ``sample_idx`` as set by ``BaseDataset``, with the seed from
    :class:`SeededSampler` or :class:`SeededInfiniteSampler`. An index without a seed (another
    sampler, ``dataset[0]``) leaves the generators unchanged.
    """

    def transform(self, results: dict) -> dict:
        """Seed ``random``, ``numpy.random`` and ``torch`` on the CPU; return ``results``."""
        index = results['sample_idx']
        if isinstance(index, SampleIndex):
            seed_cpu_generators(index.seed)
        return results


@register(HOOKS)
class RandomStateHook(Hook):
    """Hook that makes the randomness of each training step depend on the seed and the step only.

    MMEngine restores weights, optimizer, schedulers and the number of the step, but no generators,
    so the random draws of a resumed run (dropout, sampled losses) differ from those of the run it
    continues. Instead of storing the states of all generators of all ranks, this hook seeds them
    before every step from (seed, rank, step). It also

    - keeps the sampler's seed in the checkpoint, because without a configured seed MMEngine draws a
      new one and builds the sampler with it before it reads the checkpoint;
    - lets an epoch-based run that resumes in the middle of an epoch continue there, while MMEngine
      would begin that epoch again. This needs :class:`SeededSampler`.

    Exact resuming also needs the seeded samplers and :class:`SeedSample`. Without them it works
    only at the end of an epoch and for data loaders without persistent workers. Accumulated
    gradients are not part of a checkpoint, so save at a multiple of ``accumulative_counts``.
    """

    priority = 'VERY_HIGH'

    _sampler_seed: int | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the sampler's seed."""
        seed = getattr(runner.train_dataloader.sampler, 'seed', None)
        if seed is not None:
            checkpoint['sampler_seed'] = seed

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the sampler's seed of the resumed run."""
        self._sampler_seed = checkpoint.get('sampler_seed')

    def before_train(self, runner: Runner) -> None:
        """Continue with the sampler where the resumed run stopped."""
        # A checkpoint may also provide only pretrained weights (`load_from`); the iteration is 0
        # then.
        if runner.iter == 0:
            return
        sampler = runner.train_dataloader.sampler
        if not isinstance(sampler, SeededSampler | SeededInfiniteSampler):
            return
        if self._sampler_seed is not None:
            sampler.seed = self._sampler_seed
        if isinstance(sampler, SeededSampler):
            # After a checkpoint of the epoch's last iteration no samples remain, but the hooks at
            # the end of the epoch (schedulers, validation) must still run.
            done = runner.iter - runner.epoch * len(runner.train_dataloader)
            if done > 0:
                runner.logger.info(f'resuming epoch {runner.epoch + 1} after {done} iterations')
                sampler.start_next_epoch_at(done * runner.train_dataloader.batch_size)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the draws between two epochs: the data loader's workers and first batches."""
        self._seed(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Seed the model's random draws in this step."""
        self._seed(runner)

    @staticmethod
    def _seed(runner: Runner) -> None:
        seed_generators(derive_seed(runner.seed, get_rank(), runner.iter))
