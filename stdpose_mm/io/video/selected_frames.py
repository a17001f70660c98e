from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .frame_source import FrameSource, FrameView


class SelectedFrames(FrameView):
    """Frames of another source in another order: a slice, or with repetitions.

    Args:
        frames: The video.
        indices: Frame ``i`` of the selection is ``frames[indices[i]]``.
    """

    def __init__(self, frames: FrameSource, indices: Sequence[int]) -> None:
        super().__init__(frames)
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def path_of(self, index: int) -> str:
        """Return the file that holds frame ``index``, see :meth:`FrameSource.path_of`."""
        self._check(index)
        return self._frames.path_of(self._indices[index])

    def _read(self, index: int) -> np.ndarray:
        picture: np.ndarray = self._frames[self._indices[index]]
        return picture
