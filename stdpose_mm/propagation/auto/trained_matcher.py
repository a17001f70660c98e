"""The joint matcher that comes with the package, run by onnxruntime."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.onnx_session import GraphInput, start_session

SHIPPED_MATCHER = Path(__file__).parent / 'weights' / 'joint_matcher.onnx'

CROP_SIDE = 160
POSE_SIDE = 96.0
"""Larger side of a pose in a crop, in pixels of the crop."""

_STRIDE = 2
_INPUTS = (GraphInput('crops', (None, 3, CROP_SIDE, CROP_SIDE), 'float32'),)
_EXPECTED = 'a file written by research/tools/train_matcher.py of this version'


class TrainedMatcher:
    """Network that finds joints again in other frames, from an ONNX file.

    Args:
        path: File that :func:`~research.export.matcher_export.export_matcher` wrote.

    Raises:
        InputError: If onnxruntime is missing, or the file cannot be read or run, or holds another
            network.
    """

    def __init__(self, path: Path = SHIPPED_MATCHER) -> None:
        self._session = start_session(path, _EXPECTED, threads=1)
        if self._session.inputs != _INPUTS or 'descriptors' not in self._session.outputs:
            raise InputError(f'{path} does not hold a joint matcher, give {_EXPECTED}')

    def describe(self, crops: np.ndarray) -> np.ndarray:
        """Describe crops [N, S, S, 3] uint8 BGR by [N, D, S / 2, S / 2] float32 of length 1."""
        (descriptors,) = self._session.run(['descriptors'], self.inputs(crops))
        return descriptors

    @staticmethod
    def inputs(crops: np.ndarray) -> dict[str, np.ndarray]:
        """Convert crops [N, S, S, 3] to the inputs of the network, by name."""
        return {'crops': np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)}


@lru_cache(maxsize=1)
def shipped_matcher() -> TrainedMatcher:
    """Load the matcher that comes with the package, once."""
    return TrainedMatcher()


def crop_pose(
    picture: np.ndarray, middle: np.ndarray, size: float
) -> tuple[np.ndarray, np.ndarray]:
    """Crop a pose so that it is ``POSE_SIDE`` pixels large.

    Args:
        picture: [H, W, 3] uint8.
        middle: [2] pixels of the picture, in the middle of the crop.
        size: Larger side of the pose in pixels.

    Returns:
        [S, S, 3], with the picture's border repeated outside of it, and the affine [2, 3] from
        pixels of the picture to pixels of the crop.
    """
    scale = POSE_SIDE / size
    shift = (CROP_SIDE - 1) / 2 - scale * middle
    to_crop = np.column_stack([scale * np.eye(2), shift])
    reach = CROP_SIDE / 2 / scale + 2
    last = np.array(picture.shape[1::-1]) - 1
    low = np.clip(middle - reach, 0, last).astype(int)
    high = np.clip(middle + reach, low, last).astype(int)
    part = picture[low[1] : high[1] + 1, low[0] : high[0] + 1]
    ratio = np.ones(2)
    if scale < 1:
        # Linear interpolation reads only four pixels and would alias without reducing first.
        original = high + 1 - low
        reduced = np.maximum(np.rint(original * scale), 1).astype(int)
        part = cv2.resize(part, reduced.tolist(), interpolation=cv2.INTER_AREA)
        ratio = reduced / original
    # Pixel x of the picture is (x - low + 0.5) * ratio - 0.5 of the part.
    from_part = np.column_stack([np.diag(scale / ratio), shift + scale * (low - 0.5 + 0.5 / ratio)])
    side = CROP_SIDE, CROP_SIDE
    return cv2.warpAffine(part, from_part, side, borderMode=cv2.BORDER_REPLICATE), to_crop


def to_descriptors(to_crop: np.ndarray) -> np.ndarray:
    """Convert an affine [2, 3] to pixels of a crop into one to places of its descriptors."""
    result = to_crop / _STRIDE
    result[:, 2] += (1 - _STRIDE) / (2 * _STRIDE)
    return result
