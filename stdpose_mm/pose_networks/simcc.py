"""Heatmaps from the two one-dimensional distributions of a SimCC head."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import softmax

CELL = 4
"""Pixels of the network's input per cell, as in the heatmaps of most networks."""

SPREAD = 1.5
"""Cells; a network that is certain gives a Gaussian of this standard deviation, and height 1."""


def simcc_heatmaps(
    logits_x: np.ndarray, logits_y: np.ndarray, split_ratio: float, sharpness: float
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the outputs of a SimCC head (Li et al., ECCV 2022) into heatmaps.

    Each axis is a distribution over bins, ``split_ratio`` of them per pixel. It is convolved with a
    Gaussian whose peak is 1, and sampled at the cells. The heatmap is the product of both axes: its
    value is the probability that the joint is near the cell.

    Args:
        logits_x: [N, K, bins of the width].
        logits_y: [N, K, bins of the height].
        split_ratio: Bins per pixel of the input.
        sharpness: Factor on the outputs before the softmax in training.

    Returns:
        [N, K, h, w] float32, and the [2, 3] affine from pixels of the input to cells.
    """
    per_cell = max(round(CELL * split_ratio), 1)
    first = per_cell // 2
    x, y = (_sampled(logits * sharpness, first, per_cell) for logits in (logits_x, logits_y))
    # Bin i stands for pixel i / split_ratio.
    scale, offset = split_ratio / per_cell, -first / per_cell
    to_heatmap = np.array([[scale, 0, offset], [0, scale, offset]])
    return (y[..., :, None] * x[..., None, :]).astype(np.float32), to_heatmap


def _sampled(logits: np.ndarray, first: int, step: int) -> np.ndarray:
    """Smooth distributions [N, K, bins]; sample them at every ``step``-th bin from ``first``."""
    probability = softmax(logits.astype(np.float64), axis=-1)
    sigma = SPREAD * step
    spread = gaussian_filter1d(probability, sigma, axis=-1, mode='constant')
    peak = gaussian_filter1d(np.eye(1, 12 * step + 1, 6 * step)[0], sigma)[6 * step]
    return spread[..., first::step] / peak
