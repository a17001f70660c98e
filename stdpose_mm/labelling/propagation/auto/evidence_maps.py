"""Maps of evidence around a gap's joints, sampled on grids relative to the size of the pose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import cv2
import numpy as np

from stdpose_mm.labelling.propagation.gap_heatmaps import GapHeatmaps

from .candidates import Candidates

MAP_SIDE = 9
MAP_STEPS = (0.03, 0.09)
"""Distances of neighbouring places of a map in pose sizes. Maps are 9x9 places around the centre:
near ones reach 0.12, wide ones 0.36; a place of a wide map holds the maximum of 3x3 near ones."""

_REDUCTION = 3
DENSE_SIDE = MAP_SIDE * _REDUCTION
DENSE_STEP = MAP_STEPS[0]

LEAST_AGREEMENT = 0.3
"""Minimum ratio of a network's maps at the labels of a gap to their nearby maximum, averaged over
joints; below it the network finds something else and is left out. EfficientPose has 0.4 to 0.97 on
98 % of the gaps of real clips, random peaks have less than 0.1."""

_STEPS = (np.arange(DENSE_SIDE) - DENSE_SIDE // 2) * DENSE_STEP
_SQUARE = np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2)
"""Places around a centre in pose sizes; rows go downward."""

# OpenCV's stubs ask for an array, but OpenCV 5 reads the y coordinates from an empty one: noise.
_NO_SEPARATE_Y: Any = None
"""Argument instead of the y coordinates, which are in the same array as the x coordinates."""


def near_and_wide(dense: np.ndarray) -> np.ndarray:
    """Reduce maps [..., M, 27, 27] to the maps of :class:`FusionFeatures`: [..., 2, M, 9, 9]."""
    start = (DENSE_SIDE - MAP_SIDE) // 2
    near = dense[..., start : start + MAP_SIDE, start : start + MAP_SIDE]
    places = [
        dense[..., row::_REDUCTION, column::_REDUCTION]
        for row in range(_REDUCTION)
        for column in range(_REDUCTION)
    ]
    return np.stack([near, reduce(np.maximum, places)], axis=-4)


def places_around(to_map: np.ndarray, centre: np.ndarray, size: float) -> np.ndarray:
    """Compute the places of maps around the joints' centres.

    Args:
        to_map: [2, 3] affine from pixels of the picture to pixels of the maps.
        centre: [K, 2] pixels of the picture.
        size: Size of the pose in pixels.

    Returns:
        [K, 27 * 27, 2] float32 pixels of the maps, rows downward.
    """
    around = (_SQUARE * size @ to_map[:, :2].T).astype(np.float32)
    middle = to_places(to_map, centre)
    places = np.empty((len(middle), *around.shape), np.float32)
    # NumPy needs ten times as long for a sum over a last axis of two numbers.
    for axis in range(2):
        np.add.outer(middle[:, axis], around[:, axis], out=places[..., axis])
    return places


def to_places(to_map: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points [..., 2] of the picture to float32 pixels of maps by an affine [2, 3]."""
    return (points @ to_map[:, :2].T + to_map[:, 2]).astype(np.float32)


def sample_maps(maps: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Sample map k of [K, h, w] float32 at its own places [K, P, 2] float32: [K, P]; 0 outside."""
    samples = np.empty(places.shape[:-1], np.float32)
    for values, at, read in zip(maps, places[:, None], samples[:, None], strict=True):
        border = cv2.BORDER_CONSTANT
        cv2.remap(values, at, _NO_SEPARATE_Y, cv2.INTER_LINEAR, dst=read, borderMode=border)
    return samples


@dataclass(frozen=True)
class HeatmapsAround:
    """The heatmaps of one network around the centre of the candidates.

    Args:
        maps: [F, K, M, 27, 27]: the maps of every frame by itself and, from a network that sees
            windows, of every frame in its window.
        has_heatmap: [F, K] bool: frames and joints that have a heatmap.
        at_labels: [K] value of each joint's map at the labels, see :func:`_judge_at_labels`.
        agreement: Mean ratio of the maps' value at the labels to their maximum, see
            :func:`_judge_at_labels`; NaN if no labelled joint has a map.
        sees_windows: Whether the network sees windows of frames and their labels.
    """

    maps: np.ndarray
    has_heatmap: np.ndarray
    at_labels: np.ndarray
    agreement: float
    sees_windows: bool

    @property
    def is_compared(self) -> bool:
        """Return whether any labelled joint has a heatmap at a label."""
        return not np.isnan(self.agreement)

    @property
    def misses_labels(self) -> bool:
        """Return whether the network finds something else than the labelled joints."""
        return self.agreement < LEAST_AGREEMENT


class HeatmapSampler:
    """Sampler of one network's heatmaps around the centre of the candidates, some frames at a time.

    The samples take a quarter of the memory of the heatmaps, or less.

    Args:
        candidates: The candidates in all frames.
        sees_windows: Whether the network sees windows of frames and their labels.
    """

    def __init__(self, candidates: Candidates, sees_windows: bool) -> None:
        self._candidates, self._sees_windows = candidates, sees_windows
        shape = candidates.centre.shape[:2]
        self._dense = np.zeros((*shape, 1 + sees_windows, DENSE_SIDE, DENSE_SIDE), np.float32)
        self._has_heatmap = np.zeros(shape, dtype=bool)

    def add(self, heatmaps: GapHeatmaps) -> None:
        """Sample the heatmaps of some frames."""
        candidates, sampled = self._candidates, [heatmaps.frame_heatmaps]
        if heatmaps.final_heatmaps is not None:
            sampled.append(heatmaps.final_heatmaps)
        has_maps = np.isin(candidates.times, heatmaps.frames)
        rows = np.searchsorted(heatmaps.frames, candidates.times[has_maps])
        centre, to_heatmap = candidates.centre[has_maps], heatmaps.to_heatmap[rows]
        for at, row, affine, middle in zip(
            np.flatnonzero(has_maps), rows, to_heatmap, centre, strict=True
        ):
            places = places_around(affine, middle, candidates.size)
            for index, values in enumerate(sampled):
                samples = sample_maps(values[row], places)
                self._dense[at, :, index] = samples.reshape(-1, DENSE_SIDE, DENSE_SIDE)
        self._has_heatmap[has_maps] = heatmaps.has_heatmap[rows]

    def judge(self) -> HeatmapsAround:
        """Judge the maps of all frames at the labelled ends."""
        judged = _judge_at_labels(self._candidates, self._dense, self._has_heatmap)
        return HeatmapsAround(self._dense, self._has_heatmap, *judged, self._sees_windows)


def sample_heatmaps(heatmaps: GapHeatmaps, candidates: Candidates) -> HeatmapsAround:
    """Sample heatmaps around the centre of the candidates, and judge them at the labelled ends."""
    sampler = HeatmapSampler(candidates, heatmaps.final_heatmaps is not None)
    sampler.add(heatmaps)
    return sampler.judge()


def _judge_at_labels(
    candidates: Candidates, around: np.ndarray, has_heatmap: np.ndarray
) -> tuple[np.ndarray, float]:
    """Judge maps at the labelled ends, where the middle of a map is the true position.

    Returns:
        [K] value of each joint's map at the label times its ratio to the map's maximum, averaged
        over both ends; and the mean ratio over all joints, NaN if no labelled joint has a map.
    """
    height, share, ends = np.zeros((3, has_heatmap.shape[1]))
    middle = DENSE_SIDE // 2
    near = slice(middle - 1, middle + 2)
    for row, labelled in ((0, candidates.left), (-1, candidates.right)):
        maps = around[row, :, 0]
        peak = np.maximum(maps.max(axis=(-2, -1)), 1e-6)
        at_label = maps[:, near, near].max(axis=(-2, -1))
        seen = labelled & has_heatmap[row]
        height += seen * np.square(at_label) / peak
        share += seen * at_label / peak
        ends += seen
    if not ends.any():
        return height, np.nan
    return height / np.maximum(ends, 1), float(share.sum() / ends.sum())
