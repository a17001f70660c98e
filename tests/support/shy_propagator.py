"""A method whose poses depend on where other people are."""

from __future__ import annotations

import numpy as np

from stdpose_mm.labelling.propagation import Gap
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator

STEP_ASIDE = 100.0


class ShyPropagator(LinearPropagator):
    """Interpolate linearly; shift the poses of crowded gaps by ``STEP_ASIDE`` pixels."""

    reads_other_people = True

    def curves(self, gap: Gap) -> np.ndarray:
        return super().curves(gap) + STEP_ASIDE * gap.is_crowded(gap.frames)
