from __future__ import annotations

from collections.abc import Iterator, Sized

from mmengine.dist import get_dist_info
from mmpose.registry import DATA_SAMPLERS
from torch.utils.data import Sampler


@DATA_SAMPLERS.register_module()
class EvenlySpacedSampler(Sampler[int]):
    """The same samples every time, in order: all of a dataset, or a few from its whole length.

    Neighbouring samples of a video dataset show the same scene, so its first ones alone would be
    no fair part of it. Processes share the samples out; none is drawn twice.

    Args:
        dataset: What to draw from.
        max_samples: At most so many, over all processes; None for all.
        seed: Not used; the runner gives one to every sampler.
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
