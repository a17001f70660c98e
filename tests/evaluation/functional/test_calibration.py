from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import (
    ScoreCalibrator,
    keypoint_accuracy,
    pool_probabilities,
    reliability,
    scored_joints,
)
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

PAIR = Skeleton(('tail', 'nose'), category='mouse')


def test_bins_errors_and_ranking_by_hand() -> None:
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


def test_bins_hold_equally_many_joints_and_equal_scores_stay_together() -> None:
    scores = np.array([0.5] * 6 + [0.9, 0.99])
    correct = np.array([True, False] * 3 + [True, True])
    result = reliability(scores, correct, num_bins=4)
    assert result.counts.tolist() == [6, 2]
    assert result.mean_scores.tolist() == pytest.approx([0.5, 0.945])
    assert reliability(np.linspace(0, 1, 40), np.ones(40, bool), 5).counts.tolist() == [8] * 5


def test_all_joints_may_share_a_bin() -> None:
    result = reliability(np.array([0.25, 0.75]), np.array([False, True]), num_bins=1)
    assert result.counts.tolist() == [2]
    with pytest.raises(ValueError, match='at least 1, got 0'):
        reliability(np.array([0.25]), np.array([True]), num_bins=0)


def test_equal_scores_are_in_the_bin_of_their_middle() -> None:
    # Of ten joints in halves: the middle of the seven equal ones is 1 + 3.5 < 5.
    scores = np.array([0.1] + [0.5] * 7 + [0.9] * 2)
    assert reliability(scores, scores > 0.4, num_bins=2).counts.tolist() == [8, 2]
    # Here it is 4 + 2 >= 5.
    scores = np.array([0.1] * 4 + [0.5] * 4 + [0.9] * 2)
    assert reliability(scores, scores > 0.4, num_bins=2).counts.tolist() == [4, 6]


def test_a_calibrator_of_equal_scores_gives_the_mean_of_what_is_drawn_in() -> None:
    correct = np.array([True] * 6 + [False] * 2)
    calibrated = ScoreCalibrator.fit(np.full(8, 0.5), correct)(np.full(1, 0.5))
    # Platt: the right ones are 7/8, the wrong ones 1/4.
    np.testing.assert_allclose(calibrated, (6 * 7 / 8 + 2 * 1 / 4) / 8, atol=1e-5)


def test_ties_count_half_in_the_ranking() -> None:
    assert reliability(np.full(4, 0.5), np.array([1, 0, 1, 0], bool)).auroc == 0.5
    assert np.isnan(reliability(np.array([0.1, 0.2]), np.ones(2, bool)).auroc)


def test_honest_scores_have_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, 40_000)
    correct = rng.uniform(0, 1, 40_000) < scores
    result = reliability(scores, correct)
    assert result.expected_calibration_error < 0.01
    assert result.brier == pytest.approx(1 / 6, abs=0.005)
    assert result.auroc == pytest.approx(5 / 6, abs=0.005)
    assert json.loads(json.dumps(result.to_dict()))['bins'][0]['joints'] == 4000


def test_calibration_finds_the_parameters_that_made_the_scores() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.02, 0.98, 40_000)
    truth = ScoreCalibrator(slope=0.6, offset=1.2)
    correct = rng.uniform(0, 1, 40_000) < truth(scores)
    found = ScoreCalibrator.fit(scores, correct)
    assert found.slope == pytest.approx(0.6, abs=0.03)
    assert found.offset == pytest.approx(1.2, abs=0.04)
    assert reliability(scores, correct).expected_calibration_error > 0.1
    assert reliability(found(scores), correct).expected_calibration_error < 0.01


def test_calibration_of_scores_that_separate_right_from_wrong_stays_finite() -> None:
    calibrator = ScoreCalibrator.fit(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1], bool))
    low, high = calibrator(np.array([0.0, 1.0]))
    assert 0 < low < 0.4
    assert 0.6 < high < 1


@settings(deadline=None, max_examples=25)
@given(
    scores=st.lists(st.floats(0, 1), min_size=4, max_size=30),
    flips=st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_calibration_keeps_the_order(scores: list[float], flips: list[bool]) -> None:
    correct = np.array([True, False, *flips[: len(scores) - 2]])
    calibrated = ScoreCalibrator.fit(np.array(scores), correct)(np.sort(scores))
    assert (np.diff(calibrated) >= 0).all()
    assert ((calibrated > 0) & (calibrated < 1)).all()


def test_the_log_odds_of_pooled_opinions_are_averaged() -> None:
    opinions = [np.array([0.9, 0.2, 0.5]), np.array([0.5, 0.8, 0.5])]
    # Odds of 9 and 1 have the geometric mean 3.
    np.testing.assert_allclose(pool_probabilities(opinions), [0.75, 0.5, 0.5])
    certain = [np.array([0.0, 1.0]), np.array([1.0, 1.0])]
    np.testing.assert_allclose(pool_probabilities(certain), [0.5, 0.999])


def test_a_covariate_that_tells_more_than_the_score_is_found() -> None:
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


def test_calibrators_from_before_there_were_covariates_are_read() -> None:
    assert ScoreCalibrator.from_dict({'slope': 2, 'offset': 1}) == ScoreCalibrator(2.0, 1.0, 0.0)


def test_a_calibrator_survives_json() -> None:
    calibrator = ScoreCalibrator(0.75, -0.25, 0.5)
    assert ScoreCalibrator.from_dict(json.loads(json.dumps(calibrator.to_dict()))) == calibrator
    assert calibrator(np.full((2, 3), 0.5)).shape == (2, 3)
    for fields in ({}, {'slope': -1, 'offset': 0}, {'slope': None, 'offset': 0}):
        with pytest.raises(InputError, match='a score calibrator has a slope'):
            ScoreCalibrator.from_dict(fields)


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(InputError, match='there is no joint to judge'):
        reliability(np.zeros(0), np.zeros(0, bool))
    with pytest.raises(InputError, match=r'must be in 0\.\.1, got 1\.5'):
        reliability(np.array([0.5, 1.5]), np.ones(2, bool))
    with pytest.raises(InputError, match='2 of the 2 joints are right'):
        ScoreCalibrator.fit(np.array([0.5, 0.6]), np.ones(2, bool))


Points = Sequence[tuple[float, float] | None]


def video(poses: Mapping[int, Points], source: str = 'propagated') -> VideoLabels:
    """A mouse of 100 px; scores are 0.5 and 0.25."""
    people = []
    for frame, points in poses.items():
        there = np.array([point is not None for point in points])
        keypoints = np.array([point or (0.0, 0.0) for point in points], dtype=float)
        people.append(
            PersonLabel(frame, keypoints, 2 * there, 0, scores=np.array([0.5, 0.25]), source=source)
        )
    return VideoLabels('v', PAIR, tuple(VideoFrame(t) for t in range(5)), tuple(people))


LEVEL: Points = [(0.0, 0.0), (100.0, 0.0)]


def test_joints_of_unlabelled_frames_are_judged_at_a_tenth_of_the_pose() -> None:
    truth = video({0: LEVEL, 1: LEVEL, 2: [LEVEL[0], None], 3: LEVEL, 4: LEVEL}, 'given')
    propagated = video({1: [(10.0, 0.0), (100.0, 10.5)], 2: LEVEL, 3: [None, (100.0, 3.0)]})
    given_labels = video({0: LEVEL}, 'given')
    prediction = propagated.with_persons(given_labels.persons + propagated.persons)
    scores, correct = scored_joints([truth], [prediction])
    # Frame 0 is given, 2 has no size to measure by, 4 has no prediction.
    assert scores.tolist() == [0.5, 0.25, 0.25]
    assert correct.tolist() == [True, False, True]
    assert scored_joints([truth], [prediction], [[3]])[0].tolist() == [0.25]


def test_the_share_of_right_joints_is_pck() -> None:
    rng = np.random.default_rng(0)
    truth = video({t: [(0.0, 0.0), (100.0, 0.0)] for t in range(5)}, 'given')
    moved = {t: [tuple(p + rng.normal(0, 8, 2)) for p in np.array(LEVEL)] for t in range(5)}
    _, correct = scored_joints([truth], [video(moved)])
    pck = keypoint_accuracy([truth], [video(moved)]).pooled()['PCK@0.1']
    assert len(correct) == 10
    assert 100 * correct.mean() == pytest.approx(pck)
    assert 0 < correct.mean() < 1


def test_labels_without_scores_are_refused() -> None:
    truth = video({0: LEVEL})
    bare = truth.with_persons([replace(person, scores=None) for person in truth.persons])
    with pytest.raises(InputError, match="labels of video 'v' have no scores"):
        scored_joints([truth], [bare])
    with pytest.raises(InputError, match='expected one for each'):
        scored_joints([truth], [])
