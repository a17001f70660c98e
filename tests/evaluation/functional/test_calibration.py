from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import ScoreCalibrator, pool_probabilities


def test_a_calibrator_of_equal_scores_gives_the_mean_of_what_is_drawn_in():
    correct = np.array([True] * 6 + [False] * 2)
    calibrated = ScoreCalibrator.fit(np.full(8, 0.5), correct)(np.full(1, 0.5))
    # Platt: the right ones are 7/8, the wrong ones 1/4.
    np.testing.assert_allclose(calibrated, (6 * 7 / 8 + 2 * 1 / 4) / 8, atol=1e-5)


def test_calibration_of_scores_that_separate_right_from_wrong_stays_finite():
    calibrator = ScoreCalibrator.fit(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1], bool))
    low, high = calibrator(np.array([0.0, 1.0]))
    assert 0 < low < 0.4
    assert 0.6 < high < 1


@given(
    scores=st.lists(st.floats(0, 1), min_size=4, max_size=30),
    flips=st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_calibration_keeps_the_order(scores, flips):
    correct = np.array([True, False, *flips[: len(scores) - 2]])
    calibrated = ScoreCalibrator.fit(np.array(scores), correct)(np.sort(scores))
    assert (np.diff(calibrated) >= 0).all()
    assert ((calibrated > 0) & (calibrated < 1)).all()


def test_the_log_odds_of_pooled_opinions_are_averaged():
    opinions = [np.array([0.9, 0.2, 0.5]), np.array([0.5, 0.8, 0.5])]
    # Odds of 9 and 1 have the geometric mean 3.
    np.testing.assert_allclose(pool_probabilities(opinions), [0.75, 0.5, 0.5])
    certain = [np.array([0.0, 1.0]), np.array([1.0, 1.0])]
    np.testing.assert_allclose(pool_probabilities(certain), [0.5, 0.999])


def test_a_covariate_that_tells_more_than_the_score_is_found():
    rng = np.random.default_rng(0)
    scores, covariate = rng.uniform(0.05, 0.95, 40000), rng.normal(size=40000)
    truth = ScoreCalibrator(slope=0.6, offset=1.2, weight=-0.8)
    correct = rng.uniform(size=40000) < truth(scores, covariate)
    found = ScoreCalibrator.fit(scores, correct, covariate)
    assert found.slope == pytest.approx(0.6, abs=0.05)
    assert found.offset == pytest.approx(1.2, abs=0.05)
    assert found.weight == pytest.approx(-0.8, abs=0.05)
    # logit(0.5) is 0: the odds are exp(1.2 - 0.8 * 2).
    assert truth(np.array([0.5]), 2.0) == pytest.approx(1 / (1 + np.exp(0.4)))


def test_calibrators_from_before_there_were_covariates_are_read():
    assert ScoreCalibrator.from_dict({'slope': 2, 'offset': 1}) == ScoreCalibrator(2.0, 1.0, 0.0)


def test_a_calibrator_survives_json():
    calibrator = ScoreCalibrator(0.75, -0.25, 0.5)
    assert ScoreCalibrator.from_dict(json.loads(json.dumps(vars(calibrator)))) == calibrator
    assert calibrator(np.full((2, 3), 0.5)).shape == (2, 3)
    for fields in ({}, {'slope': -1, 'offset': 0}, {'slope': None, 'offset': 0}):
        with pytest.raises(InputError, match='a score calibrator has a slope'):
            ScoreCalibrator.from_dict(fields)


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(InputError, match='there is no joint to judge'):
        ScoreCalibrator.fit(np.zeros(0), np.zeros(0, bool))
    with pytest.raises(InputError, match=r'must be in 0\.\.1, got 1\.5'):
        ScoreCalibrator.fit(np.array([0.5, 1.5]), np.ones(2, bool))
    with pytest.raises(InputError, match='2 of the 2 joints are right'):
        ScoreCalibrator.fit(np.array([0.5, 0.6]), np.ones(2, bool))
