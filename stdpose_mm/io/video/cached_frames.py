from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import numpy as np

from .frame_source import FrameSource, FrameView


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
                frame = self._frames[index] = read(index)
                # All frames of a video have the same size.
                while len(self._frames) > max(1, self._max_bytes // frame.nbytes):
                    self._frames.popitem(last=False)
            self._frames.move_to_end(index)
            return frame


class CachedFrames(FrameView):
    """Frames of which the latest stay in memory, so that they are decoded once.

    Args:
        frames: The video.
        max_bytes: Memory for frames; at least one is kept.
    """

    def __init__(self, frames: FrameSource, max_bytes: int = 16 * 2**20) -> None:
        super().__init__(frames)
        self._cache = FrameCache(max_bytes)

    def _read(self, index: int) -> np.ndarray:
        return self._cache.get(index, self._frames.__getitem__)
