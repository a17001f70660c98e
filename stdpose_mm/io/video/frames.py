"""Pictures of a video by exact 0-based frame index, whatever holds them."""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike

PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')

_CACHED_BYTES = 64 * 2**20
_CACHED_SOURCES = 8


class Frames(Protocol):
    """What a propagator reads pictures from: a ``FrameSource``, or a cache in front of one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


class FrameSource(Sequence[np.ndarray]):
    """The frames of one video in presentation order.

    ``source[i]`` is frame ``i`` as a BGR uint8 array [H, W, 3] that the caller may change. All
    frames have the same size. Sources can be pickled and used after a fork: they reopen their
    file when they are first read from.

    Attributes:
        name: Name of the file or folder without suffix.
        fps: Frames per second on average; None if unknown.
        size: (width, height) in pixels, as shown (a rotation noted in the file is applied).
    """

    name: str
    fps: float | None
    size: tuple[int, int]

    @abstractmethod
    def path_of(self, index: int) -> str:
        """The file that holds frame ``index``."""

    @abstractmethod
    def _read(self, index: int) -> np.ndarray:
        """Frame ``index``, which is in range."""

    def __getitem__(self, index: Any) -> Any:
        """Frame ``index``.

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


class PictureFrames(FrameSource):
    """Frames that are pictures in files of their own.

    Grey pictures and pictures with an alpha channel become BGR. Pictures of differing sizes are
    refused when read, because one video has one size and boxes and labels refer to it.

    Args:
        paths: Picture files in the order of the frames.
        name: Name of the video.
    """

    def __init__(self, paths: Sequence[PathLike], name: str) -> None:
        if not paths:
            raise InputError(f'{name} holds no pictures, expected files such as 000000.jpg')
        self.name = name
        self.fps = None
        self._paths = [str(path) for path in paths]
        height, width = read_picture(self._paths[0]).shape[:2]
        self.size = (width, height)

    def __len__(self) -> int:
        return len(self._paths)

    def path_of(self, index: int) -> str:
        """The picture file of frame ``index``."""
        self._check(index)
        return self._paths[index]

    def _read(self, index: int) -> np.ndarray:
        picture = read_picture(self._paths[index])
        height, width = picture.shape[:2]
        if (width, height) != self.size:
            raise InputError(
                f'{self._paths[index]} (frame {index}) is {width}x{height} pixels, expected '
                f'{self.size[0]}x{self.size[1]} as in frame 0'
            )
        return picture


def read_picture(path: PathLike) -> np.ndarray:
    """A picture file as BGR uint8 [H, W, 3].

    Raises:
        InputError: If the file is missing, is not a picture or is cut short.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error
    # From memory OpenCV refuses a picture that is cut short; from a file it fills it with grey.
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if picture is None:
        raise InputError(f'{path} is not a whole picture that can be decoded ({len(data)} bytes)')
    return picture


def open_frames(path: PathLike | Sequence[PathLike]) -> FrameSource:
    """Open a video file, a folder of pictures, or a list of picture files.

    The pictures of a folder are taken in natural order of their names (``9.jpg`` before
    ``10.jpg``), which need not start at 0: frame ``i`` is the i-th picture. Other files in the
    folder are left out.

    Raises:
        InputError: If there is nothing to read.
    """
    if not isinstance(path, (str, os.PathLike)):
        return PictureFrames(list(path), name=Path(path[0]).parent.name if path else 'the list')
    folder = Path(path)
    if folder.is_dir():
        pictures = [p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES]
        pictures = [p for p in pictures if not p.name.startswith('.')]
        if not pictures:
            raise InputError(f'{path} holds no pictures, expected files such as 000000.jpg')
        stems = [p.stem for p in pictures]
        if len(set(stems)) < len(stems):
            twice = next(stem for stem in stems if stems.count(stem) > 1)
            raise InputError(f'{path} holds several pictures named {twice}, expected one a frame')
        return PictureFrames([*sorted(pictures, key=_natural)], name=folder.resolve().name)
    if not folder.is_file():
        raise InputError(f'{path} does not exist, expected a video file or a folder of pictures')
    if folder.suffix.lower() in PICTURE_SUFFIXES:
        return PictureFrames([folder], name=folder.stem)
    from .video_file import VideoFrames

    return VideoFrames(folder)


def _natural(path: Path) -> tuple[Any, ...]:
    parts = re.split(r'([0-9]+)', path.name)
    return tuple((int(part), part) if part.isdigit() else (-1, part) for part in parts if part)


_open_sources: OrderedDict[tuple[str, int], FrameSource] = OrderedDict()


def read_frame(path: PathLike, index: int | None = None) -> np.ndarray:
    """One frame, for data loaders: video files stay open between calls, a few per process.

    Args:
        path: A picture file, or a video file or folder of pictures together with ``index``.
        index: 0-based frame of the video; None for a picture file.

    Returns:
        BGR uint8 [H, W, 3].

    Raises:
        InputError: If the frame is missing or cannot be decoded.
    """
    if index is None:
        return read_picture(path)
    name = os.fspath(path)
    # A file that was written anew is another video.
    key = (name, os.stat(name).st_mtime_ns if os.path.exists(name) else 0)
    source = _open_sources.get(key)
    if source is None:
        source = _open_sources[key] = open_frames(path)
        if len(_open_sources) > _CACHED_SOURCES:
            _open_sources.popitem(last=False)
    _open_sources.move_to_end(key)
    return source[index]


class FrameCache:
    """The frames decoded last, up to a number of bytes."""

    def __init__(self, max_bytes: int = _CACHED_BYTES) -> None:
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()
        self._max_bytes = max_bytes

    def get(self, index: int) -> np.ndarray | None:
        """A copy of frame ``index`` if it is there."""
        frame = self._frames.get(index)
        if frame is None:
            return None
        self._frames.move_to_end(index)
        return frame.copy()

    def put(self, index: int, frame: np.ndarray) -> None:
        """Keep ``frame``; the ones not asked for the longest make room."""
        self._frames[index] = frame
        # All frames of a video have the same size.
        while len(self._frames) * frame.nbytes > self._max_bytes and len(self._frames) > 1:
            self._frames.popitem(last=False)
