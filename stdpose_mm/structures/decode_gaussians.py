"""Positions of joints from heatmaps with one Gaussian each."""

from __future__ import annotations

import cv2
import numpy as np

MAX_STEP = 1.5
"""Maximum step from the maximum in heatmap pixels; a Gaussian's peak lies within half a pixel."""

_HEIGHTS = (1e-3, 50.0)
"""Range of the heights of which the logarithm is taken."""


def decode_gaussians(heatmaps: np.ndarray, kernel_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the peak of each map between its pixels (DARK, Zhang et al. 2020).

    The logarithm of a Gaussian is a parabola: one Newton step leads from the maximum of the blurred
    map to the peak. A step of more than ``MAX_STEP`` pixels is not taken.

    Args:
        heatmaps: [K, h, w] float32.
        kernel_size: Side of the kernel that blurs the maps, odd, in pixels.

    Returns:
        Peaks [K, 2] (x, y) in pixels of the heatmaps, and the heights of the maps [K].
    """
    scores = heatmaps.max((1, 2))
    # Blurred maps are scaled by the maximum, which must not be 0.
    maps = np.maximum(heatmaps, np.finfo(np.float32).eps)
    side = (kernel_size, kernel_size)
    blurred = np.stack(
        [cv2.GaussianBlur(heatmap, side, 0, borderType=cv2.BORDER_CONSTANT) for heatmap in maps]
    )
    blurred *= (maps.max((1, 2)) / blurred.max((1, 2)))[:, None, None]
    rows, columns = np.unravel_index(blurred.reshape(len(maps), -1).argmax(1), heatmaps.shape[1:])
    peaks = np.stack((columns, rows), axis=-1).astype(np.float32)

    logs = np.pad(np.log(np.clip(blurred, *_HEIGHTS)), ((0, 0), (1, 1), (1, 1)), mode='edge')
    joints, y, x = np.arange(len(maps)), rows + 1, columns + 1

    def at(dy: int, dx: int) -> np.ndarray:
        values: np.ndarray = logs[joints, y + dy, x + dx]
        return values

    middle = at(0, 0)
    gradient = np.stack([0.5 * (at(0, 1) - at(0, -1)), 0.5 * (at(1, 0) - at(-1, 0))], axis=-1)
    across = at(1, 1) - at(0, 1) - at(1, 0) + middle + middle - at(0, -1) - at(-1, 0) + at(-1, -1)
    curvature = np.empty((len(maps), 2, 2), np.float32)
    curvature[:, 0, 0] = at(0, 1) - 2 * middle + at(0, -1)
    curvature[:, 1, 1] = at(1, 0) - 2 * middle + at(-1, 0)
    curvature[:, 0, 1] = curvature[:, 1, 0] = 0.5 * across
    inverse = np.linalg.inv(curvature + np.finfo(np.float32).eps * np.eye(2))
    step = np.einsum('kij,kj->ki', inverse, gradient)
    refined = (peaks - step).astype(np.float32)
    is_near = np.linalg.norm(refined - peaks, axis=-1, keepdims=True) <= MAX_STEP
    return np.where(is_near, refined, peaks), scores


def peak_windows(heatmaps: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the largest cell of each map, and cut out the cells around it.

    Args:
        heatmaps: [..., h, w].
        reach: Cells on each side.

    Returns:
        Columns [...] and rows [...] of the largest cells; and [..., S, S] the cells within
        ``reach``, zeros beyond the border.
    """
    shape, size = heatmaps.shape[:-2], heatmaps.shape[-2:]
    planes = heatmaps.reshape(-1, *size)
    rows, columns = np.divmod(planes.reshape(len(planes), -1).argmax(axis=1), size[1])
    side = 2 * reach + 1
    padded = np.pad(planes, ((0, 0), (reach, reach), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (1, side, side))
    around = windows[np.arange(len(planes)), rows, columns, 0].reshape(*shape, side, side)
    return columns.reshape(shape), rows.reshape(shape), around
