from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from stdpose_mm.engine.seeding import SampleIndex, seed_cpu_generators


@TRANSFORMS.register_module()
class SeedSample(BaseTransform):
    """Seed the global generators with the seed of this draw; the first transform of a pipeline.

    MMPose's augmentations draw from the global generators of NumPy and Python. Seeded once per
    worker, what they draw depends on the number of workers and on everything drawn before, and
    MMEngine gives a worker the same seed again in every epoch. Seeded per draw, it depends on the
    draw alone.

    Required key: ``sample_idx`` as set by ``BaseDataset``, carrying the seed given by
    :class:`SeededSampler` or :class:`SeededInfiniteSampler` of ``stdpose_mm.engine.samplers``.
    An index without a seed (another sampler, ``dataset[0]``) leaves the generators as they are.
    """

    def transform(self, results: dict) -> dict:
        """Seed ``random``, ``numpy.random`` and ``torch`` on the CPU; return ``results``."""
        index = results['sample_idx']
        if isinstance(index, SampleIndex):
            seed_cpu_generators(index.seed)
        return results
