from __future__ import annotations

from collections.abc import Iterator

from mmengine.dataset import InfiniteSampler
from mmpose.registry import DATA_SAMPLERS

from stdpose_mm.engine.seeding import SampleIndex, derive_seed


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """Draw as MMEngine's ``InfiniteSampler``, with seeded indices; for iteration-based training.

    The seed of a draw follows from the sampler's seed and the place in the endless global order.
    Use it with :class:`SeedSample` as the first transform. Resuming works with
    MMEngine's own loop, which skips what was already drawn.

    Args: as ``InfiniteSampler``.
    """

    def _infinite_indices(self) -> Iterator[int]:
        for place, index in enumerate(super()._infinite_indices()):
            yield SampleIndex(index, derive_seed(self.seed, place))
