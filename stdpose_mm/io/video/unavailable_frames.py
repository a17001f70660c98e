from __future__ import annotations

import numpy as np

from stdpose_mm.errors import InputError

from .frame_source import FrameSource


class UnavailableFrames(FrameSource):
    """Frames of a video without its pictures, for methods that do not read them.

    ``size`` is (0, 0).

    Args:
        length: Number of frames.
        sentence: Message of the error that reading a frame raises.
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
