"""The time at which a frame of a video is shown."""

from __future__ import annotations

from collections.abc import Callable

from .frame_source import FrameSource


def clock_of(frames: FrameSource) -> Callable[[int], float] | None:
    """Return the function frame -> seconds from the first frame; None if the rate is unknown."""
    rate = frames.fps
    return None if not rate else lambda index: index / rate
