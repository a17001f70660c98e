from __future__ import annotations

from stdpose_mm.models.necks import DualConsecutive
from stdpose_mm.propagation import PROPAGATORS

from .window_propagator import WindowPropagator


@PROPAGATORS.register_module(name='dcpose')
class DCPosePropagator(WindowPropagator):
    """Run the DCPose-like baseline, with the nearest labels as given auxiliary heatmaps."""

    necks = (DualConsecutive,)
