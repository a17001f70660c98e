"""Joints of different data sets that mean the same place."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.structures import POSETRACK_SKELETON, Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.structures.joint_names import name_distance, spell_out
from stdpose_mm.structures.joint_sets import JOINT_SETS


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('left_shoulder', 'left shoulder'),
        ('LShoulder', 'left shoulder'),
        ('shoulder_l', 'left shoulder'),
        ('Shoulder-R', 'right shoulder'),
        ('leftShoulder', 'left shoulder'),
        ('L_F_Paw', 'left front paw'),
        ('hind_paw_left', 'left back paw'),
        ('forefinger1', 'index 1'),
        ('index_finger_1', 'index 1'),
        ('pinky_finger4', 'pinky 4'),
        ('TailBase', 'tail base'),
        ('Root of tail', 'root tail'),
        ('joint', 'joint'),
    ],
)
def test_names_in_full_words(name, words):
    assert spell_out(name) == words


def named(labels: tuple[str, ...], model: tuple[str, ...]) -> dict[str, str]:
    mapping = JointMapping.by_meaning(Skeleton(labels), Skeleton(model))
    assert mapping is not None
    return {labels[a]: model[b] for a, b in zip(mapping.shared, mapping.in_model, strict=True)}


def test_labels_of_posetrack_and_a_network_of_coco_share_all_but_the_head():
    names = POSETRACK_SKELETON.keypoint_names
    shared = named(names, JOINT_SETS['coco'])
    assert set(names) - set(shared) == {'head_bottom', 'head_top'}
    assert all(name == other for name, other in shared.items())


HAND, AP10K = JOINT_SETS['hand'], JOINT_SETS['ap10k']


@pytest.mark.parametrize(
    ('labels', 'model', 'found'),
    [
        # Neighbours of the neck are found, the closest first.
        ('neck left_wrist belly', JOINT_SETS['mpii'], ['upper_neck', 'left_wrist', None]),
        ('head_bottom head_top pelvis', JOINT_SETS['halpe26'], ['neck', 'head', 'hip']),
        # Of two spellings, the one of the network gets its joint.
        ('LHip left_hip', ('left_hip',), [None, 'left_hip']),
        # No joint of the network stands for two.
        ('upper_neck neck', ('neck',), [None, 'neck']),
        ('neck thorax', ('upper_neck', 'thorax'), ['upper_neck', 'thorax']),
        # Hands and animals of other projects.
        ('WRIST THUMB_1 PINKY_4', HAND, ['wrist', 'thumb1', 'pinky_finger4']),
        ('INDEX_FINGER_2', HAND, ['forefinger2']),
        ('nose left_front_paw right_back_paw', AP10K, ['Nose', 'L_F_Paw', 'R_B_Paw']),
        ('tail_base', AP10K, ['Root of tail']),
    ],
)
def test_joints_of_other_names_find_those_of_a_network(labels, model, found):
    labels = tuple(labels.split())
    shared = named(labels, model)
    assert [shared.get(name) for name in labels] == found


def test_the_closer_in_meaning_the_smaller_the_distance():
    names = ('neck', 'Neck', 'upper_neck', 'head_bottom', 'thorax', 'nose')
    assert [name_distance('neck', name) for name in names] == [0, 1, 2, 3, 4, None]


def test_left_is_never_right():
    assert name_distance('left_hip', 'right_hip') is None
    assert name_distance('left_hip', 'hip') is None
    assert JointMapping.by_meaning(Skeleton(('left_hip',)), Skeleton(('right_hip', 'nose'))) is None


@pytest.mark.parametrize('name', sorted(JOINT_SETS))
def test_every_set_of_joints_finds_itself(name):
    skeleton = Skeleton(JOINT_SETS[name])
    mapping = JointMapping.by_meaning(skeleton, skeleton)
    assert mapping is not None
    np.testing.assert_array_equal(mapping.in_model, np.arange(skeleton.num_keypoints))


def test_joints_of_the_same_name_are_reordered_and_others_are_zero():
    labels, model = Skeleton(('tail', 'nose', 'hip')), Skeleton(('hip', 'ear', 'nose', 'tail'))
    needed, trained = np.array([False, True, True]), np.array([True, True, True, False])
    mapping = JointMapping.by_name(labels, model, needed, trained)
    assert (mapping.shared.tolist(), mapping.in_model.tolist()) == ([1, 2], [2, 0])
    of_labels = np.array([[1, 10], [2, 20], [3, 30]])
    assert mapping.to_model(of_labels).tolist() == [[3, 30], [0, 0], [2, 20], [0, 0]]
    of_model = np.array([[5, 50], [6, 60], [7, 70], [8, 80]])
    assert mapping.to_labels(of_model).tolist() == [[0, 0], [7, 70], [5, 50]]


def test_a_labelled_joint_that_the_model_was_not_trained_on_is_refused():
    labels, model = Skeleton(('tail', 'nose')), Skeleton(('nose', 'tail'))
    with pytest.raises(InputError, match=r'use tail, which the model does not know .*: nose\)'):
        JointMapping.by_name(labels, model, np.array([True, True]), np.array([True, False]))
