from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from mmap import ACCESS_COPY, mmap
from threading import Lock
from weakref import finalize

import numpy as np

_SPARE = 2
"""Number of dropped frames whose memory pages are kept for reuse."""


class FrameCache:
    """Thread-safe cache of the most recently read frames, limited in bytes.

    A pickled cache is restored empty.

    Args:
        max_bytes: Memory for frames; at least one frame is kept. The pages of two more frames may
            be kept for reuse.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()
        self._spare: list[mmap] = []
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[FrameCache], tuple[int]]:
        return FrameCache, (self._max_bytes,)

    def get(self, index: int, read: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return the cached frame ``index`` itself, else the result of ``read``.

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
        """Copy a frame to its own memory pages, or to pages of a frame that is no longer in use.

        On the heap, lasting results would fill the holes that old frames leave, so that new frames
        do not fit: memory would grow with the video. Allocating new pages takes ten times as long
        as the copy.
        """
        pages = self._spare.pop() if self._spare else None
        if pages is None or len(pages) != frame.nbytes:
            # Copy-on-write: a forked process does not change frames that this process holds.
            pages = mmap(-1, frame.nbytes, access=ACCESS_COPY)
        # Callers get views, which keep this array alive.
        values = np.frombuffer(pages, frame.dtype)
        finalize(values, _lay_aside, self._spare, pages).atexit = False
        own = values.reshape(frame.shape)
        own[...] = frame
        return own


def _lay_aside(spare: list[mmap], pages: mmap) -> None:
    if len(spare) < _SPARE:
        spare.append(pages)
