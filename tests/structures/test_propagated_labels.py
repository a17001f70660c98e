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


def label(frame, source, scores, visibility=(2, 1), **fields):
    return PersonLabel(frame, POSE, visibility, 1, scores=scores, source=source, **fields)


def mixed(scores):
    """A given and a propagated joint."""
    sources = ['given', 'propagated']
    return label(0, 'given', scores, (2, 2), keypoint_sources=sources)


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
    (kept,) = keep_certain(video(mixed([0.1, 0.2])), 0.5).persons
    assert kept.visibility.tolist() == [2, 0]
    with pytest.raises(InputError, match='but 1 of the 1 poses'):
        require_given([video(mixed([0.1, 0.2]))], 'the test')


def test_zero_keeps_every_joint():
    kept = keep_certain(video(label(0, 'propagated', [0.0, 0.0])), 0)
    assert kept.persons[0].visibility.tolist() == [2, 1]


def test_propagated_labels_are_no_truth():
    require_given([video(label(0, 'given', None))], 'the test')
    both = video(label(0, 'given', None), label(1, 'propagated', [1.0, 1.0]))
    with pytest.raises(InputError, match='the test needs ground truth labelled by hand, but 1 '):
        require_given([video(), both], 'the test')


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
    (taken,) = accept_predictions(video(mixed([0.1, 0.9])), 0.5).persons
    assert taken.given.all()


def test_whoever_nobody_gave_is_left_out():
    uncertain = label(0, 'propagated', [0.1, 0.2])
    absent = PersonLabel(1, np.zeros((2, 2)), [0, 0], 1, source='absent')
    gone = PersonLabel(2, np.zeros((2, 2)), [0, 0], 1)

    assert accept_predictions(video(uncertain, absent, gone), 0.5).persons == (gone,)


@pytest.mark.parametrize('other', [label(1, 'propagated', None), label(1, 'given', None, (0, 0))])
def test_one_given_pose_is_something_to_start_from(other):
    require_start(video(label(0, 'given', None), other), 'poses.csv')
    require_start(video(), 'poses.csv')


@pytest.mark.parametrize('given', [[], [label(0, 'given', [0.9, 0.9])]])
def test_estimates_without_scores_are_not_taken_as_given(given):
    with pytest.raises(InputError, match=r'have no scores, so none .* at least 0\.8'):
        accept_predictions(video(*given, label(1, 'propagated', None)), 0.8)


ESTIMATE = label(3, 'propagated', None)
NOWHERE = [label(frame, 'given', None, (0, 0)) for frame in range(2)]


@pytest.mark.parametrize(
    ('persons', 'file', 'said'),
    [
        ([ESTIMATE], 'poses.csv', r'^poses\.csv holds 1 pose estimated by a network'),
        # Scores are not advised for a file without them.
        ([ESTIMATE], 'dense.csv', r'label some frames$'),
        # The command can be copied.
        ([label(0, 'propagated', [0.5, 0.5])], 'my a.csv', r"`stdpose convert 'my a\.csv' lab"),
        (
            [NOWHERE[0], ESTIMATE],
            'a',
            '^none of the 1 given label of a has a labelled joint, .*, la',
        ),
        ([*NOWHERE, ESTIMATE], 'a', '^none of the 2 given labels of a has a labelled joint, .*, l'),
    ],
)
def test_without_a_given_joint_there_is_nothing_to_start_from(persons, file, said):
    with pytest.raises(InputError, match=said):
        require_start(video(*persons), file)
