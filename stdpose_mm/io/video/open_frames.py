from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike

from .frame_source import FrameSource
from .picture_frames import PictureFrames
from .video_frames import VideoFrames

PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')


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
    return VideoFrames(folder)


def _natural(path: Path) -> tuple[Any, ...]:
    parts = re.split(r'([0-9]+)', path.name)
    return tuple((int(part), part) if part.isdigit() else (-1, part) for part in parts if part)
