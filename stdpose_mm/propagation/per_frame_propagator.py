from __future__ import annotations

from stdpose_mm.datasets.windows import Window

from .base import PROPAGATORS
from .gaps import Gap
from .window_propagator import WindowPropagator


@PROPAGATORS.register_module(name='per-frame')
class PerFramePropagator(WindowPropagator):
    """The baseline without time: the frame head on the key frame alone.

    It needs a window model built with ``test_cfg.use_frame_head=True``. The window is the key
    frame three times, so that no other picture is read.
    """

    def window_of(self, gap: Gap, frame_index: int, num_frames: int) -> Window:
        """The key frame thrice, nothing given."""
        return Window(frame_index, frame_index, frame_index)
