from __future__ import annotations

from .base import PROPAGATORS
from .window_propagator import WindowPropagator


@PROPAGATORS.register_module(name='stdpose')
class STDPosePropagator(WindowPropagator):
    """STDPose with the nearest labels of the person as given auxiliary heatmaps."""
