"""Frames in memory that record the order of reading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stdpose_mm.io.video import ArrayFrames


class CountingFrames(ArrayFrames):
    """Hold pictures in memory, and their indices in the order of reading."""

    def __init__(self, pictures: Sequence[np.ndarray] | np.ndarray) -> None:
        super().__init__(pictures)
        self.reads: list[int] = []

    def _read(self, index: int) -> np.ndarray:
        self.reads.append(index)
        return super()._read(index)
