from __future__ import annotations

from collections.abc import Iterator, Sized

from mmengine.dist import get_dist_info
from mmpose.registry import DATA_SAMPLERS
from torch.utils.data import Sampler


@DATA_SAMPLERS.register_module()
class EvenlySpacedSampler(Sampler[int]):
    """Draw the same samples every time, in order: all of a dataset, or some evenly spaced ones.

    Neighbouring samples of a video dataset show the same scene, so the first ones alone would not
    represent it. Processes share the samples; none is drawn twice.

    Args:
        dataset: Any dataset with a length.
        max_samples: Largest number of samples, over all processes; None for all.
        seed: Not used; the runner passes one to every sampler.
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
