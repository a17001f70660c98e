from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import DefaultSampler
from mmpose.registry import DATA_SAMPLERS

from stdpose_mm.engine.seeding import SampleIndex, derive_seed


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """Draw as MMEngine's ``DefaultSampler``, with seeded indices; for epoch-based training.

    The seed of a draw follows from the sampler's seed, the epoch and the place in the epoch's
    global order, and so depends neither on the number of workers nor on earlier draws. Use it with
    :class:`~stdpose_mm.engine.transforms.SeedSample` as the first transform.

    Args: as ``DefaultSampler``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._start = 0

    def start_next_epoch_at(self, num_samples: int) -> None:
        """Skip the first ``num_samples`` of this rank, in the next epoch only.

        For resuming from a checkpoint that was written in the middle of an epoch.
        """
        self._start = num_samples

    def __iter__(self) -> Iterator[int]:
        start, self._start = self._start, 0
        for draw, index in enumerate(super().__iter__()):
            if draw >= start:
                place = self.rank + draw * self.world_size
                yield SampleIndex(index, derive_seed(self.seed, self.epoch, place))
