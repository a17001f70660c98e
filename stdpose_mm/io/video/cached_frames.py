"""Pictures that are asked for again are decoded once."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np

from .frames import Frames


class CachedFrames:
    """The latest pictures of a video, up to a memory limit; several threads may read from it.

    Args:
        frames: Where the pictures come from.
        max_bytes: Memory for pictures; at least one is kept.
    """

    def __init__(self, frames: Frames, max_bytes: int = 16 * 2**20) -> None:
        self._frames = frames
        self._max_bytes = max_bytes
        self._pictures: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> np.ndarray:
        with self._lock:
            picture = self._pictures.get(index)
            if picture is None:
                picture = self._pictures[index] = self._frames[index]
                # All pictures of a video have the same size.
                while len(self._pictures) > max(1, self._max_bytes // picture.nbytes):
                    self._pictures.popitem(last=False)
            self._pictures.move_to_end(index)
            return picture
