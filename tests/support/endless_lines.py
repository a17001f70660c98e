"""Propagation that goes on until it is interrupted, for tests of what does not wait for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import Gap, PropagatedPose
from stdpose_mm.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import Skeleton


def never_finish(from_frame: int = 0) -> None:
    """Let ``linear`` compute no pose in this process in gaps that begin at a frame or later."""
    finish = LinearPropagator.propagate

    def propagate(
        self: LinearPropagator, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        for gap in gaps:
            while gap.frames[0] >= from_frame:
                # Whoever watches the reading of frames can end the run here.
                frames[gap.frames[0]]
                time.sleep(0.01)
            yield from finish(self, frames, [gap], skeleton)

    LinearPropagator.propagate = propagate  # type: ignore[method-assign]
