"""Reliability of scores as probabilities, by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from research.comparison.reliability import reliability


def test_bins_errors_and_ranking_by_hand():
    scores = np.array([0.9, 0.2, 0.8, 0.3])
    correct = np.array([True, False, False, True])
    result = reliability(scores, correct, num_bins=2)
    assert result.mean_scores.tolist() == pytest.approx([0.25, 0.85])
    assert result.accuracies.tolist() == [0.5, 0.5]
    assert result.counts.tolist() == [2, 2]
    assert result.expected_calibration_error == pytest.approx((0.25 + 0.35) / 2)
    assert result.brier == pytest.approx((0.01 + 0.04 + 0.64 + 0.49) / 4)
    # Of the pairs (right, wrong), 0.9 beats both and 0.3 beats 0.2 only.
    assert result.auroc == 0.75


def test_bins_hold_equally_many_joints_and_equal_scores_stay_together():
    scores = np.array([0.5] * 6 + [0.9, 0.99])
    correct = np.array([True, False] * 3 + [True, True])
    result = reliability(scores, correct, num_bins=4)
    assert result.counts.tolist() == [6, 2]
    assert result.mean_scores.tolist() == pytest.approx([0.5, 0.945])
    assert reliability(np.linspace(0, 1, 40), np.ones(40, bool), 5).counts.tolist() == [8] * 5


def test_ties_count_half_in_the_ranking():
    assert reliability(np.full(4, 0.5), np.array([1, 0, 1, 0], bool)).auroc == 0.5
    assert np.isnan(reliability(np.array([0.1, 0.2]), np.ones(2, bool)).auroc)


def test_honest_scores_have_no_calibration_error():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, 40_000)
    correct = rng.uniform(0, 1, 40_000) < scores
    result = reliability(scores, correct)
    assert result.expected_calibration_error < 0.01
    assert result.brier == pytest.approx(1 / 6, abs=0.005)
    assert result.auroc == pytest.approx(5 / 6, abs=0.005)
    assert json.loads(json.dumps(result.to_dict()))['bins'][0]['joints'] == 4000
