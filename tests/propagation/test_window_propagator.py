from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.propagation import PerFramePropagator, STDPosePropagator, propagate_labels
from stdpose_mm.structures import Skeleton

POSE = np.array([[10, 10], [20, 10], [10, 30]], float)


class FakeModel:
    """Remembers its samples and answers with joint n at (frame, n) and score 0.1 n."""

    def __init__(self, names=('head', 'left_hand', 'right_hand'), untrained=()):
        self.skeleton = Skeleton(tuple(names))
        self.trained_joints = np.array([name not in untrained for name in names])
        self.samples = []
        self.batch_sizes = []

    def predict(self, samples):
        self.samples += samples
        self.batch_sizes.append(len(samples))
        joints = np.arange(self.skeleton.num_keypoints)
        return [
            (np.stack([np.full(len(joints), s['frame_index']), joints], axis=1), 0.1 * joints)
            for s in samples
        ]


def numbered_frames(num_frames):
    return np.arange(num_frames, dtype=np.uint8)[:, None, None, None] * np.ones((2, 2, 3), np.uint8)


@pytest.fixture
def propagate(video):
    def run(persons, num_frames, model=None, propagator_class=STDPosePropagator, batch_size=8):
        model = model or FakeModel()
        dense = propagate_labels(
            numbered_frames(num_frames),
            video(persons, num_frames),
            propagator_class(model, batch_size=batch_size),
        )
        return dense, {sample['frame_index']: sample for sample in model.samples}

    return run


def test_a_window_holds_the_labels_on_both_sides(propagate, label):
    _, samples = propagate([label(0, POSE), label(4, POSE + 4, [2, 0, 1])], 5)
    sample = samples[1]
    assert [int(picture[0, 0, 0]) for picture in sample['img']] == [0, 1, 4]
    assert sample['frame_indices'] == (0, 1, 4)
    assert sample['window_position'] == 0.25
    assert sample['aux_given'].tolist() == [True, True]
    np.testing.assert_array_equal(sample['aux_keypoints'][0], POSE)
    assert sample['aux_keypoints_visible'].tolist() == [[1, 1, 1], [1, 0, 1]]
    np.testing.assert_array_equal(sample['aux_keypoints'][1], [[14, 14], [0, 0], [14, 34]])


def test_beyond_the_last_label_the_other_frame_mirrors_the_distance(propagate, label):
    _, samples = propagate([label(1, POSE)], 9)
    assert samples[4]['frame_indices'] == (1, 4, 7)
    assert samples[4]['aux_given'].tolist() == [True, False]
    assert not samples[4]['aux_keypoints_visible'][1].any()
    assert samples[7]['frame_indices'] == (1, 7, 8)
    assert samples[0]['frame_indices'] == (0, 0, 1)
    assert samples[0]['aux_given'].tolist() == [False, True]
    np.testing.assert_array_equal(samples[0]['aux_keypoints'][1], POSE)
    assert samples[0]['aux_keypoints_visible'].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_per_frame_shows_the_key_frame_only(propagate, label):
    _, samples = propagate([label(0, POSE)], 5, propagator_class=PerFramePropagator)
    assert samples[3]['frame_indices'] == (3, 3, 3)
    assert samples[3]['aux_given'].tolist() == [False, False]
    assert not samples[3]['aux_keypoints_visible'].any()


def test_the_crop_is_the_interpolated_box_as_corners(propagate, label):
    persons = [label(0, POSE, bbox=[0, 0, 10, 20]), label(4, POSE, bbox=[8, 4, 10, 40])]
    _, samples = propagate(persons, 5)
    np.testing.assert_allclose(samples[1]['bbox'], [[2, 1, 12, 26]])


def test_the_model_s_pose_comes_out(propagate, label):
    dense, _ = propagate([label(0, POSE, [2, 1, 0])], 3)
    np.testing.assert_array_equal(dense.persons[2].keypoints, [[2, 0], [2, 1], [2, 2]])
    np.testing.assert_allclose(dense.persons[2].scores, [0, 0.1, 0.2])
    assert dense.persons[2].visibility.tolist() == [2, 1, 2]


def test_batches_run_across_people_and_frames(propagate, label):
    model = FakeModel()
    persons = [label(0, POSE, track_id=track) for track in range(3)]
    propagate(persons, 4, model, batch_size=4)
    assert model.batch_sizes == [4, 4, 1]
    keys = [(sample['frame_index'], sample['track_id']) for sample in model.samples]
    assert keys == [(frame, track) for frame in (1, 2, 3) for track in range(3)]


def test_joints_of_a_larger_skeleton_in_another_order_are_mapped_by_name(propagate, label):
    model = FakeModel(['tail', 'right_hand', 'head', 'left_hand'])
    dense, samples = propagate([label(0, POSE)], 2, model)
    np.testing.assert_array_equal(
        samples[1]['aux_keypoints'][0], [[0, 0], POSE[2], POSE[0], POSE[1]]
    )
    assert samples[1]['aux_keypoints_visible'][0].tolist() == [0, 1, 1, 1]
    np.testing.assert_array_equal(dense.persons[1].keypoints[:, 1], [2, 3, 1])


def test_an_unlabelled_joint_that_the_model_lacks_stays_not_labelled(propagate, label):
    model = FakeModel(['head', 'left_hand'])
    dense, _ = propagate([label(0, POSE, [2, 2, 0])], 2, model)
    assert dense.persons[1].visibility.tolist() == [2, 2, 0]
    assert dense.persons[1].scores[2] == 0


def test_a_joint_without_training_stays_not_labelled(propagate, label):
    model = FakeModel(untrained=['right_hand'])
    dense, _ = propagate([label(0, POSE, [2, 2, 0])], 2, model)
    assert dense.persons[1].visibility.tolist() == [2, 2, 0]


@pytest.mark.parametrize(
    'model', [FakeModel(['head', 'left_hand']), FakeModel(untrained=['right_hand'])]
)
def test_a_labelled_joint_that_the_model_cannot_estimate_is_refused(propagate, label, model):
    with pytest.raises(InputError, match='the labels use right_hand, which the model does not'):
        propagate([label(0, POSE)], 2, model)


def test_batch_size_must_be_positive():
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        STDPosePropagator(FakeModel(), batch_size=0)
