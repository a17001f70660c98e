from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.labelling.propagation.auto.joint_matching import (
    CROP_SIDE,
    POSE_SIDE,
    SHIPPED_MATCHER,
    TrainedMatcher,
    crop_pose,
    shipped_matcher,
    to_descriptors,
)


def ramp(width: int, height: int) -> np.ndarray:
    """A picture whose blue grows to the right and whose green grows downward, one a pixel."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


@given(middle=st.tuples(st.floats(60, 180), st.floats(60, 180)), size=st.floats(20, 90))
def test_pixels_of_the_crop_show_what_the_affine_says(middle, size):
    crop, to_crop = crop_pose(ramp(240, 240), np.array(middle), size)
    place = np.array([CROP_SIDE // 2 + 10, CROP_SIDE // 2 - 7])
    x, y = np.linalg.solve(to_crop[:, :2], place - to_crop[:, 2])
    np.testing.assert_allclose(crop[place[1], place[0], :2], [x, y], atol=1.2)


def test_a_pose_has_the_same_size_in_every_crop():
    _, to_crop = crop_pose(ramp(50, 40), np.array([20.0, 20]), 37.0)
    np.testing.assert_allclose(to_crop[:, :2] * 37, POSE_SIDE * np.eye(2))
    np.testing.assert_allclose(to_crop @ [20, 20, 1], [(CROP_SIDE - 1) / 2] * 2)


def test_a_large_pose_is_averaged():
    """Black and white pixels in turn are grey from afar."""
    rows, columns = np.indices((800, 800))
    checkers = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    crop, _ = crop_pose(checkers, np.array([400.0, 400]), 480.0)
    assert np.abs(crop.astype(int) - 127).max() < 12


@pytest.mark.parametrize('middle', [(-1e6, 20.0), (20.0, 1e6), (1e7, -1e7)])
@pytest.mark.parametrize('size', [0.01, 30.0, 1e7])
def test_poses_beyond_the_picture_repeat_its_border(middle, size):
    crop, _ = crop_pose(ramp(50, 40), np.array(middle), size)
    assert crop.shape == (CROP_SIDE, CROP_SIDE, 3)


def test_places_of_descriptors_are_the_middles_of_two_by_two_pixels():
    to_map = to_descriptors(np.array([[1.0, 0, 0], [0, 1, 0]]))
    np.testing.assert_allclose(to_map @ [0.5, 2.5, 1], [0, 1])


def test_the_matcher_of_the_package_finds_a_texture_again():
    """The descriptor of a place is most like that of the place which shows the same, moved."""
    rng = np.random.default_rng(0)
    squares = rng.integers(0, 255, (20, 20, 3)).astype(np.uint8)
    crop = np.kron(squares, np.ones((8, 8, 1), np.uint8))
    moved = np.roll(crop, (12, 20), (0, 1))
    before, after = shipped_matcher().describe(np.stack([crop, moved]))
    likeness = np.einsum('d,dhw->hw', before[:, 40, 30], after)
    assert np.unravel_index(likeness.argmax(), likeness.shape) == (46, 40)


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / 'matcher.onnx'
    path.write_bytes(b'nothing')
    with pytest.raises(
        InputError, match=r'matcher\.onnx is not a network that onnxruntime can run'
    ):
        TrainedMatcher(path)


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r'matcher\.onnx cannot be read .*train_matcher\.py'):
        TrainedMatcher(tmp_path / 'matcher.onnx')


def test_another_network_is_refused():
    with pytest.raises(InputError, match=r'stdpose_frames\.onnx does not hold a joint'):
        TrainedMatcher(SHIPPED_MATCHER.with_name('stdpose_frames.onnx'))
