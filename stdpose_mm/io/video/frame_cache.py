from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from mmap import ACCESS_COPY, mmap
from threading import Lock
from weakref import finalize

import numpy as np

_SPARE = 2
"""Frames whose pages are kept for the next ones."""


class FrameCache:
    """The frames that were read last, up to a number of bytes; several threads may share it.

    A pickled one comes back empty.

    Args:
        max_bytes: Memory for frames; at least one is kept. The pages of two more may wait for the
            next ones.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()
        self._spare: list[mmap] = []
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[FrameCache], tuple[int]]:
        return FrameCache, (self._max_bytes,)

    def get(self, index: int, read: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return the kept frame ``index`` itself, else what ``read`` returns for it.

        ``read`` is called by one thread at a time.
        """
        with self._lock:
            frame = self._frames.get(index)
            if frame is None:
                frame = self._frames[index] = self._off_the_heap(read(index))
                # All frames of a video have the same size.
                while len(self._frames) > max(1, self._max_bytes // frame.nbytes):
                    self._frames.popitem(last=False)
            self._frames.move_to_end(index)
            return frame

    def _off_the_heap(self, frame: np.ndarray) -> np.ndarray:
        """Copy a frame to pages of its own, or to those of one that nobody holds any more.

        On the heap, results that are kept settle in the holes that old frames leave, so that the
        next frames find no room: memory would grow with the video. New pages take the system ten
        times as long as the copy.
        """
        pages = self._spare.pop() if self._spare else None
        if pages is None or len(pages) != frame.nbytes:
            # A forked process writes to copies, not to frames that this one still holds.
            pages = mmap(-1, frame.nbytes, access=ACCESS_COPY)
        # All views of it, which are what is handed out, keep this array alive.
        values = np.frombuffer(pages, frame.dtype)
        finalize(values, _lay_aside, self._spare, pages).atexit = False
        own = values.reshape(frame.shape)
        own[...] = frame
        return own


def _lay_aside(spare: list[mmap], pages: mmap) -> None:
    if len(spare) < _SPARE:
        spare.append(pages)
