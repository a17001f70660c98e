from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.file_kinds import PICTURE_SUFFIXES, kind_of_file, require_no_stream

from .array_frames import ArrayFrames
from .frame_source import FrameSource
from .picture_frames import PictureFrames, read_picture

_OPEN_VIDEOS = 8


def open_frames(path: PathLike | Sequence[PathLike] | Sequence[np.ndarray]) -> FrameSource:
    """Open a video file, a folder of pictures, or a list of pictures.

    A list holds files, or arrays as :class:`ArrayFrames` takes them. The pictures of a folder are
    taken in natural order of their names (``9.jpg`` before ``10.jpg``, upper and lower case alike),
    which need not start at 0: frame ``i`` is the i-th picture. Other files in the folder are left
    out.

    Raises:
        InputError: If there is nothing to read.
    """
    if isinstance(path, np.ndarray) and path.ndim == 3 and path.shape[2] in (1, 3, 4):
        # Its rows would be grey pictures.
        raise InputError(
            f'a video is one array {[*path.shape]}, which is a single picture, give a list of '
            'pictures'
        )
    if not isinstance(path, (str, os.PathLike)):
        pictures: list[Any] = list(path)
        if pictures and isinstance(pictures[0], np.ndarray):
            return ArrayFrames(pictures)
        for number, picture in enumerate(pictures):
            if not isinstance(picture, (str, os.PathLike)):
                raise InputError(
                    f'picture {number} is {type(picture).__name__} and picture 0 a file, give '
                    'files or arrays alone'
                )
        if pictures and (Path(pictures[0]).is_dir() or kind_of_file(pictures[0]) == 'a video'):
            raise InputError(
                f'{pictures[0]} in a list of pictures is a video, give one video at a time, and '
                'not in a list'
            )
        return PictureFrames(pictures, Path(pictures[0]).parent.name if pictures else 'the list')
    folder = Path(path)
    if folder.is_dir():
        files = [p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES]
        files = [p for p in files if not p.name.startswith('.')]
        if not files:
            raise InputError(f'{path} holds no pictures, expected files such as 000000.jpg')
        _require_distinct(folder, files)
        return PictureFrames([*sorted(files, key=natural_order)], name=folder.resolve().name)
    require_no_stream(path)
    if not folder.is_file():
        raise InputError(f'{path} does not exist, expected a video file or a folder of pictures')
    if folder.suffix.lower() in PICTURE_SUFFIXES:
        return PictureFrames([folder], name=folder.stem)
    from .video_frames import VideoFrames

    return VideoFrames(folder)


def natural_order(path: Path) -> tuple[Any, ...]:
    """Return a key by which names are sorted with their numbers as numbers, 9 before 10."""
    # Cameras and tools mix IMG_2.JPG with img_3.jpg.
    parts = re.split(r'([0-9]+)', path.name.casefold())
    # Only 0-9: int() refuses other digits, such as superscripts.
    return tuple(
        (int(part), part) if part[0] in '0123456789' else (-1, part) for part in parts if part
    )


def _require_distinct(folder: Path, pictures: Sequence[Path]) -> None:
    """Refuse two pictures whose names differ in the suffix or in upper and lower case alone."""
    names: dict[str, str] = {}
    for picture in sorted(pictures):
        other = names.setdefault(picture.stem.casefold(), picture.name)
        if other != picture.name:
            raise InputError(
                f'{folder} holds {other} and {picture.name}, which look like one frame, keep one '
                'picture for each'
            )


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
    return read_picture(path) if index is None else np.asarray(_open_pooled(path)[index])


def _open_pooled(path: PathLike) -> FrameSource:
    # A rewritten file counts as another video.
    modified = os.stat(path).st_mtime_ns if os.path.exists(path) else 0
    return _open_version(os.fspath(path), modified)


@lru_cache(maxsize=_OPEN_VIDEOS)
def _open_version(path: str, modified: int) -> FrameSource:
    return open_frames(path)


class PooledFrames(FrameSource):
    """The frames of a video file that is closed while many others are read.

    Args:
        path: The video file.

    Raises:
        InputError: If it is not a video.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = os.fspath(path)
        video = _open_pooled(path)
        self.name, self.fps, self.size, self._length = video.name, video.fps, video.size, len(video)
        self.audio_path, self.pixel_aspect = video.audio_path, video.pixel_aspect

    def __len__(self) -> int:
        return self._length

    def path_of(self, index: int) -> str:
        """Return the video file, whatever the frame."""
        self._check(index)
        return self._path

    def time_of(self, index: int) -> Fraction | None:
        """Return the seconds at which frame ``index`` is shown, see :class:`FrameSource`."""
        return _open_pooled(self._path).time_of(index)

    def _read(self, index: int) -> np.ndarray:
        return read_frame(self._path, index)
