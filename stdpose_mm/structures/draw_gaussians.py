"""Vectorized drawing of heatmaps for all joints."""

from __future__ import annotations

import numpy as np


def draw_gaussians(
    points: np.ndarray, visible: np.ndarray, size: tuple[int, int], sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a Gaussian per point, truncated at three sigma around the nearest pixel.

    The values equal those of MMPose's ``generate_udp_gaussian_heatmaps`` for one person, whose
    Python loop over the joints takes most of the encoding time.

    Args:
        points: [J, 2] x, y in heatmap pixels.
        visible: [J]; points of 0.5 or more are drawn.
        size: Width and height of the heatmaps.
        sigma: Standard deviation in heatmap pixels; three times sigma must be a whole number.

    Returns:
        Heatmaps [J, h, w] float32, all zeros for points that are not drawn; and weights [J]: a copy
        of ``visible`` with 0 for points whose Gaussian lies outside.
    """
    width, height = size
    heatmaps = np.zeros((len(points), height, width), dtype=np.float32)
    weights = visible.copy()
    radius = sigma * 3
    peaks = (points + 0.5).astype(np.int64)
    first = (peaks - radius).astype(np.int64)
    last = (peaks + radius + 1).astype(np.int64)
    is_visible = visible >= 0.5
    outside = (first >= size).any(axis=1) | (last < 0).any(axis=1)
    weights[is_visible & outside] = 0
    drawn = np.flatnonzero(is_visible & ~outside)

    patch = np.arange(0, 2 * radius + 1, 1, dtype=np.float32)
    centres = ((2 * radius + 1) // 2 + (points[drawn] - peaks[drawn])).astype(np.float32)
    squares = (patch - centres[..., None]) ** 2
    gaussians = np.exp(-(squares[:, 0, None, :] + squares[:, 1, :, None]) / (2 * sigma**2))

    places = first[drawn][..., None] + np.arange(len(patch))
    columns, rows = places[:, 0], places[:, 1]
    inside_x = (columns >= 0) & (columns < width)
    inside_y = (rows >= 0) & (rows < height)
    joint, row, column = np.nonzero(inside_y[:, :, None] & inside_x[:, None, :])
    heatmaps[drawn[joint], rows[joint, row], columns[joint, column]] = gaussians[joint, row, column]
    return heatmaps, weights
