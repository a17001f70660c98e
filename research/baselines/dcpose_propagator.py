from __future__ import annotations

from stdpose_mm.labelling.propagation import PROPAGATORS
from stdpose_mm.labelling.propagation.window import WindowPropagator

from .dual_consecutive import DualConsecutive


@PROPAGATORS.register_module(name='dcpose')
class DCPosePropagator(WindowPropagator):
    """Propagator of the DCPose-like baseline; the nearest labels are the auxiliary heatmaps."""

    necks = (DualConsecutive,)
