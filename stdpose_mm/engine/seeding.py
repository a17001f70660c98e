"""Seeds derived from the position of a draw, independent of earlier draws."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class SampleIndex(int):
    """Carry the seed for augmenting one draw of a sample, together with the sample's index.

    It is a plain ``int`` to the dataset and to the data loader, and survives pickling to a worker.
    The index in the inner dataset that ``ConcatDataset``, ``CombinedDataset`` and ``RepeatDataset``
    compute from it carries the same seed.

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

    ``SeedSequence`` mixes them, so that neighbouring inputs (step 7 and 8; seed 0, epoch 1 and
    seed 1, epoch 0) give unrelated streams, which adding them up would not.
    """
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def seed_generators(seed: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch (all devices) with a 32-bit seed."""
    seed_cpu_generators(seed)
    torch.manual_seed(seed)


def seed_cpu_generators(seed: int) -> None:
    """Seed what draws on the CPU: the generators of Python, NumPy and PyTorch there.

    Cheap enough for every sample: where CUDA is not in use yet, ``torch.manual_seed`` formats a
    traceback at every call, to show if seeding the GPUs fails later.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)


@contextmanager
def generators_from(seed: int) -> Iterator[None]:
    """Seed the global generators in the context, and restore their states after it.

    Of several GPUs only the current one's generator is restored.

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
