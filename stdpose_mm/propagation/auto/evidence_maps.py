"""Maps of evidence around a gap's joints, sampled on grids relative to the pose's size."""

from __future__ import annotations

from functools import reduce

import cv2
import numpy as np

MAP_SIDE = 9
MAP_STEPS = (0.03, 0.09)
"""Maps are 9x9 places around the centre, 3 % or 9 % of the pose's size apart: the near ones reach
12 % of it, the wide ones 36 %. A place of a wide map holds the largest of the 3x3 near ones."""

_REDUCTION = 3
DENSE_SIDE = MAP_SIDE * _REDUCTION
DENSE_STEP = MAP_STEPS[0]

_BOTH_IN_ONE = np.zeros(0, np.float32)
"""Argument in place of the y coordinates, which are in the same array as the x coordinates."""


def near_and_wide(dense: np.ndarray) -> np.ndarray:
    """Reduce maps [..., M, 27, 27] to those of :class:`FusionFeatures`: [..., 2, M, 9, 9]."""
    start = (DENSE_SIDE - MAP_SIDE) // 2
    near = dense[..., start : start + MAP_SIDE, start : start + MAP_SIDE]
    places = [
        dense[..., row::_REDUCTION, column::_REDUCTION]
        for row in range(_REDUCTION)
        for column in range(_REDUCTION)
    ]
    return np.stack([near, reduce(np.maximum, places)], axis=-4)


def sample_around(
    maps: np.ndarray, to_map: np.ndarray, centre: np.ndarray, size: float
) -> np.ndarray:
    """Sample the maps of one frame around the joints' centres.

    Args:
        maps: [K, h, w] float32.
        to_map: [2, 3] affine from pixels of the picture to pixels of the maps.
        centre: [K, 2] pixels of the picture.
        size: Size of the pose in pixels.

    Returns:
        [K, 27, 27]; 0 outside of the maps.
    """
    offsets = (np.arange(DENSE_SIDE) - DENSE_SIDE // 2) * DENSE_STEP * size
    places = np.stack(np.broadcast_arrays(offsets[None, :], offsets[:, None]), axis=-1)
    turn = to_map[:, :2].T
    around = (places @ turn).astype(np.float32)
    middle = (centre @ turn + to_map[:, 2]).astype(np.float32)
    return _interpolate(maps, middle[:, None, None] + around)


def sample_at(maps: np.ndarray, to_map: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Sample map k of [K, h, w] at points [K, rows, columns, 2] of the picture; 0 outside."""
    return _interpolate(maps, (points @ to_map[:, :2].T + to_map[:, 2]).astype(np.float32))


def _interpolate(maps: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Read map k of [K, h, w] at its own pixels [K, rows, columns, 2] float32; 0 outside."""
    return np.stack(
        [
            cv2.remap(values, at, _BOTH_IN_ONE, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            for values, at in zip(maps, places, strict=True)
        ]
    )
