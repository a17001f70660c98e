from __future__ import annotations

from stdpose_mm.models.necks import PoseWarping
from stdpose_mm.propagation import PROPAGATORS

from .window_propagator import WindowPropagator


@PROPAGATORS.register_module(name='posewarper')
class PoseWarperPropagator(WindowPropagator):
    """Run the PoseWarper-like baseline, which warps the nearest labels to every frame."""

    necks = (PoseWarping,)
