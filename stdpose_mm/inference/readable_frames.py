"""The frames of a video one after the other, with those that are broken told apart."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from mmengine.logging import print_log

from stdpose_mm.errors import InputError
from stdpose_mm.io import FrameSource


def readable_frames(frames: FrameSource) -> Iterator[tuple[int, np.ndarray | None]]:
    """Every frame's index and its picture BGR uint8 [H, W, 3]; None for one that cannot be read.

    A broken frame is reported by a warning of MMEngine's current logger, and is not the end.
    """
    for index in range(len(frames)):
        try:
            picture = frames[index]
        except InputError as error:
            print_log(f'frame {index} is bridged: {error}', logger='current', level=logging.WARNING)
            picture = None
        yield index, picture
