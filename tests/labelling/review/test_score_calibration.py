from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.io.video import UnavailableFrames
from stdpose_mm.labelling.propagation import propagate_labels
from stdpose_mm.labelling.propagation.flow import FlowPropagator
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.labelling.review import calibrate_scores, rank_suggestions
from support.scored_videos import given_at, scored_track, scored_video


def test_scores_of_flow_become_probabilities_and_given_ones_stay() -> None:
    assert FlowPropagator.reads_pictures
    calibrated = calibrate_scores(scored_video(scored_track([1, 0.5, 0.1, 1])), 'flow')
    scores = [person.scores[0] for person in calibrated.persons]
    assert scores[0] == scores[3] == 1
    assert 0.5 < scores[2] < scores[1] < 1
    labels = scored_video(scored_track([1, 0.5, 0.1, 1]))
    assert calibrate_scores(labels, 'auto') is labels


def test_flow_beyond_the_last_label_is_trusted_by_how_far_it_has_come() -> None:
    people = scored_track([1, *[0.9] * 4])
    moved = [
        replace(p, keypoints=p.keypoints + np.array([[0.0, 0.0], [20.0 * p.frame_index, 0.0]]))
        for p in people
    ]
    scores = np.array([p.scores for p in calibrate_scores(scored_video(moved), 'flow').persons])
    assert (scores[0] == 1).all()
    # By hand: two frames on, the nose has moved by 0.4 pose sizes, the tail not at all.
    odds = 0.21 * np.log(2) + 0.98 * np.log([0.03, 0.43]) + 0.1
    assert scores[2] == pytest.approx(1 / (1 + np.exp(odds)))
    assert (np.diff(scores, axis=0) < 0).all()


def test_flow_before_the_first_label_is_trusted_as_much_as_after_the_last_one() -> None:
    def scores(order: int) -> np.ndarray:
        people = scored_track([1, *[0.9] * 4][::order])
        steps = np.arange(5)[::order]
        moved = [
            replace(p, keypoints=p.keypoints + np.array([[0.0, 0.0], [20.0 * step, 0.0]]))
            for p, step in zip(people, steps, strict=True)
        ]
        calibrated = calibrate_scores(scored_video(moved), 'flow')
        return np.array([p.scores for p in calibrated.persons])

    np.testing.assert_allclose(scores(-1)[::-1], scores(1))


def test_a_label_of_some_joints_is_no_start_of_a_path_of_flow() -> None:
    first, second, third = scored_track([1, 0.9, 0.9])
    partial = replace(second, source='given', keypoint_sources=np.array(['given', 'propagated']))
    people = calibrate_scores(scored_video([first, partial, third]), 'flow').persons
    # By hand: two frames after the whole label, nothing has moved.
    odds = 0.21 * np.log(2) + 0.98 * np.log(0.03) + 0.1
    assert people[2].scores == pytest.approx(1 / (1 + np.exp(odds)))
    assert people[1].scores[0] == 0.9


def test_interpolated_labels_without_scores_get_them_given_joints_too() -> None:
    first, second, third = scored_track([1, 0.9, 1])
    partial = replace(second, source='given', keypoint_sources=np.array(['given', 'propagated']))
    scored, bare = (
        calibrate_scores(scored_video([first, person, third]), 'linear').persons[1].scores
        for person in (partial, replace(partial, scores=None))
    )
    assert bare.tolist() == [1, scored[1]]


def test_scores_of_interpolation_are_what_the_labels_tell() -> None:
    labels = given_at({0: 0.0, 10: 5.0, 20: 60.0}, 21)
    dense = propagate_labels(UnavailableFrames(21, 'none'), labels, LinearPropagator())
    by_frame = {p.frame_index: p for p in calibrate_scores(dense, 'linear').persons}
    assert by_frame[15].scores[0] < by_frame[5].scores[0] < by_frame[1].scores[0] < 1
    assert by_frame[10].scores.tolist() == [1, 1]
    (of_scores,), (of_labels,) = (
        rank_suggestions(video, [0, 10, 20], 1)
        for video in (calibrate_scores(dense, 'linear'), labels)
    )
    assert of_scores.frame_index == of_labels.frame_index
