"""Kind of a file from its first bytes, for error messages; without heavy imports."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal

from stdpose_mm.errors import InputError

from .atomic import PathLike

FileKind = Literal['a video', 'a picture', 'a label file']

PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')

_LABEL_SUFFIXES = ('.json', '.json.gz', '.xml', '.xml.gz', '.slp', '.csv', '.csv.gz')

_VIDEO_STARTS = (
    b'\x1a\x45\xdf\xa3',  # Matroska, WebM
    b'\x00\x00\x01\xba',  # MPEG
    b'\x00\x00\x01\xb3',
    b'\x00\x00\x00\x01\x67',  # bare H.264
    b'FLV',
    b'OggS',
    b'\x30\x26\xb2\x75',  # WMV
)
_PICTURE_STARTS = (b'\xff\xd8\xff', b'\x89PNG', b'GIF8', b'II*\x00', b'MM\x00*')
_PICTURE_BRANDS = (b'heic', b'heif', b'mif1', b'avif')
_TS_PACKET = 188


def require_no_stream(path: PathLike) -> None:
    """Refuse a pipe, such as the shell's ``<(...)``, and a device.

    Files are read several times, which is impossible with a pipe, and opening a pipe waits for its
    writer. A path that does not exist passes.

    Raises:
        InputError: If the path is a pipe or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = 'pipe' if stat.S_ISFIFO(mode) else 'device or socket'
        raise InputError(f'{path} is a {kind}, write what it holds to a file and give that')


def kind_of_file(path: PathLike) -> FileKind | None:
    """Tell a video, a picture and a label file apart; None for other or missing files.

    Videos and pictures are known by their content, label files by their names.

    Raises:
        InputError: If it is a pipe or a device.
    """
    require_no_stream(path)
    try:
        with open(path, 'rb') as file:
            head = file.read(_TS_PACKET + 1)
    except OSError:
        return None
    if head[4:8] == b'ftyp':
        return 'a picture' if head[8:12] in _PICTURE_BRANDS else 'a video'
    if head[:4] == b'RIFF':
        return 'a picture' if head[8:12] == b'WEBP' else 'a video'
    if head.startswith(_VIDEO_STARTS) or (head[:1] == b'G' and head[_TS_PACKET:] == b'G'):
        return 'a video'
    if head.startswith(_PICTURE_STARTS):
        return 'a picture'
    name = os.fspath(path).lower()
    if name.endswith(PICTURE_SUFFIXES):
        return 'a picture'
    return 'a label file' if name.endswith(_LABEL_SUFFIXES) else None


def require_video(video: PathLike, labels: PathLike | None = None) -> None:
    """Refuse a label file in place of a video, and labels and video in the wrong order.

    Args:
        video: Path given as the video: a file or a folder of pictures.
        labels: Path given as its labels, if labels are needed.

    Raises:
        InputError: If there is no such video, it is a label file or a pipe, or the labels are a
            video.
    """
    expected = 'expected a video file or a folder of pictures'
    if not Path(video).exists():
        raise InputError(f'{video} does not exist, {expected}')
    is_swapped = labels is not None and shows_frames(labels)
    if kind_of_file(video) == 'a label file':
        if is_swapped:
            order = 'give the video first and then the labels'
            raise InputError(f'{video} is a label file and {labels} shows the frames, {order}')
        raise InputError(f'{video} is a label file, {expected}')
    if is_swapped:
        raise InputError(f'{labels} shows frames of a video, expected a file with labels of them')


def require_config(path: PathLike) -> None:
    """Refuse a config that does not exist.

    Raises:
        InputError: If it does not exist.
    """
    if not Path(path).is_file():
        raise InputError(
            f'config {path} does not exist, expected a Python file such as those in configs/'
        )


def shows_frames(path: PathLike) -> bool:
    """Tell whether a path is a video, a picture, or a folder of pictures without label files."""
    if os.path.isdir(path):
        names = [name.lower() for name in os.listdir(path)]
        # Some tools write a label file beside each picture.
        return any(name.endswith(PICTURE_SUFFIXES) for name in names) and not any(
            name.endswith((*_LABEL_SUFFIXES, '.txt')) for name in names
        )
    return kind_of_file(path) in ('a video', 'a picture')
