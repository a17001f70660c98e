"""Heatmaps from the distributions of a SimCC head, by hand and by MMPose's codec."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.labelling.evidence.pose_network import SIMCC_SPREAD, simcc_heatmaps
from support.pose_network_files import find_peak


def one_bin(place: int, bins: int) -> np.ndarray:
    return np.where(np.arange(bins) == place, 100.0, 0.0)[None, None]


def test_certainty_is_a_gaussian_of_height_1():
    # Cells are eight bins apart, the first at bin 4: bin 84 is cell 10, bin 164 cell 20.
    maps, affine, _ = simcc_heatmaps(one_bin(84, 192), one_bin(164, 256), 2.0, 1.0)
    assert maps.shape == (1, 1, 32, 24)
    assert maps[0, 0, 20, 10] == pytest.approx(1, abs=1e-5)
    assert maps[0, 0, 20, 12] == pytest.approx(np.exp(-0.5 * (2 / SIMCC_SPREAD) ** 2), abs=1e-4)
    # Bin 84 is pixel 42.
    np.testing.assert_allclose(affine @ [42, 82, 1], [10, 20])


def test_a_place_between_cells_is_kept():
    maps, affine, _ = simcc_heatmaps(one_bin(81, 192), one_bin(163, 256), 2.0, 1.0)
    place = find_peak(maps[0, 0], affine)
    np.testing.assert_allclose(place, [40.5, 81.5], atol=0.1)


def test_a_network_that_knows_nothing_gives_a_low_flat_map():
    maps, *_ = simcc_heatmaps(np.zeros((1, 1, 192)), np.zeros((1, 1, 256)), 2.0, 10.0)
    assert maps.max() < 0.03


def test_an_offset_of_the_outputs_says_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1, 2, 96)), rng.normal(size=(1, 2, 128))
    plain, *_ = simcc_heatmaps(x, y, 1.0, 10.0)
    moved, *_ = simcc_heatmaps(x + 7, y - 3, 1.0, 10.0)
    np.testing.assert_allclose(moved, plain, rtol=1e-4)


def test_a_peak_at_the_edge_is_kept():
    maps, affine, _ = simcc_heatmaps(one_bin(96, 97), one_bin(2, 100), 1.0, 1.0)
    assert maps.shape == (1, 1, 25, 24)
    assert np.unravel_index(maps[0, 0].argmax(), (25, 24)) == (0, 23)
    np.testing.assert_allclose(affine @ [94, 2, 1], [23, 0])
