"""The joints of well-known networks, in their order."""

from __future__ import annotations

from itertools import chain

from stdpose_mm.structures.joint_names import name_distance
from stdpose_mm.structures.joint_sets import JOINT_SETS


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
