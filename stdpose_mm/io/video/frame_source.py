"""The common interface of videos: frames by exact index and their times; views and caches."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from mmap import ACCESS_COPY, ACCESS_DEFAULT, mmap
from threading import Lock
from typing import Any, ClassVar
from weakref import finalize

import numpy as np

from stdpose_mm.errors import InputError

DEFAULT_FPS = 25
"""Frames per second of pictures without a known frame rate."""

_CACHED_BYTES = 64 * 2**20

_SPARE = 2
"""Number of dropped frames whose memory pages are kept for reuse."""

# Copy-on-write: a forked process cannot change the frames of this process. Windows supports it
# only for files, and has no forks.
_ACCESS = ACCESS_DEFAULT if os.name == 'nt' else ACCESS_COPY


class FrameSource(Sequence[np.ndarray]):
    """The frames of one video in presentation order.

    ``source[i]`` is frame ``i`` as a BGR uint8 array [H, W, 3]; all frames have the same size.
    Frames that are read from files belong to the caller, who may change them. Frames that a source
    keeps in memory (:class:`ArrayFrames`, :class:`FrameView` with a cache) are shared and must not
    be changed.

    Sources can be pickled and used after a fork: they reopen their file on the first read.

    Attributes:
        name: Name of the file or folder without suffix.
        fps: Frames per second on average; None if unknown.
        size: (width, height) in pixels, as shown (a rotation stored in the file is applied).
        start: Seconds at which players show the first frame; 0 unless another stream, such as the
            sound, begins earlier.
        audio_path: File with the sound of the whole video; None if there is none.
        pixel_aspect: Width of a shown pixel divided by its height; not 1 in anamorphic video.
        has_picture_files: Whether every frame is a separate picture file.
        keeps_frames: Whether the latest frames stay in memory, see :meth:`shared`.
    """

    name: str
    fps: float | None = None
    size: tuple[int, int]
    start: Fraction = Fraction(0)
    audio_path: str | None = None
    pixel_aspect: Fraction = Fraction(1)
    has_picture_files: bool = False
    keeps_frames: bool = False

    def path_of(self, index: int) -> str:
        """Return the file that holds frame ``index``.

        Raises:
            InputError: If there is no such frame, or it is not in a file.
        """
        self._check(index)
        raise InputError(f'the frames of {self.name} are not in files, give a video or pictures')

    def time_of(self, index: int) -> Fraction | None:
        """Return the time in seconds at which frame ``index`` is shown, None if unknown.

        Raises:
            InputError: If there is no such frame.
        """
        self._check(index)
        return None

    @abstractmethod
    def _read(self, index: int) -> np.ndarray:
        """Return frame ``index``, which is in range."""

    def __getitem__(self, index: Any) -> Any:
        """Return frame ``index``.

        Raises:
            InputError: If there is no such frame or it cannot be decoded.
        """
        self._check(index)
        return self._read(int(index))

    def __iter__(self) -> Iterator[np.ndarray]:
        for index in range(len(self)):
            yield self._read(index)

    def shared(self, index: int) -> np.ndarray:
        """Return frame ``index`` without a copy if it is kept in memory; it must not be changed."""
        return np.asarray(self[index])

    def _check(self, index: Any) -> None:
        if not 0 <= index < len(self):
            raise InputError(
                f'{self.name} has no frame {index}, expected an index in 0..{len(self) - 1}'
            )


class UnavailableFrames(FrameSource):
    """Frames of a video without its pictures, for methods that do not read them.

    ``size`` is (0, 0).

    Args:
        length: Number of frames.
        sentence: Message of the error that reading a frame raises.
    """

    def __init__(self, length: int, sentence: str) -> None:
        self.name, self.size = 'the video', (0, 0)
        self._length, self._sentence = length, sentence

    def __len__(self) -> int:
        return self._length

    def _read(self, index: int) -> np.ndarray:
        raise InputError(self._sentence)


class FrameCache:
    """Thread-safe cache of the most recently read frames, limited in bytes.

    A pickled cache is restored empty.

    Args:
        max_bytes: Memory for frames; at least one frame is kept. The memory pages of two more
            frames may be kept for reuse.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()
        self._spare: list[mmap] = []
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[FrameCache], tuple[int]]:
        return FrameCache, (self._max_bytes,)

    def get(self, index: int, read: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return the cached frame ``index`` without a copy; call ``read`` if it is not cached.

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
        """Copy a frame to its own memory pages, reusing those of a dropped frame.

        On the heap, lasting results would fill the holes that old frames leave, new frames would
        no longer fit, and memory would grow with the video. Allocating new pages takes ten times as
        long as the copy.
        """
        pages = self._spare.pop() if self._spare else None
        if pages is None or len(pages) != frame.nbytes:
            pages = mmap(-1, frame.nbytes, access=_ACCESS)
        # Callers get views, which keep this array alive.
        values = np.frombuffer(pages, frame.dtype)
        finalize(values, _lay_aside, self._spare, pages).atexit = False
        view = values.reshape(frame.shape)
        view[...] = frame
        return view


def _lay_aside(spare: list[mmap], pages: mmap) -> None:
    if len(spare) < _SPARE:
        spare.append(pages)


class FileFrames(FrameSource):
    """The frames of one file, which each process opens for itself.

    Attributes:
        unpicklable: Names of the attributes that another process does not get.
    """

    keeps_frames = True
    unpicklable: ClassVar[tuple[str, ...]]
    _path: str

    def __getstate__(self) -> dict[str, Any]:
        return {name: item for name, item in vars(self).items() if name not in self.unpicklable}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        """Set what another process does not get to its initial state."""
        self._cache = FrameCache(_CACHED_BYTES)

    def path_of(self, index: int) -> str:
        """Return the file, which is the same for all frames."""
        self._check(index)
        return self._path

    def shared(self, index: int) -> np.ndarray:
        """See :meth:`FrameSource.shared`."""
        self._check(index)
        return self._cache.get(int(index), self._picture)

    def _read(self, index: int) -> np.ndarray:
        return self.shared(index).copy()

    @abstractmethod
    def _picture(self, index: int) -> np.ndarray:
        """Decode frame ``index``, which is in range."""


class FrameView(FrameSource):
    """Frames of another source: all of them, a slice, or any order with repetitions.

    Args:
        source: The video.
        indices: Frame ``i`` of the view is ``source[indices[i]]``; None for all frames. A selection
            has no sound.
        cache_bytes: Memory for the latest frames (at least one), which then must not be changed; a
            source that keeps its frames is not cached again. With 0, frames belong to the caller.
    """

    def __init__(
        self, source: FrameSource, indices: Sequence[int] | None = None, cache_bytes: int = 0
    ) -> None:
        self._source: FrameSource | None = source
        self.indices = indices
        self.name, self.fps, self.size = source.name, source.fps, source.size
        self.start = source.start if indices is None else Fraction(0)
        self.audio_path = source.audio_path if indices is None else None
        self.pixel_aspect = source.pixel_aspect
        self.has_picture_files = source.has_picture_files
        self.keeps_frames = source.keeps_frames or cache_bytes > 0
        self._is_shared = cache_bytes > 0
        self._cache = (
            FrameCache(cache_bytes) if self._is_shared and not source.keeps_frames else None
        )

    @property
    def source(self) -> FrameSource:
        """The video."""
        assert self._source is not None
        return self._source

    def __len__(self) -> int:
        return len(self.source if self.indices is None else self.indices)

    def time_of(self, index: int) -> Fraction | None:
        """Return the time in seconds at which the source shows frame ``index``, None if unknown."""
        return self.source.time_of(self._place(index))

    def path_of(self, index: int) -> str:
        """Return the file that holds frame ``index``, see :meth:`FrameSource.path_of`."""
        return self.source.path_of(self._place(index))

    def shared(self, index: int) -> np.ndarray:
        """See :meth:`FrameSource.shared`."""
        place = self._place(index)
        if self._cache is not None:
            return self._cache.get(place, self.source.shared)
        return self.source.shared(place)

    def _read(self, index: int) -> np.ndarray:
        return (
            self.shared(index) if self._is_shared else np.asarray(self.source[self._place(index)])
        )

    def _place(self, index: int) -> int:
        self._check(index)
        return index if self.indices is None else self.indices[index]


def cache_frames(source: FrameSource) -> FrameView:
    """Cache the latest frames in 64 MiB, so that they are decoded once; do not change them."""
    return FrameView(source, cache_bytes=_CACHED_BYTES)


def known_times(frames: FrameSource) -> list[Fraction] | None:
    """List the times of all frames in seconds from the first frame; None if unknown.

    If the file stores no times, they are computed from the frame rate.
    """
    times = [time for index in range(len(frames)) if (time := frames.time_of(index)) is not None]
    if len(times) == len(frames) and are_ascending(times):
        return [time - times[0] for time in times]
    return _evenly(len(frames), frames.fps) if frames.fps else None


def are_ascending(times: Sequence[int | Fraction]) -> bool:
    """Tell whether each time is later than the one before."""
    return all(a < b for a, b in pairwise(times))


def presentation_times(frames: FrameSource) -> list[Fraction]:
    """List the times of all frames in seconds from the first frame.

    If they are unknown, they are computed from ``DEFAULT_FPS``.
    """
    return known_times(frames) or _evenly(len(frames), DEFAULT_FPS)


def clock_of(frames: FrameSource) -> Callable[[int], float] | None:
    """Return the function frame -> seconds from the first frame; None if times are unknown."""
    times = known_times(frames)
    return None if times is None else lambda index: float(times[index])


def _evenly(count: int, fps: float) -> list[Fraction]:
    rate = Fraction(fps).limit_denominator(65535)
    return [index / rate for index in range(count)]
