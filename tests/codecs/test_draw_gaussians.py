"""All joints at once give what MMPose draws joint by joint."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmpose.codecs import UDPHeatmap

from stdpose_mm.codecs import BoundedUDPHeatmap

SIZES = [((96, 128), (24, 32), 4 / 3), ((192, 256), (48, 64), 2.0), ((48, 64), (12, 16), 1.0)]


@pytest.mark.parametrize(('input_size', 'heatmap_size', 'sigma'), SIZES)
@given(seed=st.integers(0, 2**32 - 1), double=st.booleans())
def test_maps_and_weights_are_mmposes(input_size, heatmap_size, sigma, seed, double):
    rng = np.random.default_rng(seed)
    # Well beyond every edge of the crop, some of them on whole and half pixels of the heatmap.
    points = rng.uniform(-0.4, 1.4, (1, 102, 2)) * input_size
    step = (np.array(input_size) - 1) / (np.array(heatmap_size) - 1)
    points[:, ::3] = np.round(points[:, ::3] / step * 2) / 2 * step
    points = points.astype(np.float64 if double else np.float32)
    visible = rng.integers(0, 2, (1, 102)).astype(np.float32)
    sizes = dict(input_size=input_size, heatmap_size=heatmap_size, sigma=sigma)
    found = BoundedUDPHeatmap(**sizes).encode(points, visible)
    expected = UDPHeatmap(**sizes).encode(points, visible)
    np.testing.assert_array_equal(found['keypoint_weights'], expected['keypoint_weights'])
    np.testing.assert_allclose(found['heatmaps'], expected['heatmaps'], rtol=1e-6, atol=0)
    assert found['heatmaps'].dtype == expected['heatmaps'].dtype == np.float32


def test_every_joint_is_drawn_without_visibilities():
    codec = BoundedUDPHeatmap((96, 128), (24, 32), 4 / 3)
    encoded = codec.encode(np.full((1, 2, 2), 40.0))
    assert encoded['heatmaps'].max(axis=(1, 2)).tolist() == pytest.approx([1, 1], abs=0.1)
    assert encoded['keypoint_weights'].tolist() == [[1, 1]]
