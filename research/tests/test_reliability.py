"""Reliability of scores as probabilities, by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from research.comparison.reliability import reliability, reliability_curves, scored_joints
from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import keypoint_accuracy
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

PAIR = Skeleton(('tail', 'nose'), category='mouse')
SCORES = reliability(np.repeat([0.25, 0.75], 100), np.arange(200) % 4 > 0, num_bins=2)


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


def test_reliability_shows_share_of_right_joints_against_score() -> None:
    (axis,) = reliability_curves({'flow': SCORES}).axes
    diagonal, curve = axis.lines[:2]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert curve.get_xydata().tolist() == [[0.25, 0.75], [0.75, 0.75]]
    (text,) = axis.get_legend().get_texts()
    assert text.get_text() == 'flow: calibration error 0.250, Brier 0.312, AUROC 0.500'
    (low, high) = axis.collections[0].get_segments()[0][:, 1]
    # Wilson's interval of 75 of 100.
    assert (low, high) == pytest.approx((0.6569, 0.8245), abs=1e-3)
