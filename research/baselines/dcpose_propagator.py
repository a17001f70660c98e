from __future__ import annotations

from stdpose_mm.propagation import PROPAGATORS
from stdpose_mm.propagation.window.window_propagator import WindowPropagator

from .dual_consecutive import DualConsecutive


@PROPAGATORS.register_module(name='dcpose')
class DCPosePropagator(WindowPropagator):
    """Run the DCPose-like baseline, with the nearest labels as given auxiliary heatmaps."""

    necks = (DualConsecutive,)
