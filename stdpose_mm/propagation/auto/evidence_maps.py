"""Maps of evidence around a gap's joints, sampled on grids relative to the pose's size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import cv2
import numpy as np

from stdpose_mm.propagation.gap_heatmaps import GapHeatmaps

from .candidates import Candidates

MAP_SIDE = 9
MAP_STEPS = (0.03, 0.09)
"""Maps are 9x9 places around the centre, 3 % or 9 % of the pose's size apart: the near ones reach
12 % of it, the wide ones 36 %. A place of a wide map holds the largest of the 3x3 near ones."""

_REDUCTION = 3
DENSE_SIDE = MAP_SIDE * _REDUCTION
DENSE_STEP = MAP_STEPS[0]

LEAST_AGREEMENT = 0.3
"""A network whose maps have at the labels less than this share of their nearby maximum (mean over
the joints of a gap) finds something else and is left out. EfficientPose has 0.4 to 0.97 on 98 % of
the gaps of real clips, random peaks have less than 0.1."""

# OpenCV's stubs ask for an array, but of an empty one OpenCV 5 takes the y coordinates: noise.
_BOTH_IN_ONE: Any = None
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


def around_nbytes(num_frames: int, num_joints: int) -> int:
    """Compute the memory of :class:`HeatmapsAround` of a network that sees windows, in bytes; that
    of others is half as large.
    """
    return 4 * num_frames * num_joints * 2 * DENSE_SIDE**2


@dataclass(frozen=True)
class HeatmapsAround:
    """The heatmaps of one network around the centre of the candidates.

    Args:
        maps: [F, K, M, 27, 27]: of every frame by itself and, from a network that sees windows,
            in its window.
        shown: [F, K] bool: which frames and joints have a heatmap.
        at_labels: [K] value of each joint's map at the labels, see :func:`_judge_at_labels`.
        agreement: Mean share of the maps' nearby maximum at the labels, see
            :func:`_judge_at_labels`; NaN if no labelled joint has a map.
        sees_windows: Whether the network sees windows of frames and their labels.
    """

    maps: np.ndarray
    shown: np.ndarray
    at_labels: np.ndarray
    agreement: float
    sees_windows: bool

    @property
    def is_compared(self) -> bool:
        """Return whether there is a heatmap of a labelled joint at a label."""
        return not np.isnan(self.agreement)

    @property
    def misses_labels(self) -> bool:
        """Return whether the network finds something else than the labelled joints."""
        return self.agreement < LEAST_AGREEMENT


def sample_heatmaps(heatmaps: GapHeatmaps, candidates: Candidates) -> HeatmapsAround:
    """Sample heatmaps around the centre of the candidates, and judge them by the labelled ends."""
    sampled = [heatmaps.frame_heatmaps]
    if heatmaps.final_heatmaps is not None:
        sampled.append(heatmaps.final_heatmaps)
    shape = candidates.centre.shape[:2]
    dense = np.zeros((*shape, len(sampled), DENSE_SIDE, DENSE_SIDE), np.float32)
    here = np.isin(candidates.times, heatmaps.frames)
    rows = np.searchsorted(heatmaps.frames, candidates.times[here])
    centre, to_heatmap = candidates.centre[here], heatmaps.to_heatmap[rows]
    for index, values in enumerate(sampled):
        dense[here, :, index] = [
            sample_around(*of_frame, candidates.size)
            for of_frame in zip(values[rows], to_heatmap, centre, strict=True)
        ]
    shown = np.zeros(shape, dtype=bool)
    shown[here] = heatmaps.shown[rows]
    at_labels, agreement = _judge_at_labels(candidates, dense, shown)
    return HeatmapsAround(dense, shown, at_labels, agreement, heatmaps.final_heatmaps is not None)


def _judge_at_labels(
    candidates: Candidates, around: np.ndarray, shown: np.ndarray
) -> tuple[np.ndarray, float]:
    """Judge maps by the labelled ends, where the middle of a map is the true position.

    Returns:
        [K] value of each joint's map at the label times its ratio to the map's maximum, mean over
        both ends; and the mean ratio over all joints, NaN if no labelled joint has a map.
    """
    height, share, ends = np.zeros((3, shown.shape[1]))
    middle = DENSE_SIDE // 2
    near = slice(middle - 1, middle + 2)
    for row, labelled in ((0, candidates.left), (-1, candidates.right)):
        maps = around[row, :, 0]
        peak = np.maximum(maps.max(axis=(-2, -1)), 1e-6)
        at_label = maps[:, near, near].max(axis=(-2, -1))
        seen = labelled & shown[row]
        height += seen * np.square(at_label) / peak
        share += seen * at_label / peak
        ends += seen
    if not ends.any():
        return height, np.nan
    return height / np.maximum(ends, 1), float(share.sum() / ends.sum())
