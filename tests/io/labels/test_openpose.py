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


def test_joints_are_estimates_with_their_confidence(tmp_path: Path):
    """The output of --write_json for frames 0 and 12 of squat.mp4."""
    missing = [0.0, 0.0, 0.0, *BODY_25[3:]]
    people = openpose_person(*BODY_25), openpose_person(*missing)
    write_json(tmp_path / 'squat_000000000012_keypoints.json', openpose(*people))
    write_json(tmp_path / 'squat_000000000000_keypoints.json', openpose())
    with pytest.warns(InputWarning, match=r'25 keypoints, they are read .* BODY_25'):
        labels = read_labels(tmp_path)
    first, second = labels.persons

    assert [frame.index for frame in labels.frames] == [0, 12]
    assert first.frame_index == 12
    assert first.source == second.source == 'propagated'
    assert first.keypoints[4].tolist() == [104, 204]
    assert set(first.scores.tolist()) == {0.5}
    assert second.visibility.tolist() == [0] + [2] * 24

    names = labels.skeleton.keypoint_names
    assert (names[0], names[1], names[8], names[24]) == ('nose', 'neck', 'mid_hip', 'right_heel')
    assert labels.skeleton.flip_indices[names.index('left_big_toe')] == 22


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


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_an_object_without_fields_or_joints_is_nobody(tmp_path: Path):
    """As Pose2Sim writes the former for people whom a camera does not see."""
    people = {}, openpose_person(5, 6, 0.5), {}, openpose_person(0, 0, 0)
    write_json(tmp_path / 'json' / 'squat_0.json', openpose(*people))
    write_json(tmp_path / 'json' / 'squat_1.json', openpose({}))

    with pytest.warns(InputWarning, match='1 entry with neither a joint nor a box'):
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


def test_identities_of_openpose_tracking(tmp_path: Path):
    people = (openpose_person(5, 6, 0.5, 7, 8, 0.25, person_id=i) for i in (3, 0))
    path = write_json(tmp_path / 'a_keypoints.json', openpose(*people))

    with pytest.warns(InputWarning, match='as joint_0 to joint_1'):
        labels = read_labels(path)
    assert labels.skeleton.keypoint_names == ('joint_0', 'joint_1')
    assert [p.track_id for p in labels.persons] == [3, 0]


# The joints of Pose2Sim's HALPE_26 by their place in the files; eyes and ears are not in its tree.
POSE2SIM = """Nose - - - - LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee
LAnkle RAnkle Head Neck Hip LBigToe RBigToe LSmallToe RSmallToe LHeel RHeel"""


def test_26_joints_are_those_of_pose2sim_and_are_written_in_their_order(tmp_path: Path):
    joints = [float(n) for joint in range(26) for n in (100 + joint, 200 + joint, 0.5)]
    name = 'cam01_000007.json'
    write_json(tmp_path / 'in' / name, openpose(openpose_person(*joints)))
    with pytest.warns(InputWarning, match='26 keypoints, they are read in the order of Halpe'):
        labels = read_labels(tmp_path / 'in')

    names, sides = labels.skeleton.keypoint_names, {'R': 'right', 'L': 'left'}
    for place, theirs in enumerate(POSE2SIM.split()):
        words = [sides.get(word, word.lower()) for word in re.findall('[A-Z][a-z]*', theirs)]
        assert theirs == '-' or names[place] == '_'.join(words)
    assert names[1:5] == ('left_eye', 'right_eye', 'left_ear', 'right_ear')
    assert labels.skeleton.flip_indices[20:] == (21, 20, 23, 22, 25, 24)
    write_labels(labels, tmp_path / 'out', 'openpose')
    (person,) = json.loads((tmp_path / 'out' / name).read_text())['people']
    assert person['pose_keypoints_2d'] == joints
