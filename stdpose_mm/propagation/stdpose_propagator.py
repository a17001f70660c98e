from __future__ import annotations

from stdpose_mm.datasets.windows import Window, propagation_window

from .base import PROPAGATORS
from .gaps import Gap
from .window_propagator import WindowPropagator


@PROPAGATORS.register_module(name='stdpose')
class STDPosePropagator(WindowPropagator):
    """STDPose with the nearest labels of the person as given auxiliary heatmaps.

    Beyond the first or last label the other auxiliary frame mirrors the distance and carries no
    label.
    """

    def window_of(self, gap: Gap, frame_index: int, num_frames: int) -> Window:
        """The labels around the gap, and the key frame between them."""
        return propagation_window(frame_index, gap.given, 0, num_frames - 1)
