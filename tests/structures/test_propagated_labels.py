from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.structures.propagated_labels import (
    accept_predictions,
    keep_certain,
    require_given,
    require_start,
)

POSE = np.array([[1.5, 2.0], [3.0, 4.0]])


def label(frame, source, scores, visibility=(2, 1)):
    scores = None if scores is None else np.array(scores)
    return PersonLabel(frame, POSE, np.array(visibility), 1, scores=scores, source=source)


def video(*persons):
    frames = tuple(VideoFrame(index) for index in range(4))
    return VideoLabels('v', Skeleton(('head', 'hand')), frames, persons)


def test_propagated_joints_below_become_unlabelled_and_keep_their_scores():
    (kept,) = keep_certain(video(label(0, 'propagated', [0.5, 0.49])), 0.5).persons
    assert kept.visibility.tolist() == [2, 0]
    assert kept.scores.tolist() == [0.5, 0.49]
    assert kept.keypoints.tolist() == [[1.5, 2.0], [0.0, 0.0]]


def test_whoever_has_no_joint_left_is_left_out():
    absent = PersonLabel(2, POSE * 0, np.zeros(2), 1, source='absent')
    labels = video(label(0, 'propagated', [0.1, 0.2]), label(1, 'propagated', None), absent)
    assert keep_certain(labels, 0.5).persons == ()
    assert len(keep_certain(labels, 0.5).frames) == 4


def test_given_labels_stay_whatever_their_scores():
    given = label(0, 'given', [0.1, 0.0])
    nothing = PersonLabel(1, POSE * 0, np.zeros(2), 1)
    assert keep_certain(video(given, nothing), 1.0).persons == (given, nothing)


def test_of_a_label_of_some_joints_the_given_ones_stay():
    mixed = PersonLabel(
        0,
        POSE,
        np.array([2, 2]),
        1,
        scores=np.array([0.1, 0.2]),
        keypoint_sources=np.array(['given', 'propagated']),
    )
    (kept,) = keep_certain(video(mixed), 0.5).persons
    assert kept.visibility.tolist() == [2, 0]
    with pytest.raises(InputError, match='but 1 of the 1 poses'):
        require_given([video(mixed)], 'the test')


def test_zero_keeps_every_joint():
    kept = keep_certain(video(label(0, 'propagated', [0.0, 0.0])), 0)
    assert kept.persons[0].visibility.tolist() == [2, 1]


def test_propagated_labels_are_no_truth():
    require_given([video(label(0, 'given', None))], 'the test')
    mixed = video(label(0, 'given', None), label(1, 'propagated', [1.0, 1.0]))
    with pytest.raises(InputError, match='the test needs ground truth labelled by hand, but 1 '):
        require_given([video(), mixed], 'the test')


def test_estimates_that_are_certain_become_given():
    (taken,) = accept_predictions(video(label(0, 'propagated', [0.5, 0.49])), 0.5).persons

    assert taken.source == 'given'
    assert taken.keypoint_sources.tolist() == ['given', 'propagated']
    assert taken.keypoints.tolist() == [[1.5, 2.0], [0.0, 0.0]]
    assert taken.visibility.tolist() == [2, 0]


def test_estimates_without_scores_are_certain_beside_others_that_have_scores():
    persons = (label(0, 'propagated', None), label(1, 'propagated', [0.5, 0.5]))
    (taken,) = accept_predictions(video(*persons), 1).persons
    assert taken.frame_index == 0
    assert taken.given.all()


def test_given_joints_stay_given_whatever_their_scores():
    mixed = PersonLabel(
        0, POSE, [2, 2], 1, scores=[0.1, 0.9], keypoint_sources=['given', 'propagated']
    )
    (taken,) = accept_predictions(video(mixed), 0.5).persons
    assert taken.given.all()


def test_whoever_nobody_gave_is_left_out():
    uncertain = label(0, 'propagated', [0.1, 0.2])
    absent = PersonLabel(1, np.zeros((2, 2)), [0, 0], 1, source='absent')
    gone = PersonLabel(2, np.zeros((2, 2)), [0, 0], 1)

    assert accept_predictions(video(uncertain, absent, gone), 0.5).persons == (gone,)


def test_estimates_alone_are_nothing_to_start_from():
    with pytest.raises(InputError, match=r'poses\.csv holds 1 pose estimated by a network'):
        require_start(video(label(0, 'propagated', None)), 'poses.csv')


def test_the_command_can_be_copied_if_the_file_has_a_blank_in_its_name():
    scored = label(0, 'propagated', [0.5, 0.5])
    with pytest.raises(InputError, match=r"`stdpose convert 'my poses\.csv' labels\.json"):
        require_start(video(scored), 'my poses.csv')


def test_one_given_pose_is_something_to_start_from():
    require_start(video(label(0, 'propagated', None), label(1, 'given', None)), 'poses.csv')
    require_start(video(), 'poses.csv')


def test_estimates_without_scores_are_not_taken_as_given():
    with pytest.raises(InputError, match=r'have no scores, so none .* at least 0\.8'):
        accept_predictions(video(label(0, 'propagated', None)), 0.8)


def test_scores_of_given_labels_judge_no_estimate():
    persons = label(0, 'given', [0.9, 0.9]), label(1, 'propagated', None)
    with pytest.raises(InputError, match='have no scores'):
        accept_predictions(video(*persons), 0.8)


def test_scores_are_not_advised_for_a_file_without_them():
    with pytest.raises(InputError, match=r'label some frames$'):
        require_start(video(label(0, 'propagated', None)), 'dense.csv')


@pytest.mark.parametrize(
    ('count', 'said'),
    [
        (1, 'none of the 1 given label of a.json has a'),
        (2, 'none of the 2 given labels of a.json has a'),
    ],
)
def test_given_labels_without_any_joint_are_refused(count: int, said: str):
    nobody = [label(frame, 'given', None, (0, 0)) for frame in range(count)]
    with pytest.raises(InputError, match=f'^{said} labelled joint, .*, label the joints'):
        require_start(video(*nobody, label(3, 'propagated', None)), 'a.json')


def test_a_given_label_without_a_joint_may_stand_beside_others():
    require_start(video(label(0, 'given', None, (0, 0)), label(1, 'given', None)), 'a.json')
    require_start(video(), 'a.json')
