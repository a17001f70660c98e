from __future__ import annotations

from stdpose_mm.labelling.propagation import PROPAGATORS
from stdpose_mm.labelling.propagation.window import WindowPropagator

from .pose_warping import PoseWarping


@PROPAGATORS.register_module(name='posewarper')
class PoseWarperPropagator(WindowPropagator):
    """Propagator of the PoseWarper-like baseline, which warps the nearest labels to every frame."""

    necks = (PoseWarping,)
