"""Opening of videos: video files, folders of pictures, and lists of pictures."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, compress
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import (
    PICTURE_SUFFIXES,
    UNREAD_PICTURES,
    is_picture,
    kind_of_file,
    natural_order,
    require_no_stream,
)
from stdpose_mm.text import listed

from .frame_source import FrameSource, FrameView
from .pictures import ArrayFrames, PagedFrames, PictureFrames, count_pages, read_picture
from .video_frames import VideoFrames

_OPEN_VIDEOS = 8

_CAMERA = re.compile(
    '(?:cam|[ck]am[eé]ra|c[aá]mara|view|vue|angle|channel|sensor|kinect|gopro)[-_ ]?[0-9]+'
)
_LETTERS = str.maketrans('0123456789', 'abcdefghij')

_MAX_SERIES = 50
"""Maximum number of forms of names that are compared with each other."""


def open_frames(path: PathLike | Sequence[PathLike] | Sequence[np.ndarray]) -> FrameSource:
    """Open a video file, a folder of pictures, or a list of pictures.

    A list holds files, or arrays as :class:`ArrayFrames` takes them. The pictures of a folder are
    sorted in the natural order of their names (``9.jpg`` before ``10.jpg``, ignoring case). The
    numbers need not start at 0: frame ``i`` is the i-th picture. Other files in the folder are
    ignored.

    Raises:
        InputError: If there is nothing to read.
    """
    if not isinstance(path, (str, os.PathLike)):
        return _open_list(path)
    require_no_stream(path)
    folder = Path(path)
    if folder.is_dir():
        files = sorted(filter(is_picture, folder.iterdir()), key=natural_order)
        _require_readable(folder, files)
        _require_distinct(folder, files)
        _require_one_series(folder, files)
        return PictureFrames([*files], folder.resolve().name if files else str(path))
    if not folder.is_file():
        raise InputError(f'{path} does not exist, expected a video file or a folder of pictures')
    if folder.suffix.lower() not in PICTURE_SUFFIXES:
        return VideoFrames(folder)
    is_stack = count_pages(folder) > 1
    return PagedFrames(folder) if is_stack else PictureFrames([folder], folder.stem)


def _open_list(pictures: Sequence[Any]) -> FrameSource:
    if isinstance(pictures, np.ndarray) and pictures.ndim == 3 and pictures.shape[2] in (1, 3, 4):
        # As a list, each of its rows would be a grey picture.
        shape = [*pictures.shape]
        raise InputError(f'the video is an array {shape}, a single picture, give a list of them')
    pictures = list(pictures)
    if pictures and isinstance(pictures[0], np.ndarray):
        return ArrayFrames(pictures)
    if pictures and (Path(pictures[0]).is_dir() or kind_of_file(pictures[0]) == 'a video'):
        raise InputError(
            f'{pictures[0]} in a list of pictures is a video, give one video at a time'
        )
    return PictureFrames(pictures, Path(pictures[0]).parent.name if pictures else 'the list')


def _require_readable(folder: Path, pictures: Sequence[Path]) -> None:
    """Note the pictures of a folder that cannot be read; refuse a folder of only such pictures."""
    suffixes = (f.suffix.lower() for f in folder.iterdir() if not f.name.startswith('.'))
    unread = Counter(suffix for suffix in suffixes if suffix in UNREAD_PICTURES)
    if unread:
        kinds = listed([f'{number} in {suffix}' for suffix, number in unread.items()], 5)
        what = f'{folder} holds pictures that cannot be read ({kinds})'
        if not pictures:
            raise InputError(f'{what}, convert them to JPEG or PNG')
        note(f'{what}, which are left out; convert them if they are frames, too')


def _require_one_series(folder: Path, pictures: Sequence[Path]) -> None:
    """Refuse pictures of several cameras or kinds: two forms of names with the same numbers."""
    forms: dict[str, dict[tuple[int, ...], str]] = {}
    for picture in pictures:
        # The number of a camera is a part of the form.
        name = _CAMERA.sub(lambda match: match[0].translate(_LETTERS), picture.stem.casefold())
        numbers = re.findall('[0-9]+', name)
        form = forms.setdefault(re.sub('[0-9]+', '#', name), {})
        form[tuple(int(number[-18:]) for number in numbers)] = picture.name
    series = [_without_constants(form) for form in forms.values() if len(form) > 1]
    series.sort(key=len, reverse=True)
    for first, second in combinations(series[:_MAX_SERIES], 2):
        shared = sorted(first.keys() & second.keys())
        if 2 * len(shared) >= len(second) and len(shared) > 1:
            raise InputError(
                f'{folder} holds {first[shared[0]]} and {second[shared[0]]}, names of several '
                f'forms with the same numbers ({len(shared)} of them), as of two cameras, of depth '
                'or of masks: put the pictures of one form into a folder of their own'
            )


def _without_constants(names: dict[tuple[int, ...], str]) -> dict[tuple[int, ...], str]:
    """Leave out the numbers that all names of one form share."""
    varying = [len({*column}) > 1 for column in zip(*names, strict=True)]
    return {tuple(compress(numbers, varying)): name for numbers, name in names.items()}


def _require_distinct(folder: Path, pictures: Sequence[Path]) -> None:
    """Refuse two pictures whose names differ only in the suffix or in upper and lower case."""
    names: dict[str, str] = {}
    for picture in sorted(pictures):
        other = names.setdefault(picture.stem.casefold(), picture.name)
        if other != picture.name:
            raise InputError(
                f'{folder} holds {other} and {picture.name}, which look like the same frame, keep '
                'one picture per frame'
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
    if index is None:
        return read_picture(path)
    return np.asarray(_open_pooled(os.fspath(path))[index])


class PooledFrames(FrameView):
    """Frames of a video file that may be closed while many other files are read.

    Args:
        path: The video file.
        indices: See :class:`FrameView`.
    """

    def __init__(self, path: str, indices: Sequence[int]) -> None:
        super().__init__(_open_pooled(path), indices)
        self._path, self._source = path, None

    @property
    def source(self) -> FrameSource:
        """The video, reopened if needed."""
        return _open_pooled(self._path)


def _open_pooled(path: str) -> FrameSource:
    # A rewritten file is opened as a new video.
    return _open_version(path, os.stat(path).st_mtime_ns if os.path.exists(path) else 0)


@lru_cache(maxsize=_OPEN_VIDEOS)
def _open_version(path: str, modified: int) -> FrameSource:
    return open_frames(path)
