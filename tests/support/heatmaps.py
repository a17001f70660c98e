"""Comparison of heatmaps, and the places that they show."""

from __future__ import annotations

import numpy as np

from stdpose_mm.labelling.evidence import PoseHeatmaps


def assert_same_maps(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare heatmaps up to rounding, relative to 1 or to the largest value.

    Rounding differs with the batch size and with the processor.
    """
    np.testing.assert_allclose(found, expected, atol=2e-5 * max(1, np.abs(expected).max()))


def highest_places(found: PoseHeatmaps, row: int) -> np.ndarray:
    """Return the highest places of the maps of one frame, in pixels of the picture: [K, 2]."""
    affine = found.to_heatmap[row]
    cells = [np.unravel_index(plane.argmax(), plane.shape)[::-1] for plane in found.heatmaps[row]]
    return np.array([np.linalg.solve(affine[:, :2], cell - affine[:, 2]) for cell in cells])
