"""Video files of which a few per process are open at a time."""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np

from stdpose_mm.io.atomic import PathLike

from .frame_source import FrameSource
from .open_frames import open_frames
from .picture_frames import read_picture

_OPEN_SOURCES = 8


class PooledFrames(FrameSource):
    """The frames of a video file that is closed while others are read, for sets of many videos.

    Args:
        path: A video file or a folder of pictures.

    Raises:
        InputError: If it cannot be read.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = os.fspath(path)
        source = _open_pooled(self._path)
        self.name, self.fps, self.size = source.name, source.fps, source.size
        self._length = len(source)

    def __len__(self) -> int:
        return self._length

    def path_of(self, index: int) -> str:
        """Return the file that holds frame ``index``, see :meth:`FrameSource.path_of`."""
        return _open_pooled(self._path).path_of(index)

    def _read(self, index: int) -> np.ndarray:
        return read_frame(self._path, index)


def read_frame(path: PathLike, index: int | None = None) -> np.ndarray:
    """Read one frame, for data loaders: video files stay open between calls, a few per process.

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
    picture: np.ndarray = _open_pooled(os.fspath(path))[index]
    return picture


def _open_pooled(path: str) -> FrameSource:
    # A file that was written anew is another video.
    return _open_version(path, os.stat(path).st_mtime_ns if os.path.exists(path) else 0)


@lru_cache(maxsize=_OPEN_SOURCES)
def _open_version(path: str, modified: int) -> FrameSource:
    return open_frames(path)
