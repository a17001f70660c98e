"""Frames of another source: all or a selection, from the source or from memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from mmap import ACCESS_COPY, mmap
from threading import Lock
from weakref import finalize

import numpy as np

from .frame_source import FrameSource

_SPARE = 2
"""Number of dropped frames whose memory pages are kept for reuse."""


class FrameCache:
    """Thread-safe cache of the most recently read frames, limited in bytes.

    A pickled cache is restored empty.

    Args:
        max_bytes: Memory for frames; at least one frame is kept. The pages of two more frames may
            be kept for reuse.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()
        self._spare: list[mmap] = []
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[FrameCache], tuple[int]]:
        return FrameCache, (self._max_bytes,)

    def get(self, index: int, read: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return the cached frame ``index`` itself, else the result of ``read``.

        ``read`` is called by one thread at a time.
        """
        with self._lock:
            frame = self._frames.get(index)
            if frame is None:
                frame = self._frames[index] = self._off_the_heap(read(index))
                # All frames of a video have the same size.
                while len(self._frames) > max(1, self._max_bytes // frame.nbytes):
                    self._frames.popitem(last=False)
            self._frames.move_to_end(index)
            return frame

    def _off_the_heap(self, frame: np.ndarray) -> np.ndarray:
        """Copy a frame to its own memory pages, or to pages of a frame that is no longer in use.

        On the heap, lasting results would fill the holes that old frames leave, so that new frames
        do not fit: memory would grow with the video. Allocating new pages takes ten times as long
        as the copy.
        """
        pages = self._spare.pop() if self._spare else None
        if pages is None or len(pages) != frame.nbytes:
            # Copy-on-write: a forked process does not change frames that this process holds.
            pages = mmap(-1, frame.nbytes, access=ACCESS_COPY)
        # Callers get views, which keep this array alive.
        values = np.frombuffer(pages, frame.dtype)
        finalize(values, _lay_aside, self._spare, pages).atexit = False
        own = values.reshape(frame.shape)
        own[...] = frame
        return own


def _lay_aside(spare: list[mmap], pages: mmap) -> None:
    if len(spare) < _SPARE:
        spare.append(pages)


class FrameView(FrameSource):
    """Frames of another source: all of them, a slice, or any order with repetitions.

    Args:
        source: The video.
        indices: Frame ``i`` of the view is ``source[indices[i]]``; None for all frames. A selection
            has no sound.
        kept: Frames of the source that are read at once and stay in memory.
        cache_bytes: Memory for the latest frames, of which at least one is kept; 0 for no cache.
    """

    def __init__(
        self,
        source: FrameSource,
        indices: Sequence[int] | None = None,
        kept: Iterable[int] = (),
        cache_bytes: int = 0,
    ) -> None:
        self.source, self.indices = source, indices
        self.name, self.fps, self.size = source.name, source.fps, source.size
        self.audio_path = source.audio_path if indices is None else None
        self.pixel_aspect = source.pixel_aspect
        self.has_picture_files = source.has_picture_files
        self._kept = {index: source[index] for index in kept}
        self._cache = FrameCache(cache_bytes) if cache_bytes else None

    def __len__(self) -> int:
        return len(self.source if self.indices is None else self.indices)

    def time_of(self, index: int) -> Fraction | None:
        """Return the seconds at which the source shows frame ``index``, None if unknown."""
        return self.source.time_of(self._place(index))

    def path_of(self, index: int) -> str:
        """Return the file that holds frame ``index``, see :meth:`FrameSource.path_of`."""
        return self.source.path_of(self._place(index))

    def _read(self, index: int) -> np.ndarray:
        place = self._place(index)
        if place in self._kept:
            return self._kept[place]
        if self._cache is not None:
            return self._cache.get(place, self.source.__getitem__)
        return np.asarray(self.source[place])

    def _place(self, index: int) -> int:
        self._check(index)
        return index if self.indices is None else self.indices[index]


def cache_frames(source: FrameSource) -> FrameView:
    """Keep the latest frames in memory, so that they are decoded once.

    Pictures in files of their own get 64 MiB; a video, which keeps what it has decoded itself, 16.
    """
    return FrameView(source, cache_bytes=(64 if source.has_picture_files else 16) * 2**20)
