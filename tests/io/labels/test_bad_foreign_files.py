"""Wrong files of other tools: one sentence that names the file, the field and the value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import (
    read_all_labels,
    read_coco_results,
    read_deeplabcut,
    read_label_studio,
    read_labelme,
    read_labels,
    read_mmpose,
    read_openpose,
    read_yolo_pose,
)
from support.damaged_files import DAMAGED, MISSING, Place, changed
from support.foreign_labels import (
    MMPOSE_META,
    labelme,
    labelme_shape,
    mmpose_instance,
    openpose,
    openpose_person,
    studio_region,
    studio_task,
)

pytestmark = pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')

NAN, INFINITE, HUGE = float('nan'), float('inf'), 1e8
DEEP: Any = json.loads('[' * 400 + ']' * 400)

LABELME = labelme(
    'a_1.jpg',
    labelme_shape('nose', [[1, 2]], group_id=1),
    labelme_shape('hand', [[3, 4]], group_id=1),
    labelme_shape('person', [[0, 0], [5, 6]], group_id=1, shape_type='rectangle'),
)
SHAPE: Place = ('shapes', 0)
LABELME_MISTAKES: list[tuple[Place, Any, str]] = [
    (('shapes',), MISSING, 'shapes is missing'),
    (('shapes',), {}, r'shapes must be a list of objects, got \{\}'),
    (('shapes',), [], 'holds no shape of the type point'),
    (SHAPE, 'nose', r"shapes\[0\] must be an object, got 'nose'"),
    ((*SHAPE, 'label'), MISSING, r'shapes\[0\]\.label is missing'),
    ((*SHAPE, 'label'), 3, r'shapes\[0\]\.label must be a string, got 3'),
    ((*SHAPE, 'label'), '', 'keypoint names must be non-empty'),
    ((*SHAPE, 'label'), 'hand', r'shapes\[1\]\.label must be another joint .* of this group'),
    ((*SHAPE, 'points'), [], r'shapes\[0\]\.points must be a list of one point'),
    ((*SHAPE, 'points'), [[1, 2], [3, 4]], r'shapes\[0\]\.points must be a list of one point'),
    ((*SHAPE, 'points'), [[1]], r'points must be a list of lists of 2 numbers'),
    ((*SHAPE, 'points'), [['1', 2]], r"points\[0\] must be a number .* got '1'"),
    ((*SHAPE, 'points'), [[NAN, 2]], r'points\[0\] must be a number .* got nan'),
    ((*SHAPE, 'points'), [[INFINITE, 2]], 'got inf'),
    ((*SHAPE, 'points'), [[HUGE, 2]], 'got 100000000'),
    ((*SHAPE, 'points'), [[10**400, 2]], 'got 1000'),
    ((*SHAPE, 'points'), DEEP, r'points'),
    ((*SHAPE, 'group_id'), 'a', r"group_id must be a whole number, got 'a'"),
    ((*SHAPE, 'group_id'), True, r'group_id must be a whole number, got True'),
    ((*SHAPE, 'group_id'), 2**70, r'group_id must be a whole number'),
    ((*SHAPE, 'flags'), [1], r'flags must be an object, got \[1\]'),
    ((*SHAPE, 'shape_type'), 5, r'shape_type must be a string, got 5'),
    (('shapes', 2, 'points'), [[1, 2]], r'shapes\[2\]\.points must be a list of two corners'),
    (('imagePath',), 7, 'imagePath must be a string, got 7'),
    (('imageWidth',), 0, r'imageWidth must be a whole number in 1\.\..* got 0'),
    (('imageHeight',), '48', "imageHeight must be .* got '48'"),
]

STUDIO = [
    studio_task(
        '/data/upload/1/frame_3.jpg',
        studio_region('a', 'keypointlabels', 'nose', x=1, y=2, parentID='b'),
        studio_region('b', 'rectanglelabels', 'person', x=1, y=2, width=3, height=4),
        studio_region('c', 'keypointlabels', 'hand', x=1, y=2, parentID='b'),
    )
]
REGION: Place = (0, 'annotations', 0, 'result', 0)
STUDIO_MISTAKES: list[tuple[Place, Any, str]] = [
    ((0,), 'task', r"tasks\[0\] must be an object, got 'task'"),
    ((0, 'annotations'), 3, r'tasks\[0\]\.annotations must be a list of objects, got 3'),
    ((0, 'annotations'), [], 'holds no key points'),
    (
        (0, 'annotations', 0, 'was_cancelled'),
        'no',
        r"was_cancelled must be true or false, got 'no'",
    ),
    ((0, 'annotations'), STUDIO[0]['annotations'] * 2, 'several with one marked as ground truth'),
    ((0, 'annotations', 0, 'result'), {}, r'annotations\[0\]\.result must be a list of objects'),
    ((0, 'predictions'), 'x', None),
    ((*REGION, 'type'), 3, r'result\[0\]\.type must be a string, got 3'),
    ((*REGION, 'id'), MISSING, r'result\[0\]\.id is missing'),
    ((*REGION, 'id'), 'b', "region id of .* 'b' appears twice"),
    ((*REGION, 'value'), MISSING, r'result\[0\]\.value is missing'),
    ((*REGION, 'value'), [1], r'result\[0\]\.value must be an object, got \[1\]'),
    ((*REGION, 'value', 'x'), MISSING, r'value\.x is missing'),
    ((*REGION, 'value', 'x'), '1', r"value\.x must be a number .* got '1'"),
    ((*REGION, 'value', 'x'), NAN, r'value\.x must be a number .* got nan'),
    ((*REGION, 'value', 'y'), HUGE, r'value\.y must be a number .* got 100000000'),
    ((*REGION, 'value', 'keypointlabels'), [], r'keypointlabels must be a list of one label'),
    ((*REGION, 'value', 'keypointlabels'), ['a', 'b'], 'must be a list of one label'),
    ((*REGION, 'value', 'keypointlabels'), 'nose', 'must be a list of strings'),
    ((*REGION, 'value', 'keypointlabels'), ['hand'], r'result\[2\] is a second hand of one person'),
    ((*REGION, 'original_width'), MISSING, r'result\[0\]\.original_width is missing'),
    ((*REGION, 'original_height'), 0, r'original_height must be .* got 0'),
    ((*REGION, 'original_width'), 320, r'regions of tasks\[0\] are of pictures of'),
    ((*REGION, 'image_rotation'), 90, r'image_rotation must be 0; turn .* got 90'),
    ((*REGION, 'parentID'), 5, r'parentID must be a string, got 5'),
    ((0, 'data'), MISSING, r'tasks\[0\]\.data is missing'),
    ((0, 'data', 'image'), MISSING, r'tasks\[0\]\.data must be an object with one picture'),
    ((0, 'data', 'image'), 3, r'data\.image must be a string, got 3'),
]
STUDIO_MISTAKES = [mistake for mistake in STUDIO_MISTAKES if mistake[2] is not None]

OPENPOSE = openpose(openpose_person(10, 20, 0.5, 30, 40, 0.25))
POSE: Place = ('people', 0, 'pose_keypoints_2d')
OPENPOSE_MISTAKES: list[tuple[Place, Any, str]] = [
    (('people',), MISSING, 'people is missing'),
    (('people',), None, 'people must be a list of objects'),
    (('people',), 'many', "people must be a list of objects, got 'many'"),
    (('people',), [], 'holds people of 0 numbers of joints'),
    (('people', 0), [], r'people\[0\] must be an object, got \[\]'),
    (POSE, MISSING, r'people\[0\]\.pose_keypoints is missing'),
    (POSE, {}, r'pose_keypoints_2d must be a list of x, y, confidence'),
    (POSE, 'abc', r'pose_keypoints_2d must be a list'),
    (POSE, [1, 2], r'pose_keypoints_2d must be a list of x, y, confidence'),
    (POSE, [], 'holds people of 0 numbers of joints'),
    (POSE, [5, 6, 0.5] * 1001, '1001 keypoints a person, expected 1..1000'),
    ((*POSE, 0), '1', r"pose_keypoints_2d\[0\] must be a number .* got '1'"),
    ((*POSE, 0), None, r'pose_keypoints_2d\[0\] must be a number .* got None'),
    ((*POSE, 1), NAN, r'pose_keypoints_2d\[1\] must be a number .* got nan'),
    ((*POSE, 1), INFINITE, 'got inf'),
    ((*POSE, 2), HUGE, 'got 100000000'),
    ((*POSE, 0), 10**400, 'got 1000'),
    ((*POSE, 0), [1], r'got \[1\]'),
    ((*POSE, 0), True, 'got True'),
    (POSE, [0.1, 0.2, 0.5, 0.3, 0.4, 0.25], 'fractions of the picture, expected pixels'),
    (('people', 0, 'person_id'), 'x', r'people\[0\]\.person_id must be a list of numbers'),
    (('people', 0, 'person_id'), [HUGE], r'person_id\[0\] must be a number'),
    (('people',), [openpose_person(1, 2, 0.5, person_id=1)] * 2, 'person 1 appears twice'),
    (
        ('people',),
        [openpose_person(5, 6, 1), openpose_person(*[5, 6, 1] * 2)],
        r'people of 2 numbers of joints \[1, 2\]',
    ),
]

MMPOSE = {
    'meta_info': {k: v for k, v in MMPOSE_META.items() if not isinstance(v, dict) or 'id2' in k},
    'instance_info': [
        {'frame_id': 1, 'instances': [mmpose_instance([[1, 2], [3, 4]], [0.5, 0.25])]},
        {'frame_id': 2, 'instances': []},
    ],
}
INSTANCE: Place = ('instance_info', 0, 'instances', 0)
MMPOSE_MISTAKES: list[tuple[Place, Any, str]] = [
    (('instance_info',), 7, 'instance_info must be a list of objects, got 7'),
    (('instance_info', 0), 7, r'instance_info\[0\] must be an object, got 7'),
    (('instance_info', 0, 'frame_id'), MISSING, r'instance_info\[0\]\.frame_id is missing'),
    (('instance_info', 0, 'frame_id'), -1, r'frame_id must be .* got -1'),
    (('instance_info', 0, 'frame_id'), 'a', r"frame_id must be .* got 'a'"),
    (('instance_info', 0, 'frame_id'), 10**9, r'frame_id must be .* got 1000000000'),
    (('instance_info', 0, 'frame_id'), 2, 'frame_id 2 appears twice'),
    (('instance_info', 1, 'instances'), 'x', r"instance_info\[1\]\.instances must be .* got 'x'"),
    ((*INSTANCE,), [1], r'instances\[0\] must be an object'),
    ((*INSTANCE, 'keypoints'), MISSING, r'instances\[0\]\.keypoints is missing'),
    ((*INSTANCE, 'keypoints'), [[1, 2]], r'keypoints must be a list of 2 points'),
    ((*INSTANCE, 'keypoints'), [[1, 2, 3]] * 2, 'keypoints must be a list of lists of 2 numbers'),
    ((*INSTANCE, 'keypoints', 0, 1), NAN, 'keypoints.* got nan'),
    ((*INSTANCE, 'keypoints', 0, 1), HUGE, 'keypoints.* got 100000000'),
    ((*INSTANCE, 'keypoints', 0, 1), 'x', "keypoints.* got 'x'"),
    ((*INSTANCE, 'keypoints'), DEEP, 'keypoints'),
    ((*INSTANCE, 'keypoint_scores'), MISSING, 'keypoint_scores is missing'),
    ((*INSTANCE, 'keypoint_scores'), [1], 'keypoint_scores must be a list of 2'),
    ((*INSTANCE, 'keypoint_scores', 0), INFINITE, r'keypoint_scores\[0\] .* got inf'),
    ((*INSTANCE, 'bbox'), [1, 2, 3], r'bbox must be a list of 4 numbers, got a list of 3'),
    ((*INSTANCE, 'bbox'), [[9, 9, 3, 4]], 'bbox must be corners'),
    ((*INSTANCE, 'bbox'), 'all', 'bbox must be a list of 4 numbers'),
    ((*INSTANCE, 'track_id'), 0.5, r'track_id must be a whole number, got 0\.5'),
    (('meta_info',), [], r'meta_info must be an object, got \[\]'),
    (('meta_info', 'keypoint_id2name'), MISSING, r'meta_info\.keypoint_id2name is missing'),
    (('meta_info', 'keypoint_id2name', '1'), MISSING, r'keypoint_id2name\.1 is missing'),
    (('meta_info', 'keypoint_id2name', '1'), 'nose', "'nose' appears twice"),
    (('meta_info', 'num_keypoints'), 10**9, 'num_keypoints must be a whole number in 1..1000'),
    (('meta_info', 'skeleton_links'), [[0, 9]], r'limb \(0, 9\)'),
    (('meta_info', 'skeleton_links'), 'x', 'skeleton_links must be a list of lists of 2 numbers'),
]

RESULTS = [
    {'image_id': 1, 'category_id': 1, 'keypoints': [1, 2, 0.5, 3, 4, 0.25], 'score': 0.5},
    {'image_id': 2, 'category_id': 1, 'keypoints': [1, 2, 0.5, 3, 4, 0.25], 'score': 0.5},
]
RESULTS_MISTAKES: list[tuple[Place, Any, str]] = [
    ((0,), 3, r'results\[0\] must be an object, got 3'),
    ((1,), None, r'results\[1\] must be an object, got None'),
    ((1, 'image_id'), MISSING, r'results\[1\]\.image_id is missing'),
    ((0, 'image_id'), -1, r'results\[0\]\.image_id must be .* got -1'),
    ((0, 'image_id'), 0.5, r'results\[0\]\.image_id must be .* got 0\.5'),
    ((0, 'image_id'), True, r'results\[0\]\.image_id must be .* got True'),
    ((0, 'image_id'), [1], r'results\[0\]\.image_id must be .* got \[1\]'),
    ((0, 'image_id'), 10**18, 'image_id must be a whole number in'),
    ((0, 'image_id'), '', "image_id must be .* got ''"),
    ((0, 'frame_index'), -1, 'frame_index must be'),
    ((1, 'keypoints'), MISSING, r'results\[1\]\.keypoints is missing'),
    ((0, 'keypoints'), [], '0 keypoints a person, expected 1..1000'),
    ((1, 'keypoints'), [1, 2, 3], r'results\[1\]\.keypoints must be a list of 6 .* list of 3'),
    ((0, 'keypoints'), [1, 2, 3, 4], r'results\[0\]\.keypoints must be a list of 3 .* list of 4'),
    ((0, 'keypoints'), {}, r'results\[0\]\.keypoints must be a list of numbers'),
    ((0, 'keypoints', 0), NAN, r'keypoints\[0\] must be a number .* got nan'),
    ((0, 'keypoints', 0), INFINITE, r'keypoints\[0\] must be a number .* got inf'),
    ((0, 'keypoints', 0), 10**400, r'keypoints\[0\] must be a number .* got 1000'),
    ((0, 'keypoints', 0), '1', r"keypoints\[0\] must be a number .* got '1'"),
    ((0, 'keypoints'), DEEP, r'keypoints'),
    ((0, 'bbox'), [1, 2, -3, 4], r'bbox must be .* got \[1, 2, -3, 4\]'),
    ((0, 'bbox'), [1, 2], 'bbox must be a list of 4 numbers'),
    ((0, 'track_id'), 'a', r"track_id must be a whole number, got 'a'"),
    ((0, 'track_id'), 2**70, 'track_id must be a whole number'),
]

LINE = '0 0.5 0.5 0.2 0.4 0.25 0.5 2 0.75 1.0 1'
YAML = 'kpt_shape: [2, 3]\nkpt_names: {0: [nose, hand]}\nnames: {0: person}\n'
# The label file, data.yaml, and what the message must tell.
YOLO_MISTAKES: list[tuple[str, str, str]] = [
    ('', YAML, 'holds nobody'),
    ('person 0.5', YAML, r"line 1 is 'person 0\.5', expected the numbers class"),
    ('0 0.5 0.5 0.2 0.4', YAML, 'has 5 numbers, a box without joints'),
    (LINE + ' 0.5 3 7', YAML, 'holds 9 numbers for the joints of a person, expected 2 x 3'),
    (LINE + '\n' + LINE + ' 0.5', YAML, 'lines of 6 and of 7 numbers for the joints'),
    (LINE.replace('0.25', 'nan'), YAML, 'expected the numbers'),
    (LINE.replace('0.25', 'inf'), YAML, 'expected the numbers'),
    (LINE.replace('0.25', '1e300'), YAML, 'expected the numbers'),
    (LINE.replace('0.25', '0,25'), YAML, 'expected the numbers'),
    (LINE.replace('0.25', '320'), YAML, 'line 1 is not in fractions of the picture'),
    (LINE.replace('0.2 ', '-0.2 '), YAML, 'line 1 is not in fractions of the picture'),
    ('-1' + LINE[1:], YAML, 'expected the numbers'),
    ('0.5' + LINE[1:], YAML, 'expected the numbers'),
    (LINE.replace('0.5 2', '0.5 3'), YAML, r'v beyond 0\.\.1'),
    (LINE, 'kpt_shape: [2', 'is not YAML'),
    (LINE, 'kpt_shape: two', r"kpt_shape must be a list of 2 numbers, got 'two'"),
    (LINE, 'kpt_shape: [2, 4]', 'kpt_shape must be the number of joints, and 2 or 3'),
    (LINE, 'kpt_shape: [0.5, 3]', 'kpt_shape must be the number of joints'),
    (LINE, 'kpt_shape: [1000000, 3]', 'kpt_shape must be the number of joints'),
    (LINE, 'kpt_shape: [3, 3]', 'holds 6 numbers .* expected 3 x 3'),
    (LINE, '- 1\n- 2', r'must be an object, got \[1, 2\]'),
    (LINE, YAML.replace('hand', 'nose'), "'nose' appears twice"),
    (LINE, YAML.replace('hand', '3'), 'kpt_names.names must be a list of strings'),
    (LINE, YAML.replace(', hand', ''), 'names 1 joints'),
    (LINE, YAML.replace('{0: [nose, hand]}', '{0: [a, b], 1: [c, d]}'), 'the same names for every'),
    (LINE, 'a: &a [1]\nb: [*a, *a]', r'has aliases \(\*name\)'),
    (LINE, '!!python/object/apply:os.system ["true"]', 'is not YAML'),
    (LINE, '[' * 5000, 'is nested deeper than 32 levels'),
    (LINE, '- ' * 5000, 'is nested deeper than 32 levels'),
    (LINE, '{a: ' * 5000, 'is nested deeper than 32 levels'),
    (LINE, '[1, 2', 'is not YAML'),
]

HEADER = """\
scorer,net,net,net,net,net,net
individuals,a,a,a,b,b,b
bodyparts,nose,nose,nose,nose,nose,nose
coords,x,y,likelihood,x,y,likelihood
"""
PREDICTED = HEADER + '0,1,2,0.5,3,4,0.25\n1,,,,5,6,0.75\n'
DEEPLABCUT_MISTAKES: list[tuple[str, str, str]] = [
    ('scorer', 'person', 'expected header rows scorer'),
    ('individuals', 'animals', 'expected header rows scorer'),
    ('bodyparts', 'joints', 'expected header rows scorer'),
    ('coords', 'xy', 'expected header rows scorer'),
    ('coords,x,y,likelihood', 'coords,x,likelihood,y', 'columns of coords must be'),
    ('coords,x,y,likelihood', 'coords,x,y,z', 'columns of coords must be'),
    (',x,y,likelihood\n', ',x,y\n', 'header rows must have equally many columns'),
    ('individuals,a,a,a', 'individuals,a,a,c', 'columns 2 to 4 must be x, y, likelihood of one'),
    ('bodyparts,nose,nose,nose', 'bodyparts,nose,eye,nose', 'columns 2 to 4'),
    ('individuals,a,a,a,b,b,b', 'individuals' + ',a' * 6, "bodypart of 'a' 'nose' appears twice"),
    ('bodyparts,nose,nose,nose', 'bodyparts,,,', 'non-empty'),
    ('0,1,2,0.5,3', '0,1,2,0.5', 'row 5 must have 7 columns .* got 6'),
    ('0,1,2', '0,one,2', "nose of frame 0 must be two numbers .* got 'one,2,0.5'"),
    ('0,1,2', '0,,2', r"nose of frame 0 must be two numbers .* got ',2,0.5'"),
    ('0,1,2', '0,inf,2', 'nose of frame 0 must be two numbers'),
    ('0,1,2', '0,1e9,2', 'nose of frame 0 must be two numbers'),
    ('0,1,2,0.5', '0,1,2,inf', 'nose of frame 0 must be two numbers'),
    ('0,1,2,0.5', '0,1,2,high', 'nose of frame 0 must be two numbers'),
    ('\n1,', '\n0,', 'frame 0 appears twice'),
    ('\n1,', '\n99999999,', 'frame 99999999 is beyond 1e7'),
    ('\n1,', '\n' + '9' * 5000 + ',', 'is beyond 1e7'),
    ('scorer,', '"scorer,', 'expected header rows scorer'),
    ('scorer' + ',net' * 6, 'scorer' + ',' * 6, 'empty scorer, expected the name of the network'),
]


def assert_refused(read: Callable[[Path], Any], path: Path, told: str | None = None) -> None:
    with pytest.raises(InputError, match=told) as caught:
        read(path)
    message = str(caught.value)
    assert str(path.parent) in message
    assert '\n' not in message
    assert len(message) < 400 + len(str(path))


def outcome(read: Callable[..., Any], path: Path, *arguments: Any) -> None:
    """Check that a file is read, or refused in one sentence that names it."""
    message = f'{path} was read'
    try:
        read(path, *arguments)
    except InputError as error:
        message = str(error)
    assert str(path) in message
    assert '\n' not in message


JSON_MISTAKES = [
    pytest.param(read, document, *mistake, id=f'{read.__name__}-{i}')
    for read, document, mistakes in (
        (read_labelme, LABELME, LABELME_MISTAKES),
        (read_label_studio, STUDIO, STUDIO_MISTAKES),
        (read_openpose, OPENPOSE, OPENPOSE_MISTAKES),
        (read_mmpose, MMPOSE, MMPOSE_MISTAKES),
        (read_coco_results, RESULTS, RESULTS_MISTAKES),
    )
    for i, mistake in enumerate(mistakes)
]
JSON_READERS = {
    'labelme': LABELME,
    'label-studio': STUDIO,
    'openpose': OPENPOSE,
    'mmpose': MMPOSE,
    'coco-results': RESULTS,
}


@pytest.mark.parametrize(('read', 'document', 'place', 'value', 'told'), JSON_MISTAKES)
def test_json(
    tmp_path: Path, read: Callable, document: Any, place: Place, value: Any, told: str
) -> None:
    path = tmp_path / 'labels_1.json'
    path.write_text(json.dumps(changed(document, place, value)))

    assert_refused(read, path, told)


@pytest.mark.parametrize(('text', 'config', 'told'), YOLO_MISTAKES)
def test_yolo_pose(tmp_path: Path, text: str, config: str, told: str) -> None:
    (tmp_path / 'f_1.txt').write_text(text)
    (tmp_path / 'data.yaml').write_text(config)

    assert_refused(lambda path: read_yolo_pose(path, (64, 48)), tmp_path / 'f_1.txt', told)


@pytest.mark.parametrize(('old', 'new', 'told'), DEEPLABCUT_MISTAKES)
def test_deeplabcut(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in PREDICTED
    path = tmp_path / 'clip.csv'
    path.write_text(PREDICTED.replace(old, new, 1))

    assert_refused(read_deeplabcut, path, told)


@pytest.mark.parametrize('format', JSON_READERS)
@pytest.mark.parametrize(('data', 'told'), DAMAGED)
def test_damaged_files(tmp_path: Path, format: str, data: bytes, told: str) -> None:
    path = tmp_path / 'labels.json'
    path.write_bytes(data)

    assert_refused(lambda file: read_labels(file, format), path)


@pytest.mark.parametrize('format', [*JSON_READERS, 'yolo-pose', 'deeplabcut', 'lightning-pose'])
@pytest.mark.parametrize('kind', ['missing', 'empty folder', 'bytes', 'gzip of nothing'])
def test_files_that_are_none(tmp_path: Path, format: str, kind: str) -> None:
    path = tmp_path / 'labels'
    if kind == 'empty folder':
        path.mkdir()
    elif kind == 'bytes':
        path.write_bytes(bytes(range(256)) * 40)
    elif kind == 'gzip of nothing':
        path.write_bytes(b'\x1f\x8b\x08\x00')

    assert_refused(lambda file: read_labels(file, format), path)


def test_a_zip_bomb_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    monkeypatch.setattr('stdpose_mm.io.labels.fields.MAX_UNZIPPED', 10**6)
    path = tmp_path / 'labels.json.gz'
    path.write_bytes(gzip.compress(b' ' * 10**7))

    assert_refused(read_all_labels, path, 'larger than')


@pytest.mark.parametrize('depth', [100, 400, 900, 5000])
def test_deep_nesting_in_fields_that_nobody_reads(tmp_path: Path, depth: int) -> None:
    path = tmp_path / 'labels.json'
    nested = '[' * depth + ']' * depth
    path.write_text(json.dumps(STUDIO).replace('"image":', f'"deep": {nested}, "picture":'))
    outcome(read_all_labels, path, 'label-studio')

    category = {'id': 1, 'name': 'person', 'keypoints': ['nose']}
    coco = json.dumps({'images': [{'id': 1, 'x': 0}], 'annotations': [], 'categories': [category]})
    path.write_text(coco.replace('"x": 0', f'"x": {nested}'))
    outcome(read_all_labels, path, 'coco')


@pytest.mark.parametrize('name', ['labelme', 'openpose', 'mmpose'])
def test_a_folder_with_a_foreign_file_names_that_file(tmp_path: Path, name: str) -> None:
    (tmp_path / 'a_1.json').write_text(json.dumps(JSON_READERS[name]))
    (tmp_path / 'a_2.json').write_text('{"settings": 1}')

    with pytest.raises(InputError, match=r'a_2\.json'):
        read_labels(tmp_path, name)


def test_a_folder_of_two_kinds_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'a_1.json').write_text(json.dumps(LABELME))
    (tmp_path / 'a_1.txt').write_text(LINE)

    with pytest.raises(InputError, match='of YOLO-pose and of labelme, say which'):
        read_labels(tmp_path)


def test_an_export_of_label_studio_without_regions_is_told_apart(tmp_path: Path) -> None:
    """JSON-MIN has the points under the name of their tag, and no tasks."""
    path = tmp_path / 'min.json'
    path.write_text(json.dumps([{'id': 1, 'image': 'a.jpg', 'kp-1': [{'x': 1, 'y': 2}]}]))

    assert_refused(read_all_labels, path, 'is no label file of a known format')


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(document: Any, so_far: Place = ()) -> list[Place]:
    """All places of a document."""
    found = [so_far]
    if isinstance(document, (dict, list)):
        keys = document if isinstance(document, dict) else range(len(document))
        found += [p for key in keys for p in places(document[key], (*so_far, key))]
    return found


@pytest.mark.slow
@pytest.mark.parametrize('format', JSON_READERS)
@given(data=st.data())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_value_anywhere_is_read_or_refused(
    tmp_path: Path, format: str, data: st.DataObject
) -> None:
    document = JSON_READERS[format]
    place = data.draw(st.sampled_from(places(document)))
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(changed(document, place, data.draw(values))))

    outcome(read_all_labels, path, format)
