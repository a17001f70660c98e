import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import (
    match_frames,
    read_all_labels,
    read_labels,
    sniff_format,
    write_labels,
)
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.foreign_labels import write_picture
from support.label_samples import person, sample

# As Roboflow exports them: six digits, v of 0, 1 or 2.
LINE = '0 0.500000 0.250000 0.250000 0.500000 0.25 0.5 2 0.75 1.0 1 0 0 0'
CONFIG = """\
path: ../datasets/mice  # root
train: images/train
val: images/val
kpt_shape: [3, 3]
flip_idx: [0, 1, 2]
names:
  0: mouse
kpt_names:
  0:
    - snout
    - ear
    - tail
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = tmp_path / 'mice'
    for split, number in (('train', 3), ('val', 20)):
        write_picture(root / 'images' / split / f'frame_{number:04d}.jpg')
        labels = root / 'labels' / split / f'frame_{number:04d}.txt'
        labels.parent.mkdir(parents=True)
        labels.write_text(LINE + '\n')
    (root / 'data.yaml').write_text(CONFIG)
    return root


def files(folder: Path, **texts: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f'{name}.txt').write_text(text)
    return folder


def config(folder: Path, *lines: str) -> None:
    (folder / 'data.yaml').write_text('\n'.join(lines))


def test_a_data_set_is_one_video(dataset: Path):
    """Fractions become pixels of the picture beside; names are those of data.yaml."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        labels = read_labels(dataset)

    person = labels.persons[0]
    assert (labels.name, sniff_format(dataset)) == ('mice', 'yolo-pose')
    assert [(f.index, f.file_name, f.width, f.height) for f in labels.frames] == [
        (3, 'frame_0003.jpg', 64, 48),
        (20, 'frame_0020.jpg', 64, 48),
    ]
    assert person.keypoints.tolist() == [[16, 24], [48, 48], [0, 0]]
    assert person.visibility.tolist() == [2, 1, 0]
    assert person.bbox.tolist() == [24, 0, 16, 24]
    assert (person.source, person.track_id, person.scores) == ('given', None, None)
    skeleton = read_labels(dataset / 'data.yaml').skeleton
    assert (skeleton.keypoint_names, skeleton.category) == (('snout', 'ear', 'tail'), 'mouse')
    file = dataset / 'labels' / 'val' / 'frame_0020.txt'
    assert sniff_format(file) == 'yolo-pose'
    assert read_labels(file).persons[0].keypoints[0].tolist() == [16, 24]
    assert read_labels(file.parent).skeleton == skeleton


def test_the_size_may_be_said(dataset: Path):
    for picture in (dataset / 'images').rglob('*.jpg'):
        picture.unlink()

    with pytest.raises(InputError, match='--labels-size'):
        read_labels(dataset)
    # A file without lines is a picture with nobody.
    (dataset / 'labels' / 'val' / 'frame_0021.txt').write_text('')
    labels = read_labels(dataset, size=(640, 480))
    assert [(f.index, f.is_labeled) for f in labels.frames] == [(3, True), (20, True), (21, True)]
    assert labels.persons[0].keypoints.tolist() == [[160, 240], [480, 480], [0, 0]]
    assert labels.frames[0].file_name == 'frame_0003'


def test_a_picture_of_a_camera_held_upright_is_as_it_is_shown(tmp_path: Path):
    folder = files(tmp_path / 'a', f0=LINE)
    picture = write_picture(folder / 'f0.jpg')
    data = picture.read_bytes()
    # A segment with EXIF's orientation 6, a quarter turn, after the start of the file.
    tiff = b'MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
    body = b'Exif\0\0' + tiff
    picture.write_bytes(
        data[:2] + b'\xff\xe1' + (len(body) + 2).to_bytes(2, 'big') + body + data[2:]
    )
    assert cv2.imread(str(picture)).shape[:2] == (64, 48)

    with pytest.warns(InputWarning):
        frame = read_labels(folder).frames[0]
    assert (frame.width, frame.height) == (48, 64)


def test_numbers_that_can_be_two_or_three_a_joint_are_refused(tmp_path: Path):
    folder = files(tmp_path / 'a', f1='0 0.5 0.5 1 1 0.5 0.5 1 0.25 0.25 1')

    with pytest.raises(InputError, match=r'2 x 3 or 3 x 2, put a data\.yaml with kpt_shape'):
        read_labels(folder, size=(10, 10))
    config(folder, 'kpt_shape: [3, 2]')
    with pytest.warns(InputWarning):
        labels = read_labels(folder, size=(10, 10))
    assert labels.persons[0].keypoints.tolist() == [[5, 5], [10, 2.5], [2.5, 10]]


def test_without_v_a_joint_left_out_is_at_zero(tmp_path: Path):
    folder = files(tmp_path / 'a', f1='0 0.5 0.5 1 1 0.5 0.5 0 0')
    config(folder, 'kpt_shape: [2, 2]', 'kpt_names: {0: [a, b]}')

    assert read_labels(folder, size=(10, 10)).persons[0].visibility.tolist() == [2, 0]


@pytest.mark.parametrize(
    ('ending', 'track_id'), [('', None), (' 0.875', None), (' 7', 7), (' 0.875 7', 7)]
)
def test_what_a_model_saved_is_an_estimate(tmp_path: Path, ending: str, track_id: int | None):
    joints = '0.5 0.5 0.9375 0.25 0.75 0.5'
    folder = files(tmp_path / 'labels', clip_1=f'0 0.5 0.5 0.25 0.5 {joints}{ending}')
    config(folder, 'kpt_shape: [2, 3]', 'kpt_names: {0: [a, b]}', 'names: [mouse]')
    (person,) = read_labels(folder, size=(64, 48)).persons

    assert person.source == 'propagated'
    assert person.scores.tolist() == [0.9375, 0.5]
    assert person.keypoints.tolist() == [[32, 24], [16, 36]]
    assert person.track_id == track_id


@pytest.mark.parametrize(
    ('names', 'v', 'frames'),
    [
        # What save_txt writes of the frames of a video in which somebody is, from 1 on.
        (('clip_2', 'clip_16'), 0.9, [1, 15]),
        # Of pictures, and by hand, names are those of the pictures.
        (('clip_0002', 'clip_0016'), 0.9, None),
        (('clip_0001', 'clip_0016'), 2, [0, 15]),
        (('clip_0000', 'clip_0016'), 0.9, [0, 16]),
    ],
)
def test_frames_of_sparse_estimates(tmp_path: Path, names: tuple, v: float, frames: list | None):
    lines = dict.fromkeys(names, f'0 0.5 0.5 0.25 0.5 0.5 0.5 {v} 0.25 0.75 {v}')
    folder = files(tmp_path / 'labels', **lines)
    config(folder, 'kpt_shape: [2, 3]', 'kpt_names: {0: [a, b]}')
    labels = read_labels(folder, size=(64, 48))

    if frames is None:
        with pytest.raises(InputError, match=r'do not tell whether the first frame of .* 0 or 1'):
            match_frames(labels, None)
    else:
        assert list(match_frames(labels, None)) == frames


@pytest.mark.parametrize('confidence', ['', ' 0.875'])
def test_a_line_without_an_identity_is_of_somebody_unknown(tmp_path: Path, confidence: str):
    line = '0 0.5 0.5 0.25 0.5 0.5 0.5 0.9375 0.25 0.75 0.5' + confidence
    folder = files(tmp_path / 'labels', clip_1=f'{line} 7\n{line}', clip_2=f'{line}\n{line} 7')
    config(folder, 'kpt_shape: [2, 3]', 'kpt_names: {0: [a, b]}')
    persons = read_labels(folder, size=(64, 48)).persons

    assert [person.track_id for person in persons] == [7, None, None, 7]
    assert all(person.scores.tolist() == [0.9375, 0.5] for person in persons)
    assert {person.source for person in persons} == {'propagated'}


def test_folders_of_pictures_within_a_subset_are_videos(tmp_path: Path):
    """As CVAT exports a task of pictures in folders as Ultralytics YOLO Pose."""
    (tmp_path / 'task').mkdir()
    config(tmp_path / 'task', CONFIG)
    for folder in ('train', 'train/cam 1', 'Validation/cam 1', 'cam 2'):
        name = f'frame_{len(folder):06d}'
        files(tmp_path / 'task' / 'labels' / folder, **{name: LINE})
    write_picture(tmp_path / 'task' / 'images' / 'cam 2' / 'frame_000005.jpg')
    videos = read_all_labels(tmp_path / 'task', size=(64, 48))

    assert {labels.name: [f.file_name for f in labels.frames] for labels in videos} == {
        'task': ['frame_000005'],
        'cam 1': ['cam 1/frame_000011', 'cam 1/frame_000016'],
        'cam 2': ['cam 2/frame_000005.jpg'],
    }


@pytest.mark.parametrize(
    ('names', 'is_told'),
    [(('nose', 'a', 'b'), True), (('nose', 'l_a', 'r_a'), False), (('nose',), False)],
)
def test_a_data_set_without_mirrored_joints_is_told(tmp_path: Path, names: tuple, is_told: bool):
    pose = PersonLabel(0, np.full((len(names), 2), 9.0), np.full(len(names), 2))
    frames = (VideoFrame(0, 'a_0.jpg', None, 64, 48),)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        labels = VideoLabels('a', Skeleton(names), frames, (pose,))
        write_labels(labels, tmp_path / 'a', 'yolo-pose')
    told = ['no name of a joint tells left from right' in str(one.message) for one in notes]
    assert told == [True] * is_told


def test_a_line_of_any_length_is_of_labels(tmp_path: Path):
    """Wherever the start of the file that is looked at ends, such as in ``1e-05``."""
    joints = ' '.join(['1e-05 2e-05 2'] * 133)
    folder = files(
        tmp_path / 'labels',
        **{f'f_{n}': f'0 0.5 0.5 0.2 0.{"2" * n} {joints}' for n in range(1, 15)},
    )
    config(folder, 'kpt_shape: [133, 3]')

    assert len(read_labels(folder, size=(64, 48)).persons) == 14


def test_the_format_of_dense_lines_of_joints_is_found(tmp_path: Path):
    """Digits of joints can be split into numbers in many ways, none of which makes them boxes."""
    path = tmp_path / 'clip_1.txt'
    path.write_text('0 0.51 0.49 0.21 0.83 ' + '0.512345 0.123456 0.987654 ' * 17 + '3\n')

    assert sniff_format(path) == 'yolo-pose'


def test_a_data_set_is_written(tmp_path: Path):
    frames = tuple(replace(frame, width=100, height=50) for frame in sample().frames)
    there = person(0, bbox=[10, 5, 50, 40])
    made = person(2, source='propagated', scores=[0.5, 0, 0.75], bbox=None)
    write_labels(sample(frames=frames, persons=(there, made)), tmp_path / 'clip_yolo', 'yolo-pose')
    texts = {
        str(file.relative_to(tmp_path / 'clip_yolo')): file.read_text()
        for file in tmp_path.rglob('*.*')
    }

    assert texts == {
        'labels/000000.txt': '0 0.35 0.5 0.5 0.8 0.105 0.4 2 0 0 0 0.3 0.805 1\n',
        'labels/000001.txt': '',
        # The extent of the joints: x of 10.5 to 30, y of 20 to 40.25.
        'labels/000002.txt': '0 0.2025 0.6025 0.195 0.405 0.105 0.4 2 0 0 0 0.3 0.805 1\n',
        'data.yaml': """\
train: images
val: images
kpt_shape: [3, 3]
flip_idx: [0, 2, 1]
names: {0: person}
kpt_names:
  0: [nose, left_hand, right_hand]
scorer: stdpose
""",
    }


@pytest.mark.parametrize('source', ['given', 'propagated'])
def test_what_nobody_gave_comes_back_as_propagated(tmp_path: Path, source: str):
    people = (person(0, source=source), person(2))
    write_labels(sample(persons=people), tmp_path, 'yolo-pose')
    labels = read_labels(tmp_path, size=(640, 480))

    # As with DeepLabCut's tables, the folder is one or the other.
    assert [p.source for p in labels.persons] == [source] * 2
    assert labels.persons[0].visibility.tolist() == [2, 0, 1]
    is_labeled = True if source == 'given' else None
    assert [frame.is_labeled for frame in labels.frames] == [is_labeled] * 3


def test_what_lies_beyond_the_picture_is_left_out_with_a_warning(tmp_path: Path):
    """Ultralytics refuses the whole picture otherwise."""
    frames = tuple(replace(frame, width=25, height=40) for frame in sample().frames)
    gone = person(0, 1, keypoints=[[-5, 5], [0, 0], [5, 41]], bbox=[-9, 5, 9, 5])
    with pytest.warns(InputWarning, match='yolo: left out 3 joints beyond the border'):
        write_labels(
            sample(frames=frames, persons=(person(0), gone)), tmp_path / 'yolo', 'yolo-pose'
        )

    # The box of 5 to 75 and 6 to 86.5 is cut at 25 and 40.
    text = (tmp_path / 'yolo' / 'labels' / '000000.txt').read_text()
    assert text == '0 0.6 0.575 0.8 0.85 0.42 0.5 2 0 0 0 0 0 0\n'
