from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.propagation import propagate_labels
from stdpose_mm.propagation.interpolation import LinearPropagator


@pytest.fixture
def propagated(label, video, blank):
    def run(persons, num_frames):
        dense = propagate_labels(blank(num_frames), video(persons, num_frames), LinearPropagator())
        return {(p.track_id, p.frame_index): p for p in dense.persons}

    return run


def test_joints_lie_on_the_line_between_two_labels(propagated, label):
    poses = propagated(
        [label(0, [[0, 0], [10, 0], [0, 8]]), label(4, [[8, 4], [10, 0], [0, 0]])], 5
    )
    np.testing.assert_allclose(poses[0, 1].keypoints, [[2, 1], [10, 0], [0, 6]])
    np.testing.assert_allclose(poses[0, 3].keypoints, [[6, 3], [10, 0], [0, 2]])


def test_pose_stands_still_beyond_the_first_and_last_label(propagated, label):
    poses = propagated([label(2, [[1, 1], [2, 2], [3, 3]]), label(4, [[5, 5], [6, 6], [7, 7]])], 7)
    np.testing.assert_array_equal(poses[0, 0].keypoints, [[1, 1], [2, 2], [3, 3]])
    np.testing.assert_array_equal(poses[0, 6].keypoints, [[5, 5], [6, 6], [7, 7]])


def test_a_joint_missing_in_one_label_is_interpolated_between_its_own_labels(propagated, label):
    poses = propagated(
        [
            label(0, [[0, 0], [0, 0], [1, 1]]),
            label(2, [[2, 0], [0, 0], [0, 0]], [2, 2, 0]),
            label(4, [[8, 0], [0, 0], [9, 5]]),
        ],
        5,
    )
    np.testing.assert_allclose(poses[0, 1].keypoints, [[1, 0], [0, 0], [3, 2]])
    np.testing.assert_allclose(poses[0, 3].keypoints, [[5, 0], [0, 0], [7, 4]])


def test_a_joint_that_is_never_labelled_stays_not_labelled(propagated, label):
    poses = propagated([label(0, [[3, 3], [4, 4], [0, 0]], [2, 2, 0])], 2)
    assert poses[0, 1].visibility.tolist() == [2, 2, 0]
    assert poses[0, 1].scores[2] == 0


def test_visibility_is_that_of_the_nearest_label(propagated, label):
    still = [[1, 1], [2, 2], [3, 3]]
    poses = propagated([label(0, still, [1, 2, 2]), label(5, still, [2, 2, 1])], 6)
    assert poses[0, 2].visibility.tolist() == [1, 2, 2]
    assert poses[0, 3].visibility.tolist() == [2, 2, 1]


def test_score_halves_with_every_seven_frames(propagated, label):
    poses = propagated([label(0, [[1, 1], [2, 2], [3, 3]])], 15)
    np.testing.assert_allclose(poses[0, 7].scores, 0.5)
    np.testing.assert_allclose(poses[0, 14].scores, 0.25)
