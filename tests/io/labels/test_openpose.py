import json
import re
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.labels import match_frames, read_labels, sniff_format, write_labels
from stdpose_mm.io.video import ArrayFrames
from support.foreign_labels import openpose, openpose_person, write_json

BODY_25 = [float(n) for joint in range(25) for n in (100 + joint, 200 + joint, 0.5)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The output of --write_json for frames 0 and 12 of squat.mp4."""
    missing = [0.0, 0.0, 0.0, *BODY_25[3:]]
    people = openpose_person(*BODY_25), openpose_person(*missing)
    write_json(tmp_path / 'json' / 'squat_000000000012_keypoints.json', openpose(*people))
    write_json(tmp_path / 'json' / 'squat_000000000000_keypoints.json', openpose())
    return tmp_path / 'json'


@pytest.fixture
def labels(folder: Path):
    with pytest.warns(InputWarning, match=r'25 keypoints, they are read .* BODY_25'):
        return read_labels(folder)


def test_the_model_is_known_by_the_number_of_joints(labels):
    names = labels.skeleton.keypoint_names
    assert (names[0], names[1], names[8], names[24]) == ('nose', 'neck', 'mid_hip', 'right_heel')
    assert labels.skeleton.flip_indices[names.index('left_big_toe')] == 22


def test_frames_are_counted_in_the_names(labels):
    assert [frame.index for frame in labels.frames] == [0, 12]
    assert labels.persons[0].frame_index == 12


@pytest.mark.parametrize(('length', 'frames'), [(13, [1, 12]), (12, [0, 11]), (20, [1, 12])])
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_frames_count_from_0_unless_the_video_is_too_short(
    tmp_path: Path, length: int, frames: list[int]
):
    """OpenPose names the files of pictures after them, and FFmpeg counts these from 1."""
    for number in (1, 12):
        content = openpose(openpose_person(*BODY_25))
        write_json(tmp_path / 'json' / f'{number:012}_keypoints.json', content)
    video = ArrayFrames(np.zeros((length, 16, 16, 3), np.uint8), name='squat.mp4')

    matched = match_frames(read_labels(tmp_path / 'json'), video)
    assert list(matched.labelled_frame_indices) == frames


def test_joints_are_estimates_with_their_confidence(labels):
    first, second = labels.persons

    assert first.source == second.source == 'propagated'
    assert first.keypoints[4].tolist() == [104, 204]
    assert set(first.scores.tolist()) == {0.5}
    assert second.visibility.tolist() == [0] + [2] * 24


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_somebody_without_a_joint_is_nobody(tmp_path: Path):
    people = openpose_person(5, 6, 0.5, 0, 0, 0), openpose_person(*[0] * 6)
    path = write_json(tmp_path / 'a_keypoints.json', openpose(*people))

    with pytest.warns(InputWarning, match='1 entry with neither a joint nor a box'):
        assert len(read_labels(path).persons) == 1


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_an_object_without_fields_is_nobody(tmp_path: Path):
    """As Pose2Sim writes them for people whom a camera does not see."""
    people = {}, openpose_person(5, 6, 0.5), {}
    write_json(tmp_path / 'json' / 'squat_0.json', openpose(*people))
    write_json(tmp_path / 'json' / 'squat_1.json', openpose({}))

    labels = read_labels(tmp_path / 'json')
    assert [frame.index for frame in labels.frames] == [0, 1]
    assert [p.keypoints.tolist() for p in labels.persons] == [[[5, 6]]]


def test_a_file_alone_and_the_older_field(tmp_path: Path):
    person = {'pose_keypoints': [float(n) for n in range(2, 56)]}
    path = write_json(tmp_path / 'a_keypoints.json', {'version': 0.1, 'people': [person]})

    assert sniff_format(path) == 'openpose'
    with pytest.warns(InputWarning, match='model COCO'):
        labels = read_labels(path)
    assert labels.skeleton.keypoint_names[16:] == ('right_ear', 'left_ear')


def test_another_number_of_joints_is_numbered(tmp_path: Path):
    person = openpose_person(5, 6, 0.5, 7, 8, 0.25)
    path = write_json(tmp_path / 'a_keypoints.json', openpose(person))

    with pytest.warns(InputWarning, match='as joint_0 to joint_1'):
        assert read_labels(path).skeleton.keypoint_names == ('joint_0', 'joint_1')


def test_identities_of_openpose_tracking(tmp_path: Path):
    people = (openpose_person(5, 6, 0.5, person_id=i) for i in (3, 0))
    path = write_json(tmp_path / 'a_keypoints.json', openpose(*people))

    with pytest.warns(InputWarning):
        assert [p.track_id for p in read_labels(path).persons] == [3, 0]


# Pose2Sim's HALPE_26: name of a joint -> its place in the files, in Pose2Sim's own tree.
POSE2SIM = {
    'Hip': 19,
    'RHip': 12,
    'RKnee': 14,
    'RAnkle': 16,
    'RBigToe': 21,
    'RSmallToe': 23,
    'RHeel': 25,
    'LHip': 11,
    'LKnee': 13,
    'LAnkle': 15,
    'LBigToe': 20,
    'LSmallToe': 22,
    'LHeel': 24,
    'Neck': 18,
    'Head': 17,
    'Nose': 0,
    'RShoulder': 6,
    'RElbow': 8,
    'RWrist': 10,
    'LShoulder': 5,
    'LElbow': 7,
    'LWrist': 9,
}


def test_26_joints_are_those_of_pose2sim_and_are_written_in_their_order(tmp_path: Path):
    joints = [float(n) for joint in range(26) for n in (100 + joint, 200 + joint, 0.5)]
    name = 'cam01_000007.json'
    write_json(tmp_path / 'in' / name, openpose(openpose_person(*joints)))
    with pytest.warns(InputWarning, match='26 keypoints, they are read in the order of Halpe'):
        labels = read_labels(tmp_path / 'in')

    names, sides = labels.skeleton.keypoint_names, {'R': 'right', 'L': 'left'}
    for theirs, place in POSE2SIM.items():
        words = [sides.get(word, word.lower()) for word in re.findall('[A-Z][a-z]*', theirs)]
        assert names[place] == '_'.join(words)
    # COCO's eyes and ears, which Pose2Sim leaves out of its tree.
    assert names[1:5] == ('left_eye', 'right_eye', 'left_ear', 'right_ear')
    assert labels.skeleton.flip_indices[20:] == (21, 20, 23, 22, 25, 24)
    write_labels(labels, tmp_path / 'out', 'openpose')
    (person,) = json.loads((tmp_path / 'out' / name).read_text())['people']
    assert person['pose_keypoints_2d'] == joints


def test_17_joints_are_those_of_coco(tmp_path: Path):
    path = write_json(tmp_path / 'a_keypoints.json', openpose(openpose_person(*BODY_25[:51])))

    with pytest.warns(InputWarning, match='in the order of COCO'):
        assert read_labels(path).skeleton.keypoint_names[-1] == 'right_ankle'
