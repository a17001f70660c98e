from __future__ import annotations

import numpy as np

from stdpose_mm.errors import InputError

from .frame_source import FrameSource


class UnavailableFrames(FrameSource):
    """Frames of a video whose pictures are not at hand, for methods that read none.

    ``size`` is (0, 0).

    Args:
        length: Number of frames.
        sentence: The error to raise where a frame is read.
    """

    def __init__(self, length: int, sentence: str) -> None:
        self.name = 'the video'
        self.size = (0, 0)
        self._length = length
        self._sentence = sentence

    def __len__(self) -> int:
        return self._length

    def _read(self, index: int) -> np.ndarray:
        raise InputError(self._sentence)
