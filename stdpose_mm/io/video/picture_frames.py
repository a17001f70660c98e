from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.io.atomic import PathLike, atomic_path
from stdpose_mm.io.file_kinds import require_no_stream

from .frame_source import FrameSource

MAX_PIXELS = 178_956_970
"""Maximum number of pixels of a picture, the same as Pillow's limit."""

_PNG = b'\x89PNG\r\n\x1a\n'


class PictureFrames(FrameSource):
    """Frames that are pictures in files of their own.

    Grey pictures and pictures with an alpha channel become BGR. Pictures of differing sizes are
    refused when read, because one video has one size and boxes and labels refer to it.

    Args:
        paths: Picture files in the order of the frames.
        name: Name of the video.
    """

    has_picture_files = True

    def __init__(self, paths: Sequence[PathLike], name: str) -> None:
        if not paths:
            raise InputError(f'{name} holds no pictures, expected files such as 000000.jpg')
        self.name = name
        self._paths = [str(path) for path in paths]
        self._first, (height, width) = _first_readable(self._paths)
        self.size = (width, height)

    def __len__(self) -> int:
        return len(self._paths)

    def path_of(self, index: int) -> str:
        """Return the picture file of frame ``index``."""
        self._check(index)
        return self._paths[index]

    def _read(self, index: int) -> np.ndarray:
        picture = read_picture(self._paths[index])
        height, width = picture.shape[:2]
        if (width, height) != self.size:
            raise InputError(
                f'{self._paths[index]} (frame {index}) is {width}x{height} pixels, expected '
                f'{self.size[0]}x{self.size[1]} as in frame {self._first}'
            )
        return picture


def _first_readable(paths: Sequence[str]) -> tuple[int, tuple[int, int]]:
    """Find the first picture that can be read; return its position, and height and width.

    Raises:
        InputError: If none can be read; it is about the first one.
    """
    refused: InputError | None = None
    for position, path in enumerate(paths):
        try:
            height, width = read_picture(path).shape[:2]
        except InputError as error:
            refused = refused or error
        else:
            return position, (height, width)
    assert refused is not None
    raise refused


def read_picture(path: PathLike) -> np.ndarray:
    """Read a picture file as BGR uint8 [H, W, 3].

    Raises:
        InputError: If the file is missing, is not a picture or is cut short.
    """
    require_no_stream(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error
    _require_pixels(path, data)
    # From memory OpenCV refuses a picture that is cut short; from a file it fills it with grey.
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        # A tiny file may declare 100000x100000 pixels.
        raise InputError(f'{path} cannot be decoded, {_opencv_reason(error)}') from error
    if picture is None:
        raise InputError(f'{path} is not a whole picture that can be decoded ({len(data)} bytes)')
    return picture


def _require_pixels(path: PathLike, data: bytes) -> None:
    """Refuse a picture that would fill the memory: a tiny file may declare a billion pixels."""
    from PIL import Image

    try:
        Image.open(io.BytesIO(data)).close()
    except Image.DecompressionBombError as error:
        raise InputError(
            f'{path} cannot be decoded, it has more pixels than {MAX_PIXELS // 10**6} million, '
            'give smaller pictures'
        ) from error
    except Exception as error:
        # OpenCV may read this format or explain the error; but it trusts the header of a PNG file
        # even if its checksum is wrong.
        if data.startswith(_PNG):
            raise InputError(
                f'{path} is not a whole picture that can be decoded ({len(data)} bytes)'
            ) from error


def write_picture(path: PathLike, picture: np.ndarray) -> None:
    """Write a picture file, atomically; the suffix sets the format.

    Args:
        path: The file.
        picture: BGR uint8 [H, W, 3].

    Raises:
        InputError: If the file cannot be written, which OpenCV itself does not report.
    """
    done, data = cv2.imencode(Path(path).suffix, picture)
    if not done:
        raise ValueError(f'OpenCV cannot encode a picture of shape {picture.shape} for {path}')
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.data)


def _opencv_reason(error: cv2.error) -> str:
    if 'CV_IO_MAX_IMAGE' in str(error):
        return 'it has more pixels than OpenCV takes, give smaller pictures'
    return f'OpenCV says: {one_line(error)}'
