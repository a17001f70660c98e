"""The joints of well-known networks, in their order."""

from __future__ import annotations

from itertools import chain

import pytest

from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.joint_names import name_distance
from stdpose_mm.structures.joint_sets import (
    FURTHER_JOINT_SETS,
    JOINT_SETS,
    is_of_people,
    known_skeleton,
)


def test_the_joints_and_limbs_of_coco_are_those_of_its_annotations():
    """As in ``person_keypoints_val2017.json``, whose limbs count the joints from 1."""
    parts = ['eye', 'ear', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle']
    names = ['nose', *(f'{side}_{part}' for part in parts for side in ('left', 'right'))]
    limbs = [(16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8)]
    limbs += [(7, 9), (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)]
    coco = known_skeleton('coco')
    assert [*coco.keypoint_names] == names
    assert [(a + 1, b + 1) for a, b in coco.limbs] == limbs


def test_coco_with_feet_is_coco_with_neck_hip_and_the_feet_of_openpose():
    joints, coco = JOINT_SETS['coco25'], JOINT_SETS['coco']
    assert [name for name in joints if name in coco] == [*coco]
    # As easy_ViTPose numbers them.
    assert {n: joints[n] for n in (5, 14)} == {5: 'neck', 14: 'hip'}
    assert joints[19:] == FURTHER_JOINT_SETS['openpose-body-25'][19:]


def test_the_joints_of_blazepose_are_those_of_mediapipe():
    joints = JOINT_SETS['blazepose']
    assert len(joints) == 39
    numbered = {0: 'nose', 1: 'left_eye_inner', 6: 'right_eye_outer', 7: 'left_ear'}
    numbered |= {9: 'mouth_left', 11: 'left_shoulder', 14: 'right_elbow', 15: 'left_wrist'}
    numbered |= {18: 'right_pinky', 19: 'left_index', 22: 'right_thumb', 23: 'left_hip'}
    numbered |= {26: 'right_knee', 27: 'left_ankle', 30: 'right_heel', 32: 'right_foot_index'}
    assert {number: joints[number] for number in numbered} == numbered


def test_auxiliary_points_of_blazepose_are_no_joints_of_others():
    others = chain(*(names for name, names in JOINT_SETS.items() if name != 'blazepose'))
    auxiliary = JOINT_SETS['blazepose'][33:]
    assert len(auxiliary) == 6
    assert all(name_distance(joint, point) is None for joint in others for point in auxiliary)


LEGS = tuple(f'{side}_{joint}' for joint in ('hip', 'knee', 'ankle') for side in ('left', 'right'))
ARMS = tuple(
    f'{side}_{joint}' for joint in ('shoulder', 'elbow', 'wrist') for side in ('left', 'right')
)


@pytest.mark.parametrize(
    ('joints', 'expected'),
    [
        (JOINT_SETS['coco'], True),
        (JOINT_SETS['mpii'], True),
        (JOINT_SETS['ap10k'], False),
        (JOINT_SETS['hand'], False),
        (JOINT_SETS['face'], False),
        (('nose', *ARMS), True),
        (ARMS, False),
        (('nose', *LEGS[:4], *ARMS[:4]), False),
    ],
    ids=['coco', 'mpii', 'quadruped', 'hand', 'face', 'upper body', 'six joints', 'no limb ends'],
)
def test_seven_joints_of_a_body_with_a_wrist_or_an_ankle_are_a_person(joints, expected):
    assert is_of_people(Skeleton(joints, category='subject')) == expected


def test_the_legs_of_a_mouse_are_not_taken_for_a_person():
    assert not is_of_people(Skeleton(LEGS))
