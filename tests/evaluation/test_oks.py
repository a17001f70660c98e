from __future__ import annotations

import math

import numpy as np
import pytest

from stdpose_mm.evaluation.functional import object_keypoint_similarity


def test_value_by_hand() -> None:
    truth = np.zeros((1, 2, 2))
    predicted = np.array([[[3.0, 4.0], [0.0, 0.0]]])
    oks = object_keypoint_similarity(
        truth, np.ones((1, 2), dtype=bool), predicted, np.array([100.0]), np.array([0.1, 0.2])
    )
    # d^2 / (8 sigma^2 area) = 25 / (8 * 0.01 * 100) = 3.125 for the first joint, 0 for the other.
    assert oks.tolist() == pytest.approx([(math.exp(-3.125) + 1) / 2])


def test_joints_without_label_do_not_count() -> None:
    predicted = np.array([[[0.0, 0.0], [50.0, 50.0]]])
    labelled = np.array([[True, False]])
    oks = object_keypoint_similarity(
        np.zeros((1, 2, 2)), labelled, predicted, np.array([100.0]), np.array([0.1, 0.1])
    )
    assert oks.tolist() == [1]


def test_a_pose_without_labels_has_no_similarity() -> None:
    zeros = np.zeros((1, 2, 2))
    oks = object_keypoint_similarity(
        zeros, np.zeros((1, 2), dtype=bool), zeros, np.array([100.0]), np.array([0.1, 0.1])
    )
    assert np.isnan(oks).all()


def test_a_subject_without_extent_tolerates_no_distance() -> None:
    predicted = np.array([[[1e-6, 0.0], [0.0, 0.0]]])
    oks = object_keypoint_similarity(
        np.zeros((1, 2, 2)),
        np.ones((1, 2), dtype=bool),
        predicted,
        np.zeros(1),
        np.array([0.1, 0.1]),
    )
    assert oks.tolist() == [0.5]
