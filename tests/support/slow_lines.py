"""Straight lines that can be stopped, and what was computed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import Gap, GapPoses
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import Skeleton

JOINTS = {'head': [30, 4, 2], 'left_hand': [31, 20, 2], 'right_hand': [32, 24, 2]}


class SlowPropagator(LinearPropagator):
    """Straight lines that read every picture, wait for a signal, and note their gaps."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[tuple[int, range]] = []
        self.finished: list[tuple[int, range]] = []
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None
        self.stop_at = range(0)
        """The gap of these frames waits for the signal."""
        self.fail_at = range(0)
        """The gap of these frames fails after the signal."""
        self.held: tuple[int, range] | None = None
        """The gap of this person and these frames waits, and no other one."""

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        for gap in gaps:
            self.begun.append((gap.track_id, gap.frames))
            if self.error is not None:
                raise self.error
            if gap.frames == self.stop_at:
                self.go.clear()
                self.stop_at = range(0)
            if gap.frames == self.fail_at:
                assert self.go.wait(30)
                raise MemoryError
            for frame in gap.frames:
                while not self.go.wait(0.005) or self.held == (gap.track_id, gap.frames):
                    time.sleep(0.005)
                    frames[frame]
                frames[frame]
            self.finished.append((gap.track_id, gap.frames))
            yield from super().propagate(frames, [gap], skeleton)


def wait_for(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)
