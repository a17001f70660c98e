from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from mmap import mmap
from threading import Lock

import numpy as np


class FrameCache:
    """The frames that were read last, up to a number of bytes; several threads may share it.

    A pickled one comes back empty.

    Args:
        max_bytes: Memory for frames; at least one is kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()
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
                frame = self._frames[index] = _off_the_heap(read(index))
                # All frames of a video have the same size.
                while len(self._frames) > max(1, self._max_bytes // frame.nbytes):
                    self._frames.popitem(last=False)
            self._frames.move_to_end(index)
            return frame


def _off_the_heap(frame: np.ndarray) -> np.ndarray:
    """Copy a frame to pages of its own, which go back to the system with it.

    On the heap, results that are kept settle in the holes that old frames leave, so that the next
    frames find no room: memory would grow with the video.
    """
    own = np.frombuffer(mmap(-1, frame.nbytes), frame.dtype).reshape(frame.shape)
    own[...] = frame
    return own
