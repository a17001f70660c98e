"""Joints between the cells of heatmaps, by hand and by the networks of `find`."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.labelling.evidence.pose_network import decode_peaks, finish_heatmaps, simcc_heatmaps
from support.peak_network import POINTS, PeakNetwork


def gaussian(x: float, y: float, sigma: float = 2.0) -> np.ndarray:
    """A map of 64x48 cells with a Gaussian of height 0.8."""
    rows, columns = np.mgrid[:64, :48]
    square = (columns - x) ** 2 + (rows - y) ** 2
    return (0.8 * np.exp(-square / (2 * sigma**2))).astype(np.float32)


@pytest.mark.parametrize('sigma', [1.0, 2.0, 3.0])
@pytest.mark.parametrize(('x', 'y'), [(20, 31), (20.5, 31.25), (12.3, 40.4), (0, 0), (47, 2.6)])
def test_the_peak_of_a_gaussian_is_found_between_cells(x, y, sigma):
    cells, scores = decode_peaks(gaussian(x, y, sigma)[None, None])
    # A filter that ends at the border of the map moves peaks there, in MMPose as well.
    np.testing.assert_allclose(cells, [[[x, y]]], atol=0.05 if 6 < x < 42 else 0.51)
    # The cell nearest to the peak is at most 0.5 and 0.25 cells away.
    assert 0.8 * np.exp(-0.3125 / 2 / sigma**2) - 1e-4 < scores[0, 0] < 0.8001


def test_the_largest_of_several_peaks_counts_and_joints_keep_their_order():
    maps = np.stack([np.maximum(gaussian(10, 10) * 0.9, gaussian(30, 40)), gaussian(5, 50)])
    cells, _ = decode_peaks(np.stack([maps, maps[::-1]]))
    expected = [[[30, 40], [5, 50]], [[5, 50], [30, 40]]]
    np.testing.assert_allclose(cells, expected, atol=0.2)


def test_a_flat_map_has_a_place_and_no_score():
    cells, scores = decode_peaks(np.zeros((1, 2, 8, 6), np.float32))
    assert np.isfinite(cells).all()
    assert scores.tolist() == [[0, 0]]


def test_a_network_finds_joints_in_pixels_of_the_picture():
    pictures = [np.zeros((120, 160, 3), np.uint8)] * 2
    joints, scores = PeakNetwork((0.7, -0.4), 0.6).find(pictures, np.ones((2, 4)))
    np.testing.assert_allclose(joints, np.stack([POINTS + np.array([0.7, -0.4])] * 2), atol=0.1)
    np.testing.assert_allclose(scores, 0.6, atol=0.06)


def test_a_skewed_distribution_keeps_its_most_probable_place():
    """Its mean is 20 pixels away, and the blurred peak is pulled towards it."""
    x = np.zeros((1, 1, 384))
    # Bin 100 is the most probable, and 101 to 180 hold the rest.
    x[..., 100], x[..., 101:181] = 12, 9
    y = np.zeros((1, 1, 512))
    y[..., 301] = 30
    to_crop = np.array([[[2.0, 0, 10], [0, 2.0, -6]]])
    maps = finish_heatmaps(*simcc_heatmaps(x, y, 2.0, 1.0), to_crop)
    # Half of a bin in the crop, and then half of (50 - 10, 150.5 + 6) in the picture.
    np.testing.assert_allclose(maps.joints, [[[20, 78.25]]])
