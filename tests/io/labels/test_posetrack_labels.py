import gzip
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.labels import read_labels, read_posetrack18, sniff_format, write_posetrack18
from stdpose_mm.structures import POSETRACK_SKELETON, VideoFrame, VideoLabels
from support.paths import ROOT

GOLDEN = ROOT / 'tests' / 'data' / 'posetrack_eval' / 'pt17'
CONVERTER = ROOT / 'tools' / 'dataset_converters' / 'posetrack17_to_posetrack18.py'


def write_file(
    path: Path, keypoints: Sequence[float], images: Any = None, **annotation: Any
) -> Path:
    joints = [f'joint {i}' for i in range(len(keypoints) // 3)]
    images = images or [{'id': 5, 'file_name': '000000.jpg'}]
    document = {
        'images': images,
        'annotations': [{'image_id': images[0]['id'], 'keypoints': keypoints, **annotation}],
        'categories': [{'id': 1, 'name': 'person', 'keypoints': joints}],
    }
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ('v', 'convention', 'visibility'),
    [
        ((1, 0, 0, 1), None, [2, 1, 0, 2]),
        # A two anywhere means that of COCO.
        ((1, 0, 0, 2), None, [1, 0, 0, 2]),
        ((1, 0, 0, 1), 'coco', [1, 0, 0, 1]),
    ],
)
def test_posetracks_visibility_is_translated(
    tmp_path: Path, v: tuple[int, ...], convention: Any, visibility: list[int]
):
    places = [(3, 4), (5, 6), (0, 0), (0, 7)]
    joints = [n for place, flag in zip(places, v, strict=True) for n in (*place, flag)]
    path = write_file(tmp_path / 'a.json', joints)

    assert read_posetrack18(path, convention).persons[0].visibility.tolist() == visibility


@pytest.mark.parametrize(
    ('image', 'visibility', 'people'),
    [({}, None, 0), ({}, 'posetrack', 1), ({'is_labeled': True}, None, 1)],
)
def test_an_entry_that_holds_nothing_counts_in_posetracks_own_files_only(
    tmp_path: Path, image: dict, visibility: Any, people: int
):
    """There its evaluator counts it, as it does in predictions."""
    images = [{'id': 5, 'file_name': '000000.jpg', **image}]
    path = write_file(tmp_path / 'a.json', [0] * 6, images, track_id=1, scores=[])

    assert sniff_format(path) == 'posetrack18'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', InputWarning)
        assert len(read_posetrack18(path, visibility).persons) == people


def test_written_visibility(tmp_path: Path):
    path = write_file(tmp_path / 'a.json', [3, 4, 1, 5, 6, 0, 0, 0, 0], track_id=2, person_id=40)
    labels = read_posetrack18(path)
    written = []
    for official in (False, True):
        write_posetrack18(labels, tmp_path / 'b.json', official=official)
        written.append(json.loads((tmp_path / 'b.json').read_text())['annotations'][0])

    assert labels.persons[0].track_id == 2
    assert written[0]['keypoints'] == [3, 4, 2, 5, 6, 1, 0, 0, 0]
    assert written[0]['source'] == 'given'
    assert written[1]['keypoints'] == [3, 4, 1, 5, 6, 0, 0, 0, 0]
    fields = {'id', 'image_id', 'category_id', 'track_id', 'person_id', 'keypoints', 'scores'}
    assert set(written[1]) == fields
    # That of PoseTrack21 stays.
    assert written[1]['person_id'] == 40


@pytest.mark.parametrize(
    ('images', 'indices'),
    [
        ([{'id': 1, 'file_name': 'v/000004.jpg'}, {'id': 2, 'file_name': 'v/000002.jpg'}], [4, 2]),
        (
            [
                {'id': 1, 'file_name': '000004.jpg', 'frame_index': 0},
                {'id': 2, 'file_name': '000002.jpg', 'frame_index': 9},
            ],
            [0, 9],
        ),
        ([{'id': 1, 'file_name': 'a.jpg'}, {'id': 2, 'file_name': 'b.jpg'}], [0, 1]),
        ([{'id': 1, 'file_name': 'a/7.jpg'}, {'id': 2, 'file_name': 'b/7.jpg'}], [0, 1]),
        ([{'id': 1}, {'id': 2}], [0, 1]),
        ([{'id': 1, 'file_name': '00000021_crop.jpg'}], [21]),
    ],
)
def test_frame_indices(tmp_path: Path, images: list[dict], indices: list[int]):
    labels = read_posetrack18(write_file(tmp_path / 'a.json', [3, 4, 1], images))

    assert [frame.index for frame in labels.frames] == indices
    assert labels.persons[0].frame_index == indices[0]


@pytest.mark.parametrize(
    ('fields', 'first_number'),
    [({}, None), ({'is_labeled': True}, 0), ({'nframes': 30}, 0), ({'frame_id': 10342000001}, 0)],
)
def test_posetracks_own_pictures_are_counted_from_zero(
    tmp_path: Path, fields: dict[str, Any], first_number: int | None
):
    """Of other files nothing says where their numbers start."""
    images = [{'id': 1, 'file_name': 'v/000004.jpg', **fields}]
    labels = read_posetrack18(write_file(tmp_path / 'a.json', [3, 4, 1], images))

    assert labels.numbering is not None
    assert (labels.numbering.kind, labels.numbering.first_number) == ('names', first_number)


@pytest.mark.parametrize(
    ('numbers', 'frame_numbers', 'nframes', 'first_number'),
    [
        ((3, 7), (3, 7), 30, 0),
        # Pictures that were named anew, from 1 on.
        ((4, 8), (3, 7), 30, 1),
        ((3, 7), (4, 8), 30, 0),
        # PoseTrack's files of 2017 count from 1, also when converted.
        ((1, 30), (1, 30), 30, 1),
        ((0, 29), (0, 29), 30, 0),
        ((1, 29), (1, 29), 30, 0),
    ],
)
def test_posetracks_frame_ids_tell_where_names_start(
    tmp_path: Path,
    numbers: Sequence[int],
    frame_numbers: Sequence[int],
    nframes: int,
    first_number: int,
):
    images = [
        {
            'id': 10003420000 + frame,
            'frame_id': 10003420000 + frame,
            'file_name': f'v/{number:06d}.jpg',
            'nframes': nframes,
        }
        for number, frame in zip(numbers, frame_numbers, strict=True)
    ]
    path = write_file(tmp_path / 'a.json', [3, 4, 1], images)
    numbering = read_posetrack18(path).numbering

    assert sniff_format(path) == 'posetrack18'
    assert numbering is not None
    assert (numbering.kind, numbering.conflict) == ('names', '')
    assert numbering.first_number == first_number


def test_files_without_joint_names_have_posetracks(tmp_path: Path):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({'images': [], 'categories': [{'id': 1, 'name': 'person'}]}))

    assert read_posetrack18(path).skeleton == POSETRACK_SKELETON


def test_posetrack17_joints_have_their_names_and_frames_are_counted_from_zero(tmp_path: Path):
    path = GOLDEN / 'annolist' / '000342_mpii.json'
    labels = read_labels(path)
    joints = labels.persons[0].keypoints.tolist()
    first = dict(zip(labels.skeleton.keypoint_names, joints, strict=True))

    assert first['head_bottom'] == [120.96, 183.93]
    assert first['right_wrist'] == [102.07, 230.8]
    document = {'annolist': [{'image': [{'name': 'images\\bonn\\000342_mpii\\00000021.jpg'}]}]}
    (tmp_path / 'a.json').write_text(json.dumps(document))
    assert [*read_labels(tmp_path / 'a.json')] == [20]


@pytest.mark.parametrize(
    ('folder', 'numbers', 'indices', 'ids'),
    [
        ('mpii_5sec/00044_mpii_step1', (1, 2), [0, 1], [10000440001, 10000440002]),
        # PoseTrack18's names, as the benchmark's converter leaves them.
        ('val/000342_mpii_test', (0, 1), [0, 1], [10003420000, 10003420001]),
        ('bonn/000010_bonn', (21, 22), [20, 21], [20000100021, 20000100022]),
    ],
)
def test_folders_and_numbers_of_posetrack17(
    tmp_path: Path, folder: str, numbers: Sequence[int], indices: list[int], ids: list[int]
):
    names = [f'images/{folder}/{number:08d}.jpg' for number in numbers]
    document = {'annolist': [{'image': [{'name': name}], 'annorect': []} for name in names]}
    (tmp_path / 'a.json').write_text(json.dumps(document))
    labels = read_labels(tmp_path / 'a.json')

    assert [frame.index for frame in labels.frames] == indices
    assert [frame.image_id for frame in labels.frames] == ids


@pytest.mark.parametrize(
    ('folder', 'ids'),
    [('000342_mpii_test', [10003420000, 10003420001]), ('my_clip', [1, 2])],
)
def test_the_official_form_has_posetracks_ids(tmp_path: Path, folder: str, ids: list[int]):
    """PoseTrack21's evaluation wants those of its labels."""
    frames = tuple(VideoFrame(n, f'{folder}/{n:06d}.jpg', n + 1) for n in range(2))
    labels = VideoLabels('a', POSETRACK_SKELETON, frames, ())
    write_posetrack18(labels, tmp_path / 'a.json', official=True)

    images = json.loads((tmp_path / 'a.json').read_text())['images']
    assert [image['id'] for image in images] == ids


@pytest.mark.parametrize(
    ('image', 'people'),
    [
        ({'is_labeled': False, 'has_labeled_person': True}, 0),
        ({'is_labeled': True, 'has_labeled_person': True}, 1),
        # PoseTrack18's evaluator does not read is_labeled.
        ({'is_labeled': False}, 1),
    ],
)
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_frames_of_posetrack21_that_have_boxes_only_are_not_labelled(
    tmp_path: Path, image: dict, people: int
):
    images = [{'id': 5, 'file_name': '000000.jpg', **image}]
    path = write_file(tmp_path / 'a.json', [0] * 6, images, track_id=1, bbox=[1, 2, 30, 40])

    assert len(read_posetrack18(path).labelled_frame_indices) == people
    assert len(read_posetrack18(path, 'posetrack').labelled_frame_indices) == people


def test_conversion_of_posetrack17_agrees_with_the_official_one(tmp_path: Path, run_tool: Callable):
    code, errors = run_tool(CONVERTER, GOLDEN / 'annolist', tmp_path / 'out')

    assert code == 0, errors
    expected, written = (
        {path.name: json.loads(path.read_text()) for path in folder.iterdir()}
        for folder in (GOLDEN / 'expected18', tmp_path / 'out')
    )
    assert written == expected


def test_conversion_reports_unknown_sequences(tmp_path: Path, run_tool: Callable):
    source = GOLDEN / 'annolist' / '000342_mpii.json'
    (tmp_path / 'in').mkdir()
    text = source.read_text().replace('000342_mpii', '000001_bonn')
    (tmp_path / 'in' / '000001_bonn.json.gz').write_bytes(gzip.compress(text.encode()))
    code, errors = run_tool(CONVERTER, tmp_path / 'in', tmp_path / 'out')

    assert code == 0
    assert '000001_bonn' in errors
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['000001_bonn.json']
    first = json.loads((tmp_path / 'out' / '000001_bonn.json').read_text())['images'][0]
    assert first['id'] == 2 * 10**10 + 1 * 10**4 + 1


def test_the_folder_of_the_pictures_names_the_converted_file(tmp_path: Path, run_tool: Callable):
    """The files as distributed have other names."""
    (tmp_path / 'in').mkdir()
    text = (GOLDEN / 'annolist' / '000342_mpii.json').read_text()
    (tmp_path / 'in' / '000342_mpii_relpath_5sec_testsub.json').write_text(text)
    code, errors = run_tool(CONVERTER, tmp_path / 'in', tmp_path / 'out')

    assert (code, errors) == (0, '')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['000342_mpii_test.json']


def test_conversion_writes_nothing_if_a_file_is_wrong(tmp_path: Path, run_tool: Callable):
    (tmp_path / 'in').mkdir()
    good = (GOLDEN / 'annolist' / '000342_mpii.json').read_text()
    (tmp_path / 'in' / '000342_mpii.json').write_text(good)
    (tmp_path / 'in' / 'wrong.json').write_text('{"annolist": 3}')
    code, errors = run_tool(CONVERTER, tmp_path / 'in', tmp_path / 'out')

    assert code == 2
    assert len(errors.splitlines()) == 1
    assert 'wrong.json: annolist must be a list of objects, got 3' in errors
    assert not (tmp_path / 'out').exists()
