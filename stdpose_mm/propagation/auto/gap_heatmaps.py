"""Heatmaps of pose networks for the joints of a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .candidates import Candidates
from .evidence_maps import DENSE_SIDE, sample_around

LEAST_AGREEMENT = 0.3
"""A network whose maps have at the labels less than this share of their nearby maximum (mean over
the joints of a gap) finds something else and is left out. EfficientPose has 0.4 to 0.97 on 98 % of
the gaps of real clips, random peaks have less than 0.1."""


@dataclass(frozen=True)
class GapHeatmaps:
    """Hold the heatmaps of one network, of any kind, for the joints of labels.

    Args:
        frames: The F frames of the maps, ascending.
        frame_heatmaps: [F, K, h, w] of every frame by itself.
        final_heatmaps: [F, K, h, w] of every frame in its window, with the labels around it; None
            from a network of single pictures.
        to_heatmap: [F, 2, 3] affine from pixels of each picture to pixels of its maps.
        shown: [F, K] bool: frames and joints of which there is a heatmap.
    """

    frames: Sequence[int]
    frame_heatmaps: np.ndarray
    final_heatmaps: np.ndarray | None
    to_heatmap: np.ndarray
    shown: np.ndarray

    @property
    def sees_windows(self) -> bool:
        """Return whether the network sees windows of frames and their labels."""
        return self.final_heatmaps is not None

    def around(self, candidates: Candidates) -> HeatmapsAround:
        """Sample the maps around the centre, and judge them by the labelled ends."""
        maps, shown = _sample(self, candidates)
        at_labels, agreement = _judge_at_labels(candidates, maps, shown)
        return HeatmapsAround(maps, shown, at_labels, agreement, self.sees_windows)


def around_nbytes(num_frames: int, num_joints: int) -> int:
    """Compute the memory of :class:`HeatmapsAround` of a network that sees windows, in bytes; that
    of others is half as large.
    """
    return 4 * num_frames * num_joints * 2 * DENSE_SIDE**2


@dataclass(frozen=True)
class HeatmapsAround:
    """Hold the heatmaps of one network around the centre of the candidates.

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


def _sample(network: GapHeatmaps, candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Sample a network's maps around the centre: [F, K, M, 27, 27], and [F, K] where it has any."""
    heatmaps = [network.frame_heatmaps]
    if network.final_heatmaps is not None:
        heatmaps.append(network.final_heatmaps)
    shape = candidates.centre.shape[:2]
    dense = np.zeros((*shape, len(heatmaps), DENSE_SIDE, DENSE_SIDE), np.float32)
    here = np.isin(candidates.times, network.frames)
    rows = np.searchsorted(network.frames, candidates.times[here])
    centre, to_heatmap = candidates.centre[here], network.to_heatmap[rows]
    for index, values in enumerate(heatmaps):
        dense[here, :, index] = [
            sample_around(*of_frame, candidates.size)
            for of_frame in zip(values[rows], to_heatmap, centre, strict=True)
        ]
    shown = np.zeros(shape, dtype=bool)
    shown[here] = network.shown[rows]
    return dense, shown


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
