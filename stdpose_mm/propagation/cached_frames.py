"""Pictures that several windows share are decoded once."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from .base import Frames


class CachedFrames:
    """The latest pictures of a video, up to a memory limit.

    A request ahead of everything read so far reads the pictures between as well, in order, if
    they fit: the windows of a segment ask for its last frame first, and a video file is decoded
    forward only. A picture that was dropped is decoded again, so the limit costs time on very
    long segments, never correctness.

    Args:
        frames: Where the pictures come from.
        max_bytes: Memory for pictures; at least three pictures are kept.
    """

    def __init__(self, frames: Frames, max_bytes: int = 512 * 2**20) -> None:
        self._frames = frames
        self._max_bytes = max_bytes
        self._pictures: OrderedDict[int, np.ndarray] = OrderedDict()
        self._next = 0

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> np.ndarray:
        if index not in self._pictures:
            start = self._next if 0 < index - self._next < self._capacity() else index
            for position in range(start, index + 1):
                if position not in self._pictures:
                    self._keep(position, self._frames[position])
            self._next = index + 1
        self._pictures.move_to_end(index)
        return self._pictures[index]

    def _capacity(self) -> int:
        """How many pictures fit; three (one window) until the first one tells the size."""
        if not self._pictures:
            return 3
        return max(3, self._max_bytes // next(iter(self._pictures.values())).nbytes)

    def _keep(self, index: int, picture: np.ndarray) -> None:
        self._pictures[index] = picture
        while len(self._pictures) > self._capacity():
            self._pictures.popitem(last=False)
