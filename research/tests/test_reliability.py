"""Reliability of scores as probabilities, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from research.comparison.reliability import reliability


def test_bins_errors_and_ranking_by_hand():
    scores = np.array([0.9, 0.2, 0.8, 0.3])
    correct = np.array([True, False, False, True])
    result = reliability(scores, correct, num_bins=2)
    # The bins have mean scores of 0.25 and 0.85, and half of the joints of each are right.
    assert result.expected_calibration_error == pytest.approx((0.25 + 0.35) / 2)
    assert result.brier == pytest.approx((0.01 + 0.04 + 0.64 + 0.49) / 4)
    # Of the pairs (right, wrong), 0.9 beats both and 0.3 beats 0.2 only.
    assert result.auroc == 0.75


def test_equal_scores_share_a_bin():
    """Four bins of two joints would have errors of 0, 0, 0.5 and 0.055; two have 0 and 0.055."""
    scores = np.array([0.5] * 6 + [0.9, 0.99])
    correct = np.array([True, True, True, False, False, False, True, True])
    result = reliability(scores, correct, num_bins=4)
    assert result.expected_calibration_error == pytest.approx((0.1 + 0.01) / 8)


def test_bins_hold_equally_many_joints():
    """Of 40 even scores, 5 bins of 8 have means of 0.09 to 0.91; all joints are right."""
    scores = np.linspace(0, 1, 40)
    correct = np.tile([True, False], 20)
    means = scores.reshape(5, 8).mean(axis=1)
    result = reliability(scores, correct, num_bins=5)
    assert result.expected_calibration_error == pytest.approx(np.abs(means - 0.5).mean())


def test_ties_count_half_in_the_ranking():
    assert reliability(np.full(4, 0.5), np.array([1, 0, 1, 0], bool)).auroc == 0.5
    assert np.isnan(reliability(np.array([0.1, 0.2]), np.ones(2, bool)).auroc)
