from __future__ import annotations

from types import NoneType

from stdpose_mm.models.necks import STRE
from stdpose_mm.propagation import PROPAGATORS

from .window_propagator import WindowPropagator


@PROPAGATORS.register_module(name='stdpose')
class STDPosePropagator(WindowPropagator):
    """Run STDPose, whole or in part, with the nearest labels as given auxiliary heatmaps."""

    necks = (STRE, NoneType)
