from __future__ import annotations

import copy

import numpy as np
import pytest
from mmpose.datasets.transforms import RandomFlip

from stdpose_mm.datasets.transforms import WindowRandomFlip


def sample() -> dict:
    rng = np.random.default_rng(0)
    return {
        'img': list(rng.integers(0, 256, (3, 12, 16, 3), np.uint8)),
        'img_shape': (12, 16),
        'bbox': np.array([[2, 3, 9, 11]], np.float32),
        'flip_indices': [0, 2, 1],
        'keypoints': rng.uniform(0, 12, (1, 3, 2)),
        'keypoints_visible': np.array([[1, 0, 1.0]]),
        'aux_keypoints': rng.uniform(0, 12, (2, 3, 2)),
        'aux_keypoints_visible': np.ones((2, 3)),
    }


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_pictures_are_mirrored_as_mmpose_mirrors_them(direction):
    found = WindowRandomFlip(prob=1.0, direction=direction).transform(sample())
    expected = RandomFlip(prob=1.0, direction=direction).transform(sample())
    np.testing.assert_array_equal(found['img'], expected['img'])
    np.testing.assert_array_equal(found['keypoints'], expected['keypoints'])
    # Read forwards, which is what makes cropping fast.
    assert all(picture.flags.c_contiguous for picture in found['img'])


@pytest.mark.parametrize(
    ('direction', 'weights'),
    [('horizontal', [1, 0.5, 0.25]), ('vertical', [1, 0.5, 0.25]), ('diagonal', [1, 0.25, 0.5])],
)
def test_weights_of_labels_go_with_their_joints(direction, weights):
    """The second joint is on the left, the third on the right."""
    given = {**sample(), 'label_weights': np.array([[1, 0.25, 0.5]] * 3, np.float32)}
    # What MMPose does with the joints themselves.
    given['keypoints_visible'] = np.array([[1, 0.25, 0.5]])
    found = WindowRandomFlip(prob=1.0, direction=direction).transform(given)
    assert found['label_weights'].tolist() == [weights] * 3
    assert found['keypoints_visible'].tolist() == [weights]


def test_without_a_flip_the_weights_of_labels_stay():
    given = {**sample(), 'label_weights': np.array([[1, 0.25, 1]] * 3, np.float32)}
    found = WindowRandomFlip(prob=0.0).transform(given)
    assert found['label_weights'].tolist() == [[1, 0.25, 1]] * 3


def test_pictures_that_came_in_are_not_written_to():
    given = sample()
    before = copy.deepcopy(given['img'])
    pictures = list(given['img'])
    WindowRandomFlip(prob=1.0).transform(given)
    np.testing.assert_array_equal(pictures, before)
