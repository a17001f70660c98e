from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .frame_source import FrameSource, FrameView


class PreloadedFrames(FrameView):
    """A video of which some frames are kept in memory from the start.

    Args:
        frames: The video; frames that are not kept are read from it.
        indices: The frames to keep.
    """

    def __init__(self, frames: FrameSource, indices: Iterable[int]) -> None:
        super().__init__(frames)
        self._kept = {index: frames[index] for index in indices}

    def _read(self, index: int) -> np.ndarray:
        picture = self._kept.get(index)
        return self._frames[index] if picture is None else picture
