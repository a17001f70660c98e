"""OpenPose's files, as Pose2Sim reads them, written under the names that they were read by."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.io.labels import list_all_frames, read_labels, write_labels
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.structures import PersonLabel, VideoFrame, VideoLabels
from stdpose_mm.structures.propagated_labels import accept_predictions
from support.foreign_labels import openpose, openpose_person, write_json
from support.label_samples import person, sample

pytestmark = pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')


def written(labels: VideoLabels, folder: Path) -> dict[str, list[dict]]:
    """Name of a file -> the people in it."""
    write_labels(labels, folder, 'openpose')
    return {file.name: json.loads(file.read_text())['people'] for file in folder.iterdir()}


def test_a_joint_is_its_place_and_its_confidence(tmp_path: Path):
    gone = PersonLabel(1, np.zeros((3, 2)), np.zeros(3), track_id=0, source='absent')
    labels = sample(persons=(person(0, 7, scores=[0.5, 0.25, 0]), gone, person(2, None)))
    files = written(labels, tmp_path / 'clip_json')

    assert files['000000_keypoints.json'] == [
        {
            'person_id': [7],
            # A joint with a place and the score 0 would count as not found.
            'pose_keypoints_2d': [10.5, 20, 0.5, 0, 0, 0, 30, 40.25, 1e-6],
            'face_keypoints_2d': [],
            'hand_left_keypoints_2d': [],
            'hand_right_keypoints_2d': [],
        }
    ]
    # Frames without people have files, and absent people are not in them.
    assert files['000001_keypoints.json'] == []
    (alone,) = files['000002_keypoints.json']
    assert alone['person_id'] == [-1]
    assert alone['pose_keypoints_2d'][::3] == [10.5, 0, 30]
    assert alone['pose_keypoints_2d'][2::3] == [1, 0, 1]


READ = {
    # OpenPose's own, Pose2Sim's, and those of pictures that were given to OpenPose.
    'openpose': [f'squat_{n:012d}_keypoints.json' for n in (0, 3, 5)],
    'pose2sim': [f'cam01.v2_{n:06d}.json' for n in (0, 3, 5)],
    'pictures': [f'img{n:03d}_keypoints.json' for n in (0, 3, 5)],
}


@pytest.mark.parametrize('names', READ.values(), ids=READ)
def test_files_are_written_under_the_names_that_they_were_read_by(tmp_path: Path, names: list[str]):
    for shift, name in enumerate(names):
        joints = [float(n) for joint in range(25) for n in (joint + shift, 200.5, 0.9)]
        write_json(tmp_path / 'in' / name, openpose(openpose_person(*joints)))
    labels = read_labels(tmp_path / 'in')

    files = written(labels, tmp_path / 'out')
    assert sorted(files) == names
    for shift, name in enumerate(names):
        expected = [float(n) for joint in range(25) for n in (joint + shift, 200.5, 0.9)]
        assert files[name][0]['pose_keypoints_2d'] == expected

    # Added frames are named like those; as labels of the video, by another file.
    write_labels(accept_predictions(labels, 0.8), tmp_path / 'labels.json')
    labels = read_labels(tmp_path / 'labels.json')
    dense = list_all_frames(labels, ArrayFrames([np.zeros((9, 9, 3), np.uint8)] * 7))
    files = written(dense, tmp_path / 'dense')
    start, digits, end = re.fullmatch(r'(.*?)(0+)(\D*)', names[0]).groups()
    assert sorted(files) == [f'{start}{n:0{len(digits)}}{end}' for n in range(7)]
    assert [len(files[name]) for name in sorted(files)] == [1, 0, 0, 1, 0, 1, 0]


def test_numbers_of_files_may_begin_later(tmp_path: Path):
    names = [f'cam01_{n:06d}.json' for n in (100, 103, 105)]
    for name in names:
        write_json(tmp_path / 'in' / name, openpose(openpose_person(*[50.0, 60.0, 0.9] * 17)))

    assert sorted(written(read_labels(tmp_path / 'in'), tmp_path / 'out')) == names


@pytest.mark.parametrize(
    ('file_names', 'names'),
    [
        (['', '', ''], ['clip_000000000000', 'clip_000000000001', 'clip_000000000002']),
        (['cam/a.jpg', 'cam/b.png', 'cam/c.JPG'], ['a', 'b', 'c']),
        # Names that do not tell those of the others.
        (['a.jpg', 'b.jpg', ''], [f'clip_{n:012d}' for n in range(3)]),
        (['', 'f_001.jpg', ''], ['f_000', 'f_001', 'f_002']),
        # The first frame would have the number -1.
        (['', 'f_000.jpg', ''], [f'clip_{n:012d}' for n in range(3)]),
    ],
)
def test_files_of_other_labels_are_named_after_the_pictures_or_the_video(
    tmp_path: Path, file_names: list[str], names: list[str]
):
    frames = tuple(VideoFrame(i, file_name=name) for i, name in enumerate(file_names))
    files = written(sample(name='site/clip', frames=frames), tmp_path / 'out')

    assert sorted(files) == [f'{name}_keypoints.json' for name in names]
