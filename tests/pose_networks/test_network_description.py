"""Descriptions of networks: which are refused, and which presets there are."""

from __future__ import annotations

from itertools import chain

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.pose_networks.network_description import PRESETS, NetworkDescription
from stdpose_mm.structures.joint_names import name_distance
from stdpose_mm.structures.joint_sets import JOINT_SETS
from support.paths import ROOT


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        ('{', 'cannot be used'),
        ('[]', 'at least joints'),
        ('{"output": "simcc"}', 'at least joints'),
        ('{"joints": "cocoa"}', "joints must be .* got 'cocoa'"),
        ('{"joints": ["a", "a"]}', 'appears twice'),
        ('{"joints": 3}', 'joints must be a list of names or'),
        ('{"joints": [1]}', 'must be non-empty strings'),
        ('{"joints": "coco", "size": 3}', 'expected an object with joints, output'),
        ('{"joints": "coco", "output": "points"}', 'output must be one of heatmap, simcc'),
        ('{"joints": "coco", "output": []}', 'output must be one of heatmap, simcc'),
        ('{"joints": "coco", "activation": "tanh"}', 'activation must be one of none, sigmoid'),
        ('{"joints": "coco", "std": [1, 0, 1]}', 'std must be three numbers above 0'),
        ('{"joints": "coco", "mean": "grey"}', 'mean must be three numbers'),
        ('{"joints": "coco", "input_size": [192]}', 'input_size must be width and height'),
        ('{"joints": "coco", "input_size": [192.5, 256]}', 'input_size must be width and height'),
        ('{"joints": "coco", "padding": true}', 'padding must be a number of at least 0.1'),
        ('{"joints": "coco", "sharpness": NaN}', 'sharpness must be a number above 0'),
    ],
)
def test_bad_descriptions_are_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / 'dot.json'
    path.write_text(content)
    with pytest.raises(InputError, match=sentence) as caught:
        NetworkDescription.read(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_every_preset_is_named_in_the_guide():
    guide = (ROOT / 'docs/guide/own_network.md').read_text()
    assert [name for name in PRESETS if f'`{name}`' not in guide] == []


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
