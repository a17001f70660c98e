"""Frames of another source: cached, preloaded, or some of them in another order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from .frame_cache import FrameCache
from .frame_source import FrameSource


class FrameView(FrameSource):
    """Frames that another source holds.

    Args:
        frames: The source.
    """

    def __init__(self, frames: FrameSource) -> None:
        self.source = frames
        self.name, self.fps, self.size = frames.name, frames.fps, frames.size
        self.audio_path, self.pixel_aspect = frames.audio_path, frames.pixel_aspect
        self.has_picture_files = frames.has_picture_files

    def __len__(self) -> int:
        return len(self.source)

    def time_of(self, index: int) -> Fraction | None:
        """Return the seconds at which frame ``index`` is shown, see :class:`FrameSource`."""
        return self.source.time_of(index)

    def path_of(self, index: int) -> str:
        """Return the file that holds frame ``index``, see :meth:`FrameSource.path_of`."""
        return self.source.path_of(index)


class CachedFrames(FrameView):
    """Frames of another source with a cache of the latest, so that they are decoded once.

    Args:
        frames: The video.
        max_bytes: Memory for frames; at least one is kept. By default 64 MiB for pictures in files
            of their own, and 16 MiB for a video, which keeps what it has decoded itself.
    """

    def __init__(self, frames: FrameSource, max_bytes: int | None = None) -> None:
        super().__init__(frames)
        if max_bytes is None:
            max_bytes = (64 if frames.has_picture_files else 16) * 2**20
        self._cache = FrameCache(max_bytes)

    def _read(self, index: int) -> np.ndarray:
        return self._cache.get(index, self.source.__getitem__)


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
        return self._kept[index] if index in self._kept else np.asarray(self.source[index])


class SelectedFrames(FrameView):
    """Frames of another source in another order: a slice, or with repetitions.

    Args:
        frames: The video.
        indices: Frame ``i`` of the selection is ``frames[indices[i]]``.
    """

    def __init__(self, frames: FrameSource, indices: Sequence[int]) -> None:
        super().__init__(frames)
        self.indices = indices
        self.audio_path = None

    def __len__(self) -> int:
        return len(self.indices)

    def path_of(self, index: int) -> str:
        """Return the file that holds frame ``index``, see :meth:`FrameSource.path_of`."""
        self._check(index)
        return self.source.path_of(self.indices[index])

    def time_of(self, index: int) -> Fraction | None:
        """Return the seconds at which the source shows it, see :class:`FrameSource`."""
        self._check(index)
        return self.source.time_of(self.indices[index])

    def _read(self, index: int) -> np.ndarray:
        return np.asarray(self.source[self.indices[index]])
