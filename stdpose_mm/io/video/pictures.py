"""Pictures as the frames of a video: in files or in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stdpose_mm.errors import InputError, note, one_line, system_errors_of
from stdpose_mm.io import PathLike, atomic_path
from stdpose_mm.io.disk.file_names import require_no_stream
from stdpose_mm.io.limits import MAX_PIXELS

from .frame_source import FileFrames, FrameSource

_PAGED = ('TIFF', 'WEBP', 'PNG', 'AVIF')

_DARK = 16
"""Grey value that a picture of 12 bits in 16 does not reach."""

_PNG = b'\x89PNG\r\n\x1a\n'


class ArrayFrames(FrameSource):
    """Pictures in memory as the frames of a video.

    Args:
        pictures: At least one uint8 array: grey [H, W] or [H, W, 1], BGR [H, W, 3], or BGRA
            [H, W, 4].
        name: Name of the video.

    Raises:
        InputError: If a picture has another type or shape, or their sizes differ.
    """

    keeps_frames = True

    def __init__(
        self, pictures: Sequence[Any] | np.ndarray, name: str = 'the list of pictures'
    ) -> None:
        if len(pictures) == 0:
            raise InputError('there is no picture to read, give at least one array')
        self.name = name
        self._pictures = pictures
        for index, picture in enumerate(pictures):
            picture = np.asarray(picture)
            shape = [*picture.shape]
            fits = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
            if not fits or picture.dtype != np.uint8 or 0 in shape:
                expected = 'uint8 [H, W], [H, W, 3] (BGR) or [H, W, 4]'
                raise InputError(f'picture {index} is {picture.dtype} {shape}, expected {expected}')
            if index and (shape[1], shape[0]) != self.size:
                expected = '{}x{} as the first one'.format(*self.size)
                raise InputError(f'picture {index} is {shape[1]}x{shape[0]}, expected {expected}')
            self.size = shape[1], shape[0]

    def __len__(self) -> int:
        return len(self._pictures)

    def _read(self, index: int) -> np.ndarray:
        return to_bgr(self._pictures[index])


class PictureFrames(FrameSource):
    """Frames in separate picture files.

    Grey pictures and pictures with an alpha channel become BGR. A picture of another size is
    refused when it is read, because boxes and labels refer to the one size of the video.

    Args:
        paths: Picture files in the order of the frames.
        name: Name of the video.

    Raises:
        InputError: If there is no picture that can be read.
    """

    has_picture_files = True

    def __init__(self, paths: Sequence[PathLike], name: str) -> None:
        if not paths:
            raise InputError(f'{name} holds no pictures, expected files such as 000000.jpg')
        self.name = name
        self._paths = [str(path) for path in paths]
        for first, path in enumerate(self._paths):
            with suppress(InputError):
                picture = read_picture(path)
                height, width = picture.shape[:2]
                self._first, self.size = first, (width, height)
                _note_dark(path, picture)
                return
        read_picture(self._paths[0])

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


class PagedFrames(FileFrames):
    """The pages of a stack of TIFF, or the pictures of an animated WebP, PNG or AVIF, as frames.

    Args:
        path: The file; see :func:`count_pages`.
    """

    unpicklable = ('_image',)

    def __init__(self, path: Path) -> None:
        self.name, self._path = path.stem, str(path)
        self._forget()
        self._ends: list[Fraction] = []
        for page in range(count_pages(path)):
            self._image.seek(page)
            if self._image.format != 'TIFF':
                # Only then the duration is known.
                self._image.load()
            duration = self._image.info.get('duration') or 0
            self._ends.append((self._ends or [Fraction(0)])[-1] + Fraction(duration) / 1000)
        height, width = self.shared(0).shape[:2]
        self.size = (width, height)

    def __len__(self) -> int:
        return len(self._ends)

    def _forget(self) -> None:
        super()._forget()
        self._open()

    def _open(self) -> None:
        from PIL import Image

        self._image: Any = Image.open(io.BytesIO(Path(self._path).read_bytes()))

    def time_of(self, index: int) -> Fraction | None:
        """Return the time at which an animation shows frame ``index``; None in a stack."""
        self._check(index)
        return [Fraction(0), *self._ends][index] if self._ends[-1] else None

    def _picture(self, index: int) -> np.ndarray:
        if self._image.format == 'PNG' and index < self._image.tell():
            # Pillow miscounts the chunks of a PNG file when it goes back.
            self._open()
        with system_errors_of(f'{self._path}: frame {index} cannot be decoded'):
            self._image.seek(index)
            return _decode_with_pillow(self._path, self._image)


def count_pages(path: PathLike) -> int:
    """Count the pictures of equal size in a stack of TIFF or an animated WebP, PNG or AVIF.

    Other files, such as a picture with a preview, hold one.
    """
    from PIL import Image

    with suppress(Exception), Image.open(path) as image:
        count = getattr(image, 'n_frames', 1) if image.format in _PAGED else 1
        sizes = set()
        for page in range(count):
            image.seek(page)
            sizes.add(image.size)
        return count if len(sizes) == 1 else 1
    return 1


def _note_dark(path: PathLike, picture: np.ndarray) -> None:
    """Note if a picture looks black because its numbers fill few of their 16 bits."""
    if picture.max() >= _DARK:
        return
    raw = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if raw is not None and raw.dtype == np.uint16 and raw.any():
        note(
            f'{path} is almost black: its largest number is {raw.max()} of 65535; if the camera '
            'has fewer than 16 bits, convert the pictures so that they fill 8 or 16'
        )


def to_bgr(picture: np.ndarray) -> np.ndarray:
    """Convert a grey, BGR or BGRA picture uint8 to BGR [H, W, 3]; BGR is not copied."""
    if picture.ndim == 2 or picture.shape[2] == 1:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(picture[..., :3])


def read_picture(path: PathLike) -> np.ndarray:
    """Read a picture file as BGR uint8 [H, W, 3].

    Raises:
        InputError: If the file is missing, is not a picture, is cut short, or has more than
            ``MAX_PIXELS`` pixels (a tiny file may declare a billion and fill the memory).
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    require_no_stream(path)
    not_whole = f'{path} is damaged or not a picture'
    with system_errors_of(f'{path} cannot be read'):
        data = Path(path).read_bytes()
    try:
        Image.open(io.BytesIO(data)).close()
    except Image.DecompressionBombError as error:
        raise InputError(
            f'{path} has more than {MAX_PIXELS // 10**6} million pixels, give smaller pictures'
        ) from error
    except Exception as error:
        # Pillow may not know the format, so OpenCV decides below; except for PNG, where OpenCV
        # accepts a header with a wrong checksum.
        if data.startswith(_PNG):
            raise InputError(f'{not_whole} ({one_line(error)})') from error
    # OpenCV refuses a truncated picture in memory, but fills up a truncated file with grey.
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        raise InputError(f'{path} cannot be decoded, OpenCV says: {one_line(error)}') from error
    if picture is None:
        with suppress(UnidentifiedImageError, OSError), Image.open(io.BytesIO(data)) as image:
            return _decode_with_pillow(path, ImageOps.exif_transpose(image))
        raise InputError(not_whole)
    return picture


def _decode_with_pillow(path: PathLike, image: Any) -> np.ndarray:
    """Decode a picture that OpenCV does not read.

    Raises:
        InputError: If its numbers have neither 8 nor 16 bits.
    """
    values = np.asarray(image)
    if values.dtype == np.uint16:
        return to_bgr((values >> 8).astype(np.uint8))
    if values.dtype not in (np.uint8, np.bool_):
        raise InputError(
            f'{path} holds numbers of the type {values.dtype}, whose range is not known, convert '
            'it to a picture of 8 or 16 bits'
        )
    return to_bgr(np.asarray(image.convert('RGB'))[..., ::-1])


def write_picture(path: PathLike, picture: np.ndarray) -> None:
    """Write a picture file, atomically; the suffix sets the format.

    Args:
        path: The file.
        picture: BGR uint8 [H, W, 3].

    Raises:
        InputError: If the file cannot be written, which OpenCV would not report.
    """
    done, data = cv2.imencode(Path(path).suffix, picture)
    if not done:
        raise ValueError(f'OpenCV cannot encode a picture of shape {picture.shape} for {path}')
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.data)
