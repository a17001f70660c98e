"""Propagation that goes on until it is interrupted, for tests of what does not wait for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import Gap, GapPoses
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.review_app import background
from stdpose_mm.structures import Skeleton


def never_finish(from_frame: int = 0, longest: int = 10**6) -> None:
    """Let ``linear`` compute no pose in this process in some gaps, and renew no report meanwhile.

    Args:
        from_frame: First frame in which such a gap begins.
        longest: Largest number of its frames.
    """
    background.REPORT_SECONDS = 1e6
    finish = LinearPropagator.propagate

    def propagate(
        self: LinearPropagator, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        for gap in gaps:
            while gap.frames[0] >= from_frame and len(gap.frames) <= longest:
                # Whoever watches the reading of frames can end the run here.
                frames[gap.frames[0]]
                time.sleep(0.01)
            yield from finish(self, frames, [gap], skeleton)

    LinearPropagator.propagate = propagate  # type: ignore[method-assign]
