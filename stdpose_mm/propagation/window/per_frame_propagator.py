from __future__ import annotations

from stdpose_mm.propagation import PROPAGATORS

from .window_propagator import WindowPropagator


@PROPAGATORS.register_module(name='per-frame')
class PerFramePropagator(WindowPropagator):
    """Run the baseline without temporal context: the frame head on the key frame alone.

    It needs a window model built with ``test_cfg.use_frame_head=True``.
    """

    uses_frame_head = True

    basis = 'a pose network that sees one frame'
