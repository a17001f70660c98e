"""Comparison of labelled pictures that lie beside a label file with the frames of a video."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.file_names import leaves_folder
from stdpose_mm.io.video import FrameSource, read_picture
from stdpose_mm.structures import VideoFrame, VideoLabels

from .frame_numbers import base_name

REACH = 3
"""Frames before and after the expected one that a picture is compared with."""

MAX_PICTURES = 6

_SIZE = (160, 90)
"""Size of the grey copies: averages out compression noise, but not the motion of one frame."""

_MIN_CONTRAST = 8.0
"""Minimum standard deviation of grey values; below it compression noise dominates."""

_UNLIKE = 0.5
"""Distance above which two pictures count as different: a correlation below 0.75."""

_CLEARLY = 0.5
"""A frame matches if its distance is at most this share of the distance to any other frame."""


@dataclass(frozen=True)
class PictureFit:
    """Result of comparing labelled pictures with their expected frames.

    Args:
        count: Number of pictures that were compared.
        shift: Number of frames by which the pictures are later than expected; None if unclear.
        alike: Whether the pictures look like any of the frames around the expected one.
    """

    count: int = 0
    shift: int | None = None
    alike: bool = True


def fit_pictures(
    labels: VideoLabels, frame_of: Mapping[int, int], source: FrameSource
) -> PictureFit:
    """Compare labelled pictures, if their files exist, with the frames around the expected ones.

    Args:
        labels: Labels as read from the file.
        frame_of: Index in ``labels`` -> expected frame of the video.
        source: The video.
    """
    labelled = set(labels.labelled_frame_indices)
    paths = {
        frame_of[frame.index]: path
        for frame in labels.frames
        if frame.index in labelled and frame.index in frame_of
        if (path := _find_picture(labels, frame)) is not None
    }
    chosen = sorted(paths)
    places = np.linspace(0, len(chosen) - 1, min(len(chosen), MAX_PICTURES)).round().astype(int)
    distances = []
    for expected in (chosen[place] for place in places):
        with suppress(InputError):
            picture = _grey(read_picture(paths[expected]))
            if picture.std() >= _MIN_CONTRAST:
                distances.append(_distances(picture, expected, source))
    if not distances:
        return PictureFit()
    # Infinite beyond the ends of the video, so that a shift must be possible for all pictures.
    means = np.mean(distances, axis=0)
    best, second = np.argsort(means, kind='stable')[:2]
    if means[best] > _UNLIKE:
        return PictureFit(len(distances), alike=False)
    clear = np.isfinite(means[second]) and means[best] <= _CLEARLY * means[second]
    return PictureFit(len(distances), int(best) - REACH if clear else None)


def _find_picture(labels: VideoLabels, frame: VideoFrame) -> Path | None:
    """Find the file of a picture in the folder of the label file or one named ``images`` there."""
    folder = labels.numbering.folder if labels.numbering else None
    if folder is None or not frame.file_name:
        return None
    name = base_name(frame.file_name)
    own = frame.file_name.replace('\\', '/')
    places = (
        *([] if leaves_folder(own) else [folder / own]),
        folder / name,
        folder / 'images' / name,
        folder.parent / 'images' / name,
    )
    return next((place for place in places if os.path.isfile(place)), None)


def _distances(picture: np.ndarray, expected: int, source: FrameSource) -> np.ndarray:
    """Compute the distances [2 REACH + 1] of a grey copy to the frames around the expected one.

    The distance is the mean squared difference of grey values normalised to mean 0 and standard
    deviation 1, which is ``2 (1 - correlation)``. It is infinite where there is no frame.
    """
    distances = np.full(2 * REACH + 1, np.inf)
    for place in range(len(distances)):
        index = expected + place - REACH
        if 0 <= index < len(source):
            difference = _normalized(picture) - _normalized(_grey(source[index]))
            distances[place] = np.square(difference).mean()
    return distances


def _grey(picture: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, _SIZE, interpolation=cv2.INTER_AREA).astype(np.float64)


def _normalized(grey: np.ndarray) -> np.ndarray:
    normalized: np.ndarray = (grey - grey.mean()) / max(grey.std(), 1.0)
    return normalized
