"""Progress of a propagator by frames, although it yields poses by gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Protocol

import numpy as np

from stdpose_mm.io.video import FrameSource, FrameView
from stdpose_mm.structures import Skeleton

from .base import BasePropagator, GapPoses
from .gaps import Gap


class WorkListener(Protocol):
    """Receiver of the progress in a video; the propagator's threads may call it."""

    def start(self, frames_done: int, num_poses: int) -> None:
        """Receive the number of frames that need no work, and the number of poses to compute."""

    def advance(self, frames_done: float) -> None:
        """Receive the number of finished frames of the video, which never decreases."""


_STEPS = 3
"""Steps of the work on a frame: it is read, it is read again, and its poses are yielded."""


def propagate_with_progress(
    propagator: BasePropagator,
    frames: FrameSource,
    gaps: Sequence[Gap],
    skeleton: Skeleton,
    listener: WorkListener | None,
) -> Iterator[GapPoses]:
    """Run a propagator and report its progress.

    Methods track a gap through all its frames, forward and maybe back, before its first pose is
    known. A frame therefore counts as one third done when the propagator has read it, and as two
    thirds when it has read it again. The last third comes with the poses in the frame; with its
    last pose the frame is done, however often it was read.

    Args:
        propagator: The propagator.
        frames: The video.
        gaps: See :meth:`BasePropagator.propagate`.
        skeleton: The joints.
        listener: Receives the progress.

    Returns:
        The poses that the propagator yields.
    """
    if listener is None:
        return propagator.propagate(frames, gaps, skeleton)
    work = _Work(len(frames), gaps, listener)
    poses = propagator.propagate(WatchedFrames(frames, work.look), gaps, skeleton)
    # If this function were a generator, the listener would learn too late that there is no work.
    return map(work.finish, poses)


class _Work:
    """Progress of the work on the frames of gaps."""

    def __init__(self, num_frames: int, gaps: Sequence[Gap], listener: WorkListener) -> None:
        # Lists, since a video may have ten thousand frames, and dictionaries need ten times the
        # memory.
        self._due, self._looks, self._poses = [0] * num_frames, [0] * num_frames, [0] * num_frames
        for gap in gaps:
            for frame in gap.frames:
                self._due[frame] += 1
        idle = self._due.count(0)
        self._done = float(idle)
        self._listener = listener
        self._lock = Lock()
        listener.start(idle, _count_poses(gaps))

    def look(self, frame: int) -> None:
        if self._due[frame] and self._looks[frame] < _STEPS - 1:
            self._count(frame, self._looks)
        else:
            # There is no progress, but the listener may want to cancel.
            with self._lock:
                self._listener.advance(self._done)

    def finish(self, poses: GapPoses) -> GapPoses:
        for frame in poses.frames:
            self._count(frame, self._poses)
        return poses

    def _count(self, frame: int, events: list[int]) -> None:
        with self._lock:
            before = self._progress(frame)
            events[frame] += 1
            self._done += self._progress(frame) - before
            self._listener.advance(self._done)

    def _progress(self, frame: int) -> float:
        poses = self._poses[frame] / self._due[frame]
        return 1.0 if poses == 1 else (self._looks[frame] + poses) / _STEPS


def _count_poses(gaps: Sequence[Gap]) -> int:
    """Count the poses in gaps; gaps of several joints of the same person share poses."""
    frames_of: dict[int, list[range]] = {}
    for gap in gaps:
        frames_of.setdefault(gap.track_id, []).append(gap.frames)
    return sum(len(set().union(*frames)) for frames in frames_of.values())


class WatchedFrames(FrameView):
    """Frames that report when they are read."""

    def __init__(self, frames: FrameSource, on_read: Callable[[int], None]) -> None:
        super().__init__(frames)
        self._on_read = on_read

    def _read(self, index: int) -> np.ndarray:
        picture = np.asarray(self.source[index])
        self._on_read(index)
        return picture
