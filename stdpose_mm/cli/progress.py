"""Progress bars on the terminal, and the duration of the work."""

from __future__ import annotations

import time

from tqdm import tqdm

from stdpose_mm.text import counted


class FrameProgress:
    """Progress bar over frames that is a :class:`~stdpose_mm.propagation.WorkListener`.

    Args:
        num_frames: Length of the video.
        name: Name of the work.
        show: Whether to show the bar at all.
    """

    def __init__(self, num_frames: int, name: str, show: bool = True) -> None:
        self._bar = tqdm(total=num_frames, desc=name, unit=' frames', disable=not show)
        self._begin = time.monotonic()
        self._idle = 0
        self._num_poses = 0

    def __enter__(self) -> FrameProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def start(self, frames_done: int, num_poses: int) -> None:
        """Start the clock; frames that need no work do not count."""
        self._begin = time.monotonic()
        self._idle, self._num_poses = frames_done, num_poses
        # The bar then estimates the remaining time from the other frames only.
        self._bar.initial = self._bar.n = frames_done
        self._bar.refresh()

    def advance(self, frames_done: float) -> None:
        """Set the bar to a number of finished frames."""
        self._bar.update(int(frames_done) - self._bar.n)

    def describe_time(self) -> list[str]:
        """Return a line with the time per frame and per pose; no line if there was no work."""
        frames = self._bar.total - self._idle
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
