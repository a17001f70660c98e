"""Progress bars on the terminal, and the duration of the work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from tqdm import tqdm

from stdpose_mm.processes import is_first_process
from stdpose_mm.text import counted

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource


BAR = '{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}'
"""Format of a bar whose steps are not what a user counts."""


def hide_bars(quiet: bool = False) -> bool | None:
    """Return tqdm's ``disable``: None, which shows bars on a terminal only, or True for no bars.

    Args:
        quiet: Whether the user asked for no bars.
    """
    return True if quiet or not is_first_process() else None


class FrameProgress:
    """Progress bar over all work on a video.

    It is a :class:`~stdpose_mm.labelling.propagation.WorkListener`. Each part of the work, such as
    propagation, the overlay video and the report, has an equal share of the bar. The bar is full
    only when the block ends in which it is used.

    Args:
        num_frames: Length of the video.
        num_parts: Number of parts.
        quiet: Whether to show no bar.
    """

    def __init__(self, num_frames: int, num_parts: int = 1, quiet: bool = False) -> None:
        self._num_frames, self._parts_done = num_frames, 0
        total = num_frames * num_parts
        self._bar = tqdm(total=total, bar_format=BAR, disable=hide_bars(quiet))
        self._begin = time.monotonic()
        self._idle = 0
        self._num_poses = 0

    def __enter__(self) -> FrameProgress:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self._bar.update(self._bar.total - self._bar.n)
        self._bar.close()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Name a part of the work; the next one begins when the block ends."""
        self._bar.set_description(name)
        yield
        self.advance(self._num_frames)
        self._parts_done += 1

    def start(self, frames_done: int, num_poses: int) -> None:
        """Start the clock; frames that need no work do not count."""
        self._begin = time.monotonic()
        self._idle, self._num_poses = frames_done, num_poses
        # The bar then estimates the remaining time from the other frames only.
        self._bar.initial = self._bar.n = self._parts_done * self._num_frames + frames_done
        self._bar.refresh()

    def advance(self, frames_done: float) -> None:
        """Set the bar to a number of finished frames of the part."""
        done = self._parts_done * self._num_frames + int(frames_done)
        self._bar.update(min(done, self._bar.total - 1) - self._bar.n)

    def watch(self, frames: FrameSource) -> FrameSource:
        """Return frames of which each, when it is read, is one more finished frame of the part."""
        from stdpose_mm.labelling.propagation.work_progress import WatchedFrames

        reads = count(1)
        return WatchedFrames(frames, lambda _: self.advance(min(next(reads), self._num_frames)))

    def describe_time(self) -> list[str]:
        """Return a line with the time per frame and per pose; no line if there was no work."""
        frames = self._num_frames - self._idle
        if not frames or not self._num_poses:
            return []
        return [describe_time(time.monotonic() - self._begin, frames, self._num_poses)]


def describe_time(seconds: float, num_frames: int, num_poses: int) -> str:
    """Format the time: ``285 frames computed in 12.3 s: 23.2 frames/s, 43 ms a frame``."""
    text = f'{counted(num_frames, "frame")} computed in {seconds:.1f} s'
    if num_frames:
        text += f': {num_frames / seconds:.1f} frames/s'
        text += f', {_milliseconds(seconds / num_frames)} a frame'
    if num_poses:
        text += f', {_milliseconds(seconds / num_poses)} a frame and person'
    return text


def _milliseconds(seconds: float) -> str:
    milliseconds = 1000 * seconds
    return f'{milliseconds:.0f} ms' if milliseconds >= 10 else f'{milliseconds:.1f} ms'
