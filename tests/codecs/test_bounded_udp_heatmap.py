"""Decoding stays near the maximum, and encoding puts peaks where the joints are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmpose.codecs.utils import gaussian_blur

from stdpose_mm.codecs import BoundedUDPHeatmap

INPUT, HEATMAP = (96, 128), (24, 32)
CODEC = BoundedUDPHeatmap(INPUT, HEATMAP, sigma=4 / 3)
# A step of one heatmap pixel in the coordinates of the decoder.
PIXEL = np.array(INPUT) / (np.array(HEATMAP) - 1)


def gaussian(x: float, y: float, height: float = 1.0) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(HEATMAP[0]), np.arange(HEATMAP[1]))
    distance = (columns - x) ** 2 + (rows - y) ** 2
    return (height * np.exp(-distance / (2 * (4 / 3) ** 2))).astype(np.float32)


@given(x=st.floats(3, 20), y=st.floats(3, 28))
def test_a_clean_peak_is_found_to_a_tenth_of_a_pixel(x, y):
    keypoints, scores = CODEC.decode(gaussian(x, y)[None])
    np.testing.assert_allclose(keypoints[0, 0] / PIXEL, [x, y], atol=0.1)
    assert scores.shape == (1, 1)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1))
def test_noise_never_sends_a_joint_away_from_the_maximum_of_the_blurred_map(seed):
    maps = np.random.default_rng(seed).random((17, HEATMAP[1], HEATMAP[0]), np.float32)
    blurred = gaussian_blur(maps.copy(), CODEC.blur_kernel_size)
    peaks = np.stack(np.unravel_index(blurred.reshape(17, -1).argmax(1), maps.shape[1:])[::-1], 1)
    keypoints, _ = CODEC.decode(maps)
    assert np.linalg.norm(keypoints[0] / PIXEL - peaks, axis=1).max() <= 1.5 + 1e-6


def test_every_joint_is_decoded_by_itself():
    # 0.4 pixels from a maximum each, 1.65 together.
    maps = np.stack([gaussian(3.4 + n, 10.4) for n in range(17)])
    keypoints, _ = CODEC.decode(maps)
    expected = [[3.4 + n, 10.4] for n in range(17)]
    np.testing.assert_allclose(keypoints[0] / PIXEL, expected, atol=0.1)


def test_a_spike_beside_a_blob_does_not_win_and_is_the_score():
    spiked = gaussian(15, 20, 0.9)
    spiked[3, 3] = 1.0
    keypoints, scores = CODEC.decode(spiked[None])
    np.testing.assert_allclose(keypoints[0, 0] / PIXEL, [15, 20], atol=0.1)
    assert scores.item() == 1.0


def test_an_empty_map_gives_a_place_inside():
    keypoints, scores = CODEC.decode(np.zeros((1, HEATMAP[1], HEATMAP[0]), np.float32))
    assert np.isfinite(keypoints).all()
    assert scores.item() == 0


def test_decoding_leaves_the_maps_as_they_are():
    maps = gaussian(8, 10)[None]
    before = maps.copy()
    CODEC.decode(maps)
    np.testing.assert_array_equal(maps, before)


@pytest.mark.parametrize('joint', [(1.0, 1.0), (0.0, 20.0), (95.0, 127.0), (50.0, 3.0)])
def test_peaks_near_the_border_are_at_the_joint(joint):
    maps = CODEC.encode(np.array([[joint]]))['heatmaps']
    row, column = np.unravel_index(maps[0].argmax(), maps[0].shape)
    expected = np.round(np.array(joint) / (np.array(INPUT) - 1) * (np.array(HEATMAP) - 1))
    assert [column, row] == expected.tolist()


def test_sigma_that_shifts_peaks_at_the_border_is_refused():
    with pytest.raises(ValueError, match=r'sigma=1\.25 was given, expected 3 \* sigma'):
        BoundedUDPHeatmap(INPUT, HEATMAP, sigma=1.25)
