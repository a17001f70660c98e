"""The interface of all videos: frames by exact index, and their times."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError

DEFAULT_FPS = 25
"""Frames per second of pictures without a known frame rate."""


class FrameSource(Sequence[np.ndarray]):
    """The frames of one video in presentation order.

    ``source[i]`` is frame ``i`` as a BGR uint8 array [H, W, 3]; all frames have the same size.
    Frames that are read from files belong to the caller, who may change them. Frames that a source
    keeps in memory (:class:`ArrayFrames`, :class:`FrameView` with a cache) are shared and must not
    be changed.

    Sources can be pickled and used after a fork: they reopen their file when they are first read
    from.

    Attributes:
        name: Name of the file or folder without suffix.
        fps: Frames per second on average; None if unknown.
        size: (width, height) in pixels, as shown (a rotation noted in the file is applied).
        audio_path: File with the sound of the whole video; None if there is none.
        pixel_aspect: Width of a pixel by its height as shown; other than 1 in anamorphic video.
        has_picture_files: Whether every frame is a picture in a file of its own.
    """

    name: str
    fps: float | None = None
    size: tuple[int, int]
    audio_path: str | None = None
    pixel_aspect: Fraction = Fraction(1)
    has_picture_files: bool = False

    def path_of(self, index: int) -> str:
        """Return the file that holds frame ``index``.

        Raises:
            InputError: If there is no such frame, or it is in no file.
        """
        self._check(index)
        raise InputError(f'the frames of {self.name} are in no file, give a video or pictures')

    def time_of(self, index: int) -> Fraction | None:
        """Return the seconds at which frame ``index`` is shown, None if unknown.

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

    def _check(self, index: Any) -> None:
        if not isinstance(index, (int, np.integer)):
            raise TypeError(f'a frame index must be an integer, got {index!r}')
        if not 0 <= index < len(self):
            raise InputError(
                f'{self.name} has no frame {index}, expected an index in 0..{len(self) - 1}'
            )


def known_times(frames: FrameSource) -> list[Fraction] | None:
    """List the times of all frames in seconds from the first frame; None if unknown.

    If the file has no times, they follow from the frame rate.
    """
    times = [time for index in range(len(frames)) if (time := frames.time_of(index)) is not None]
    if len(times) == len(frames) and all(a < b for a, b in pairwise(times)):
        return [time - times[0] for time in times]
    return _evenly(len(frames), frames.fps) if frames.fps else None


def presentation_times(frames: FrameSource) -> list[Fraction]:
    """List the times of all frames in seconds from the first frame.

    If they are unknown, they follow from ``DEFAULT_FPS``.
    """
    return known_times(frames) or _evenly(len(frames), DEFAULT_FPS)


def clock_of(frames: FrameSource) -> Callable[[int], float] | None:
    """Return the function frame -> seconds from the first frame; None if times are unknown."""
    times = known_times(frames)
    return None if times is None else lambda index: float(times[index])


def _evenly(count: int, fps: float) -> list[Fraction]:
    rate = Fraction(fps).limit_denominator(65535)
    return [index / rate for index in range(count)]


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
