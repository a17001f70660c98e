from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from stdpose_mm.errors import InputError

from .frame_source import FrameSource


class ArrayFrames(FrameSource):
    """Pictures in memory as the frames of a video.

    Args:
        pictures: At least one, each uint8: grey [H, W] or [H, W, 1], BGR [H, W, 3], or BGRA
            [H, W, 4].
        name: Name of the video.

    Raises:
        InputError: If a picture has another type or shape, or their sizes differ.
    """

    def __init__(
        self, pictures: Sequence[Any] | np.ndarray, name: str = 'the list of pictures'
    ) -> None:
        if len(pictures) == 0:
            raise InputError('there is no picture to read, give at least one array')
        self.name = name
        self._pictures = pictures
        for index, picture in enumerate(pictures):
            _check_picture(index, picture)
            height, width = picture.shape[:2]
            if index == 0:
                self.size = (width, height)
            if (width, height) != self.size:
                raise InputError(
                    f'picture {index} is {width}x{height} pixels and picture 0 is '
                    f'{self.size[0]}x{self.size[1]}: these are not the frames of one video, give '
                    'them one at a time'
                )

    def __len__(self) -> int:
        return len(self._pictures)

    def _read(self, index: int) -> np.ndarray:
        return to_bgr(self._pictures[index])


def to_bgr(picture: np.ndarray) -> np.ndarray:
    """Convert a grey, BGR or BGRA picture uint8 to BGR [H, W, 3]; BGR is not copied."""
    if picture.ndim == 2 or picture.shape[2] == 1:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(picture[..., :3])


def _check_picture(index: int, picture: Any) -> None:
    shape: tuple[int, ...] = getattr(picture, 'shape', ())
    fits = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    if not isinstance(picture, np.ndarray) or not fits or picture.dtype != np.uint8 or 0 in shape:
        what = type(picture).__name__
        if isinstance(picture, np.ndarray):
            what = f'{picture.dtype} {list(shape)}'
        raise InputError(
            f'picture {index} is {what}, expected uint8 [H, W], [H, W, 3] (BGR) or [H, W, 4]'
        )
