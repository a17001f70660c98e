"""A video whose pictures are not at hand."""

from __future__ import annotations

import numpy as np

from stdpose_mm.errors import InputError


class UnavailableFrames:
    """Stands for the frames of a video, for propagators that read no pictures.

    Args:
        length: How many frames it has.
        sentence: What to say to whoever asks for a picture.
    """

    def __init__(self, length: int, sentence: str) -> None:
        self._length = length
        self._sentence = sentence

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int, /) -> np.ndarray:
        """No picture.

        Raises:
            InputError: Always.
        """
        raise InputError(self._sentence)
