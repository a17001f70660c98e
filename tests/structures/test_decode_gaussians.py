"""Peaks of heatmaps between their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.structures.decode_gaussians import decode_gaussians


def gaussian(x: float, y: float, height: float = 1.0) -> np.ndarray:
    rows, columns = np.mgrid[:64, :48]
    squares = (columns - x) ** 2 + (rows - y) ** 2
    return (height * np.exp(-squares / (2 * 2.0**2))).astype(np.float32)


@pytest.mark.parametrize(('x', 'y'), [(20.0, 30.0), (20.3, 30.4), (9.75, 50.1)])
def test_the_peak_of_a_gaussian_is_found_between_pixels(x, y):
    peaks, heights = decode_gaussians(gaussian(x, y, 0.5)[None], 11)
    np.testing.assert_allclose(peaks, [[x, y]], atol=0.01)
    # The height is that of the highest pixel, half a pixel from the peak at most.
    assert 0.46 < heights[0] <= 0.5


def test_an_unbounded_step_is_not_taken():
    # A plateau: the logarithm of its blurred map has no single maximum.
    flat = np.zeros((1, 64, 48), np.float32)
    flat[0, 20:40, 10:30] = 0.5
    peaks, heights = decode_gaussians(flat, 11)
    assert 10 <= peaks[0, 0] <= 30
    assert 20 <= peaks[0, 1] <= 40
    assert heights[0] == 0.5


def test_an_empty_map_has_no_height():
    peaks, heights = decode_gaussians(np.zeros((2, 64, 48), np.float32), 11)
    assert np.isfinite(peaks).all()
    np.testing.assert_array_equal(heights, [0, 0])
