"""Questions that are answered once for all formats: who, where, which joint, which file."""

from __future__ import annotations

import gzip
import json
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.constants import LABEL_FORMATS, READ_FORMATS
from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import (
    follow_names,
    match_frames,
    read_all_labels,
    read_labels,
    sniff_format,
    write_labels,
)
from stdpose_mm.io.labels.joints import join_ungrouped, joint_order, unify_joint_names
from stdpose_mm.io.video import open_frames
from stdpose_mm.structures import CLASS_NAME, PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.tracking import assign_track_ids
from support.foreign_labels import write_picture
from support.frame_sources import ArrayFrames
from support.label_samples import content

pytestmark = pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')

SIZE = (320, 240)
JOINTS = ('head', 'left_hand', 'right_hand')
POSE = np.array([[60.25, 70.5], [90.75, 110.25], [40.5, 120.75]])

FORMATS = [
    name
    for name in READ_FORMATS
    if LABEL_FORMATS[name].write and not LABEL_FORMATS[name].package and name != 'posetrack21'
]
IN_PIXELS = [name for name in FORMATS if not LABEL_FORMATS[name].fractions]
STATED_IN_JSON = {
    'coco': 'track_id',
    'posetrack18': 'track_id',
    'coco-results': 'track_id',
    'mmpose': 'track_id',
    'openpose': 'person_id',
    'labelme': 'group_id',
}
"""Format -> the field with the identity."""


def person(
    frame: int, shift: float = 0.0, track_id: int | None = None, **extra: Any
) -> PersonLabel:
    pose = POSE + shift
    low, high = pose.min(axis=0), pose.max(axis=0)
    box = np.concatenate([low, high - low])
    return PersonLabel(frame, pose, np.full(3, 2), track_id, bbox=box, extra=extra)


def video(*people: PersonLabel, joints: tuple[str, ...] = JOINTS) -> VideoLabels:
    indices = sorted({person.frame_index for person in people})
    frames = tuple(VideoFrame(i, f'frame_{i:04}.jpg', None, *SIZE, True) for i in indices)
    return VideoLabels('clip', Skeleton(joints), frames, people)


def written(folder: Path, labels: VideoLabels, format: str) -> Path:
    """Write labels in a format, each time to another path."""
    place = folder / str(len([*folder.iterdir()]))
    place.mkdir()
    path = place / f'clip{LABEL_FORMATS[format].suffixes[0]}'
    write_labels(labels, path, format)
    return path


def edit(path: Path, change: Any) -> None:
    """Change the parsed JSON of a file, or of the files of a folder, in place."""
    for file in sorted(path.glob('*.json')) if path.is_dir() else [path]:
        data = json.loads(file.read_text())
        change(data)
        file.write_text(json.dumps(data))


def objects(value: Any) -> Any:
    """Yield all objects in a JSON value."""
    if isinstance(value, dict):
        yield value
    for item in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from objects(item)


def state_identities(path: Path, field: str, stated: dict[int, Any]) -> None:
    """Replace the identities 5 and 6 in the file."""

    def change(data: Any) -> None:
        for item in objects(data):
            value = item.get(field)
            value = value[0] if isinstance(value, list) else value
            if value in stated:
                item[field] = stated[value]

    edit(path, change)


# -- who ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('format', STATED_IN_JSON)
@pytest.mark.parametrize(
    ('stated', 'track_id', 'name'),
    [
        (-1, None, None),
        (-7, None, None),
        ('', None, None),
        (None, None, None),
        (8.0, 8, None),
        ('8', 8, None),
        ('8.0', 8, None),
        ('ann', 0, 'ann'),
        ('1_2', 0, '1_2'),
        ('12e3', 0, '12e3'),
        ('1234567890123456789', 0, '1234567890123456789'),
        ('-1', None, None),
        ('nan', None, None),
        (float('nan'), None, None),
    ],
)
def test_what_states_an_identity(
    tmp_path: Path, format: str, stated: Any, track_id: int | None, name: str | None
):
    path = written(tmp_path, video(person(0, track_id=5)), format)
    state_identities(path, STATED_IN_JSON[format], {5: stated})

    (label,) = read_labels(path).persons
    assert (label.track_id, label.extra.get('track_name')) == (track_id, name)


@pytest.mark.parametrize('format', STATED_IN_JSON)
@settings(max_examples=15, deadline=None)
@given(
    names=st.lists(st.text('abc_xyz', min_size=1, max_size=4), min_size=2, max_size=2, unique=True)
)
def test_names_are_numbered_in_the_order_in_which_they_appear(
    tmp_path_factory: pytest.TempPathFactory, format: str, names: list[str]
):
    labels = video(*(person(f, 80 * i, 5 + i) for f in (0, 9) for i in (0, 1)))
    path = written(tmp_path_factory.mktemp('names'), labels, format)
    state_identities(path, STATED_IN_JSON[format], {5: names[0], 6: names[1]})

    with pytest.warns(InputWarning, match=r'people have 2 names \(.*\) in place of numbers'):
        people = read_labels(path).persons
    assert {(p.track_id, p.extra['track_name']) for p in people} == {(0, names[0]), (1, names[1])}


@pytest.mark.parametrize('format', STATED_IN_JSON)
@pytest.mark.parametrize('stated', [1.5, True, {'id': 1}, [[1.5]], [8, 9]])
def test_what_is_no_identity_is_refused(tmp_path: Path, format: str, stated: Any):
    path = written(tmp_path, video(person(0, track_id=5)), format)
    state_identities(path, STATED_IN_JSON[format], {5: stated})

    if format in ('openpose', 'coco-results') and stated == [8, 9]:
        # Their tools write lists.
        assert read_labels(path).persons[0].track_id == 8
        return
    with pytest.raises(InputError, match='must be a whole number or a string, got'):
        read_labels(path)


@pytest.mark.parametrize('format', [name for name in FORMATS if name not in ('cvat', 'labelme')])
def test_one_pose_a_frame_without_identities_is_one_subject(tmp_path: Path, format: str):
    people = person(0), person(9, 90), person(18, 180)
    labels = read_labels(written(tmp_path, video(*people), format), size=SIZE)

    assert assign_track_ids(labels).track_ids == (0,)


@settings(max_examples=30, deadline=None)
@given(
    frames=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(['left', 'right'])), min_size=1)
)
def test_two_classes_are_never_one_person(frames: list[tuple[int, str]]):
    labels = video(*(person(frame, **{CLASS_NAME: name}) for frame, name in frames))

    classes: dict[int | None, set[str]] = {}
    for label in assign_track_ids(labels).persons:
        classes.setdefault(label.track_id, set()).add(label.extra[CLASS_NAME])
    assert all(len(names) == 1 for names in classes.values())


@pytest.mark.parametrize('value', [['a'], {'a': 1}, 'x'])
def test_a_class_in_the_file_of_another_tool_tells_nobody_apart(tmp_path: Path, value: Any):
    path = written(tmp_path, video(person(0), person(9, 9)), 'coco')
    edit(path, lambda data: data['annotations'][1].update(class_name=value))

    labels = assign_track_ids(read_labels(path))
    assert labels.track_ids == (0,)
    assert labels.persons[1].extra['class_name'] == value


def of_two_categories(path: Path, joints: list[str]) -> None:
    """Make every second label of a COCO file one of another category with the given joints."""

    def change(data: Any) -> None:
        data['categories'].append(
            {**data['categories'][0], 'id': 2, 'name': 'b', 'keypoints': joints}
        )
        for annotation in data['annotations'][1::2]:
            annotation['category_id'] = 2

    edit(path, change)


def test_a_number_of_two_classes_is_two_people(tmp_path: Path):
    path = written(tmp_path, video(person(0, track_id=5), person(9, 10, 5)), 'coco')
    of_two_categories(path, [*JOINTS])

    assert [(p.track_id, p.extra[CLASS_NAME]) for p in read_labels(path).persons] == [
        (5, 'person'),
        (6, 'b'),
    ]


# -- is it a label -----------------------------------------------------------------------------

WITH_FLAGS = ['coco', 'posetrack18', 'yolo-pose', 'lightning-pose']
"""Formats that hold x, y, v of every joint."""


def state_last_joint(path: Path, joint: tuple[Any, Any, Any], row: int) -> None:
    """Replace x, y and v of the last joint in the label of a row."""
    if path.suffix == '.json':
        edit(
            path,
            lambda data: data['annotations'][row]['keypoints'].__setitem__(slice(-3, None), joint),
        )
        return
    file, mark = (path, ',') if path.suffix == '.csv' else (sorted(path.glob('labels/*'))[row], ' ')
    lines = file.read_text().splitlines()
    cells = [
        ('' if path.suffix == '.csv' else 'nan') if value is None else str(value) for value in joint
    ]
    place = 3 + row if path.suffix == '.csv' else 0
    lines[place] = mark.join([*lines[place].split(mark)[:-3], *cells])
    file.write_text('\n'.join(lines) + '\n')


@pytest.mark.parametrize('format', WITH_FLAGS)
@pytest.mark.parametrize(
    'joint', [(-1, -1, -1), (7, 9, -1), (None, None, 0), (None, 5, 0), (None, None, -1)]
)
def test_a_joint_with_neither_a_place_nor_a_flag_is_not_labelled(
    tmp_path: Path, format: str, joint: tuple[Any, Any, Any]
):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
    before = read_labels(path, size=SIZE).persons
    state_last_joint(path, joint, row=1)

    first, second = read_labels(path, size=SIZE).persons
    np.testing.assert_array_equal(first.keypoints, before[0].keypoints)
    assert (first.visibility.tolist(), second.visibility.tolist()) == ([2, 2, 2], [2, 2, 0])
    np.testing.assert_array_equal(second.keypoints[:2], before[1].keypoints[:2])


@pytest.mark.parametrize('format', WITH_FLAGS)
def test_a_visible_joint_without_a_place_is_refused(tmp_path: Path, format: str):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
    state_last_joint(path, (None, 130.75, 2), row=1)

    with pytest.raises(InputError, match=r'expected|must be'):
        read_labels(path, size=SIZE)


def repeat_in_json(items_of: Any) -> Any:
    """Make a change that repeats the first item of a list in a file, with another id."""

    def change(data: Any) -> None:
        items = items_of(data)
        items.append({**items[0], **({'id': 'other'} if 'id' in items[0] else {})})

    return lambda path: edit(path, change)


def repeat_line(path: Path) -> None:
    """Repeat the last line of a table, or of each file of a folder."""
    for file in sorted(path.glob('labels/*')) if path.is_dir() else [path]:
        file.write_text(file.read_text() + file.read_text().splitlines()[-1] + '\n')


REPEAT = {
    'annotation': ('coco', repeat_in_json(lambda data: data['annotations'])),
    'annotation of a video': ('posetrack18', repeat_in_json(lambda data: data['annotations'])),
    'result': ('coco-results', repeat_in_json(lambda data: data)),
    'instance': ('mmpose', repeat_in_json(lambda data: data['instance_info'][0]['instances'])),
    'frame': ('mmpose', repeat_in_json(lambda data: data['instance_info'])),
    'person': ('openpose', repeat_in_json(lambda data: data['people'])),
    'shape': ('labelme', repeat_in_json(lambda data: data['shapes'])),
    'task': ('label-studio', repeat_in_json(lambda data: data)),
    'region': (
        'label-studio',
        lambda path: edit(
            path,
            lambda data: data[0]['annotations'][0]['result'].append(
                {**data[0]['annotations'][0]['result'][1], 'id': 'other'}
            ),
        ),
    ),
    'line': ('yolo-pose', repeat_line),
    'row': ('deeplabcut', repeat_line),
    'row with flags': ('lightning-pose', repeat_line),
}
"""What is written twice -> its format, and how it is repeated in a file."""


@pytest.mark.parametrize('what', REPEAT)
def test_an_exact_repetition_is_read_once_with_a_note(tmp_path: Path, what: str):
    format, repeat = REPEAT[what]
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
    before = content(read_labels(path, size=SIZE))
    repeat(path)

    with pytest.warns(InputWarning, match=r'left out \d \w+ repeating another one exactly'):
        assert content(read_labels(path, size=SIZE)) == before


def test_a_second_label_that_differs_is_refused(tmp_path: Path):
    path = written(tmp_path, video(person(0, track_id=1)), 'coco')
    edit(
        path,
        lambda data: data['annotations'].append({**data['annotations'][0], 'bbox': [1, 2, 3, 4]}),
    )

    with pytest.raises(InputError, match='track id 1 appears twice in frame 0'):
        read_labels(path)


# -- where -------------------------------------------------------------------------------------


@pytest.mark.parametrize('format', IN_PIXELS)
@pytest.mark.parametrize(
    ('pose', 'is_refused'),
    [
        (POSE / 240, True),
        # Partly outside.
        ([[0.25, 0.5], [0.5, 0.75], [0.5, 1.5]], True),
        # One joint elsewhere shows that they are pixels.
        ([[0.25, 0.5], [0.5, 0.25], [2.5, 0.75]], False),
    ],
)
def test_fractions_of_the_picture_are_refused(
    tmp_path: Path, format: str, pose: Any, is_refused: bool
):
    labels = video(*(replace(person(i, track_id=1), keypoints=pose, bbox=None) for i in (0, 9)))
    path = written(tmp_path, labels, format)

    if is_refused:
        with pytest.raises(InputError, match=r'all joints within -2\.\.2'):
            read_labels(path)
    else:
        np.testing.assert_array_equal(read_labels(path).persons[0].keypoints, pose)


# -- which joint -------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    names=st.lists(
        st.sampled_from(['head', 'left hand', 'tail_1', 'tail_2']), min_size=1, unique=True
    ),
    seed=st.integers(0, 10**6),
)
def test_spellings_of_a_joint_are_the_first_one(names: list[str], seed: int):
    rng = np.random.default_rng(seed)
    change = [str.upper, str.title, lambda n: n.replace(' ', '_'), lambda n: n.replace('_', '-')]
    other = [change[rng.integers(len(change))](name) for name in names]

    assert unify_joint_names('f.json', [names, other]) == {
        **dict(zip(other, names, strict=True)),
        **{name: name for name in names},
    }


@pytest.mark.parametrize(
    ('poses', 'spellings'),
    [
        # Names that occur in one pose are two joints, and so are names with other numbers.
        ([['Tail', 'tail'], ['tail']], {'Tail': 'Tail', 'tail': 'tail'}),
        (
            [['tail 1_11'], ['tail_11_1'], ['Tail_1-11']],
            {'tail 1_11': 'tail 1_11', 'Tail_1-11': 'tail 1_11', 'tail_11_1': 'tail_11_1'},
        ),
    ],
)
def test_names_that_are_two_joints(poses: list[list[str]], spellings: dict[str, str]):
    assert unify_joint_names('f.json', poses) == spellings


@pytest.mark.parametrize('format', ['labelme', 'label-studio'])
def test_a_joint_in_two_spellings_is_read_as_one_with_a_note(tmp_path: Path, format: str):
    people = person(0, track_id=1), person(9, 10, 1)
    path = written(tmp_path, video(*people), format)

    def change(data: Any) -> None:
        last = (
            data[-1:] if isinstance(data, list) else [data] if '0009' in data['imagePath'] else []
        )
        for item in objects(last):
            if item.get('label') == 'left_hand':
                item['label'] = 'Left hand'
            if item.get('keypointlabels') == ['left_hand']:
                item['keypointlabels'] = ['Left hand']

    edit(path, change)
    with pytest.warns(InputWarning, match="'left_hand' and 'Left hand'"):
        labels = read_labels(path)
    assert labels.skeleton.keypoint_names == JOINTS
    np.testing.assert_allclose(labels.persons[1].keypoints, POSE + 10)


@pytest.mark.parametrize('format', ['labelme', 'label-studio'])
@pytest.mark.parametrize(
    ('joints', 'is_told'),
    [
        (('person-1-eye', 'person-1-ear', 'person-2-eye', 'person-2-ear'), True),
        (('nose_1', 'nose_2', 'tail_1', 'tail_2'), True),
        (('tail_1', 'tail_2', 'nose', 'head'), False),
        (('tail_1', 'tail_2', 'leg_3', 'leg_4'), False),
    ],
)
def test_joints_that_may_be_of_several_people_are_told(
    tmp_path: Path, format: str, joints: tuple[str, ...], is_told: bool
):
    pose = PersonLabel(0, np.arange(8.0).reshape(4, 2) + 5, np.full(4, 2))
    frames = (VideoFrame(0, 'frame_0000.jpg', None, *SIZE, True),)
    path = written(tmp_path, VideoLabels('clip', Skeleton(joints), frames, (pose,)), format)

    def ungroup(data: Any) -> None:
        for item in objects(data):
            item.pop('parentID', None)
            item.pop('group_id', None)
            for name in ('shapes', 'result'):
                items = item.get(name, [])
                items[:] = [i for i in items if 'rectangle' not in str(i)]

    edit(path, ungroup)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        (label,) = read_labels(path, size=SIZE).persons
    assert label.labelled.all()
    told = ['labels that differ in a number' in str(message.message) for message in notes]
    assert any(told) == is_told


@given(st.permutations(JOINTS))
def test_the_order_of_joints_is_found_by_name(names: list[str]):
    order = joint_order(names, JOINTS)

    assert order is not None
    assert [names[i] for i in order] == [*JOINTS]


@pytest.mark.parametrize(
    ('groups', 'joined'),
    [
        ({None: 'h', 1: 'lr'}, {1: 'lrh'}),
        ({None: 'h', 1: 'lr', 2: 'hlr'}, {1: 'lrh', 2: 'hlr'}),
        ({None: 'h'}, {None: 'h'}),
        ({None: 'h', 1: 'lr', 2: 'l'}, None),
        ({None: 'hl', 1: 'lr'}, None),
    ],
)
def test_points_without_a_group_join_the_one_that_lacks_them(
    groups: dict[int | None, str], joined: dict[int | None, str] | None
):
    picture = {group: dict.fromkeys(names, 0) for group, names in groups.items()}

    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        join_ungrouped('f.json', [picture])
    assert {group: ''.join(points) for group, points in picture.items()} == (joined or groups)
    assert ['without a group' in str(one.message) for one in notes] == [True] * (joined is None)


@pytest.mark.parametrize(
    ('names', 'reference', 'order'),
    [
        (('tail', 'Tail'), ('Tail', 'tail'), [1, 0]),
        (('head', 'tail'), ('head', 'hand'), None),
        (('head',), ('head', 'hand'), None),
    ],
)
def test_joints_of_similar_or_other_names(names: tuple, reference: tuple, order: list | None):
    assert joint_order(names, reference) == order


def test_categories_of_the_same_joints_in_another_order_are_one_skeleton(tmp_path: Path):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 2)), 'coco')
    of_two_categories(path, ['right_hand', 'head', 'left_hand'])

    first, second = read_labels(path).persons
    np.testing.assert_array_equal(first.keypoints, POSE)
    # The file holds right hand, head, left hand in this order.
    np.testing.assert_array_equal(second.keypoints, (POSE + 10)[[1, 2, 0]])


@pytest.mark.parametrize('format', ['coco', 'posetrack18'])
def test_a_limb_without_a_joint_is_left_out(tmp_path: Path, format: str):
    path = written(tmp_path, video(person(0, track_id=1)), format)
    edit(path, lambda data: data['categories'][0].update(skeleton=[[1, 2], [3, 31]]))

    with pytest.warns(InputWarning, match='left out 1 of 2 limbs'):
        assert read_labels(path).skeleton.limbs == ((0, 1),)


# -- is what is left out said -------------------------------------------------------------------


def landmarks(*fields: str) -> Any:
    point = {'x': 0.5, 'y': 0.25, 'visibility': 0.9}
    frames = [{'frame': i, 'pose_landmarks': [point] * 3, 'score': 0.5} for i in (0, 1)]
    frames[0] |= {name: [point] for name in fields}
    return {'frames': frames}


def add_to_each(items_of: Any, extra: Any) -> Any:
    return lambda path: edit(path, lambda data: items_of(data).append(extra))


LEFT_OUT = {
    'mediapipe': (
        lambda path: path.write_text(json.dumps(landmarks('face_landmarks', 'leftHand'))),
        r'face_landmarks \(1\), leftHand \(1\)',
    ),
    'coco': (
        lambda path: edit(path, lambda data: data['annotations'][1].update(face_kpts=[1, 2, 2])),
        r'face_kpts \(1\)',
    ),
    'openpose': (
        lambda path: edit(path, lambda data: data['people'][0].update(face_keypoints_2d=[1, 2, 1])),
        r'face_keypoints_2d \(2\)',
    ),
    'labelme': (
        add_to_each(
            lambda data: data['shapes'], {'label': 'a', 'shape_type': 'polygon', 'points': []}
        ),
        r'polygon \(2\)',
    ),
    'label-studio': (
        add_to_each(
            lambda data: data[0]['annotations'][0]['result'], {'id': 'p', 'type': 'choices'}
        ),
        r'choices \(1\)',
    ),
    'cvat': (
        lambda path: path.write_text(
            path.read_text().replace(
                '</annotations>',
                '<track id="7" label="ball"><box frame="0" xtl="1"/></track></annotations>',
            )
        ),
        r'box \(1\)',
    ),
}
"""Format -> change of a file of two frames that adds what is not read, and the end of the note."""


@pytest.mark.parametrize('format', LEFT_OUT)
def test_what_is_not_read_is_counted_in_a_note(tmp_path: Path, format: str):
    add, counts = LEFT_OUT[format]
    path = tmp_path / 'landmarks.json'
    if format != 'mediapipe':
        path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
        before = content(read_labels(path, size=SIZE))['persons']
    add(path)

    with pytest.warns(InputWarning, match=rf'are not read: {counts}$'):
        labels = read_labels(path, size=SIZE)
    if format == 'mediapipe':
        assert labels.persons[0].keypoints.tolist() == [[160, 60]] * 3
    elif format != 'coco':
        assert content(labels)['persons'] == before


# -- which of several --------------------------------------------------------------------------


def test_a_category_of_several_can_be_chosen(tmp_path: Path):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 2)), 'coco')
    of_two_categories(path, ['nose', 'tail', 'paw'])

    with pytest.raises(
        InputError, match=r"\('person', 'b'\), give the category .*--labels-category"
    ):
        read_labels(path)
    labels = read_labels(path, category='b')
    assert labels.skeleton.keypoint_names == ('nose', 'tail', 'paw')
    assert [p.frame_index for p in labels.persons] == [9]
    with pytest.raises(InputError, match="no labels of the category 'c', only of 'person', 'b'"):
        read_labels(path, category='c')
    # A category with boxes only counts, too.
    edit(path, lambda data: data['annotations'][1].update(keypoints=[0] * 9))
    with pytest.raises(InputError, match=r"\('person', 'b'\), give the category"):
        read_labels(path)


def yolo_of_two_classes(folder: Path, names: str) -> Path:
    """A data set with a class of three joints, and one whose lines are longer."""
    path = folder / 'yolo'
    (path / 'labels').mkdir(parents=True)
    (path / 'data.yaml').write_text(f'kpt_shape: [4, 3]\nnames: [mouse, arena]\n{names}')
    lines = '0 .5 .5 .2 .2 .1 .2 2 .3 .4 2 .5 .6 1 0 0 0\n1 .5 .5 1 1 0 0 2 1 0 2 1 1 2 0 1 2\n'
    (path / 'labels' / 'a_0003.txt').write_text(lines)
    return path


@pytest.mark.parametrize('names', ['[a, b, c]', '[a, b, c, d]'])
@pytest.mark.parametrize('other', ['[p, q, r, s]', '[p, q]', 'none'])
def test_a_chosen_class_of_yolo_is_read_whatever_the_others_are(
    tmp_path: Path, names: str, other: str
):
    path = yolo_of_two_classes(
        tmp_path, f'kpt_names: {{0: {names}, 1: {other}, 2: [w, x, y, z]}}\n'
    )

    labels = read_labels(path, size=(100, 100), category='mouse')
    assert labels.skeleton.category == 'mouse'
    assert labels.skeleton.keypoint_names == tuple(names[1:-1].split(', '))
    (label,) = labels.persons
    np.testing.assert_allclose(label.keypoints[:3], [[10, 20], [30, 40], [50, 60]])
    assert label.visibility[:3].tolist() == [2, 2, 1]


def test_classes_of_yolo_with_other_joints_need_a_choice(tmp_path: Path):
    path = yolo_of_two_classes(tmp_path, 'kpt_names: {0: [a, b, c], 1: [p, q, r, s]}\n')

    with pytest.raises(InputError, match=r'kpt_names must be .*, give one as --labels-category'):
        read_labels(path, size=SIZE)


@pytest.mark.parametrize('format', ['coco', 'posetrack18'])
def test_a_chosen_category_is_read_whatever_the_others_hold(tmp_path: Path, format: str):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 2)), format)
    of_two_categories(path, ['nose', 'nose', ''])
    edit(path, lambda data: data['annotations'][1].update(keypoints=['high'], bbox=[1]))

    labels = read_labels(path, category='person')
    assert [p.frame_index for p in labels.persons] == [0]
    np.testing.assert_array_equal(labels.persons[0].keypoints, POSE)


@pytest.mark.parametrize('format', [n for n in FORMATS if 'category' not in LABEL_FORMATS[n].takes])
def test_formats_without_categories_refuse_one(tmp_path: Path, format: str):
    path = written(tmp_path, video(person(0, track_id=1)), format)

    with pytest.raises(InputError, match='--labels-category needs'):
        read_labels(path, category='b')


def test_unused_categories_do_not_count(tmp_path: Path):
    path = written(tmp_path, video(person(0, track_id=1)), 'coco')
    edit(
        path, lambda data: data['categories'].insert(0, {'id': 9, 'name': 'ox', 'keypoints': ['x']})
    )

    labels = read_labels(path)
    assert labels.skeleton.keypoint_names == JOINTS
    assert CLASS_NAME not in labels.persons[0].extra


@pytest.mark.parametrize(
    'change',
    [
        {'iscrowd': 1},
        {'keypoints': [0] * 9, 'bbox': [0, 0, 0, 0]},
        {'keypoints': None, 'bbox': []},
    ],
)
def test_a_category_of_crowds_or_empty_objects_does_not_count(
    tmp_path: Path, change: dict[str, Any]
):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 2)), 'coco')
    of_two_categories(path, ['nose', 'tail', 'paw'])
    edit(path, lambda data: data['annotations'][1].update(change, source=None))

    labels = read_labels(path)
    assert (labels.skeleton.keypoint_names, len(labels.persons)) == (JOINTS, 1)


# -- which file --------------------------------------------------------------------------------

BESIDE = {
    'README.roboflow.txt': '# pose > 2024-01-01\nProvided by a user\n',
    'requirements.txt': 'torch==2.0\n',
    'notes.txt': 'the left one is blue\n',
    'labels.txt': 'head\nleft_hand\n',
    'classes.txt': 'person\n',
    'frames.txt': '0\n9\n',
    'done.txt': '',
    'config.json': '{"version": 3, "labels": ["head"]}',
    **dict.fromkeys(('._a.json', '._a.txt', 'a.json~'), '0 0.5 0.5 0.1 0.1 0.5 0.5 2'),
}


@pytest.mark.parametrize('beside', BESIDE)
@pytest.mark.parametrize('format', [n for n in FORMATS if LABEL_FORMATS[n].to_folder])
def test_other_files_in_a_folder_are_no_labels(tmp_path: Path, format: str, beside: str):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
    before = read_labels(path, size=SIZE)
    (path / beside).write_text(BESIDE[beside])

    assert content(read_labels(path, size=SIZE)) == content(before)


def zipped(path: Path) -> Path:
    """Put a file or folder into a zip as its tool does, with a picture and an empty folder."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob('*') if file.is_file())
    target = path.parent / 'export.zip'
    with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, f'export/{file.relative_to(path.parent)}')
        archive.writestr('images/default/', '')
        archive.writestr('__MACOSX/._labels.json', 'x')
        archive.writestr('images/0.png', b'\x89PNG')
    return target


@pytest.mark.parametrize('format', ['coco', 'label-studio', 'posetrack18', 'yolo-pose'])
def test_the_labels_in_a_zip_are_read(tmp_path: Path, format: str):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
    before = content(read_labels(path, size=SIZE))
    path = zipped(path)

    assert sniff_format(path) == format
    labels = content(read_labels(path, size=SIZE))
    assert labels['persons'] == before['persons']
    assert [f['file_name'] for f in labels['frames']] == [f['file_name'] for f in before['frames']]


@pytest.mark.parametrize(
    ('files', 'told'),
    [
        ({}, r'expected one label file in it \(none\)'),
        ({'a.json': '{}', 'readme.txt': 'x'}, r'expected one label file in it \(none\)'),
        ({'a.json': '{'}, r'export\.zip: a\.json is not JSON'),
        ({'labels/a_1.txt': '0 1 2 3 4'}, r'export\.zip/labels/a_1\.txt, line 1 has 5 numbers'),
        ({'../labels/a_1.txt': '0 1 2 3'}, 'not below the folder'),
        (
            dict.fromkeys(('a.json', 'b.json'), '{"images": []}'),
            r'expected one label file in it \(a\.json and b\.json|\(a\.json, b\.json',
        ),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, dict) else '',
)
def test_a_zip_without_one_set_of_labels_is_refused(
    tmp_path: Path, files: dict[str, str], told: str
):
    path = tmp_path / 'export.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name, text in files.items():
            archive.writestr(name, text)

    with pytest.raises(InputError, match=told):
        read_labels(path)


def test_json_lines_are_read_as_a_list(tmp_path: Path):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), 'coco-results')
    before = content(read_labels(path))
    path.write_text('\n'.join(map(json.dumps, json.loads(path.read_text()))) + '\n\n')

    assert content(read_labels(path)) == before
    path.write_text('{"image_id": 1}\n{"image_id": 2')
    with pytest.raises(InputError, match='is not JSON: Extra data at line 2, column 1'):
        read_labels(path)


@pytest.mark.parametrize(('first', 'frames'), [(1, [0, 2]), (0, [0, 2])])
def test_lines_of_openpifpaf_are_estimates_of_frames(tmp_path: Path, first: int, frames: list[int]):
    found = {'keypoints': [5, 6, 0.5, 7, 8, 0.25], 'bbox': [4, 5, 6, 7], 'score': 0.4, 'id_': 3}
    lines = [
        {'frame': first, 'predictions': [found]},
        {'frame': first + 1, 'predictions': []},
        {'frame': first + 2, 'predictions': [{**found, 'id_': 4}]},
    ]
    path = tmp_path / 'clip.mp4.openpifpaf.json'
    path.write_text('\n'.join(map(json.dumps, lines)))

    people = read_labels(path).persons
    assert [(p.frame_index, p.track_id) for p in people] == [*zip(frames, (3, 4), strict=True)]
    assert people[0].keypoints.tolist() == [[5, 6], [7, 8]]
    assert people[0].scores.tolist() == [0.5, 0.25]
    assert people[0].source == 'propagated'


@pytest.mark.parametrize('format', ['labelme', 'openpose', 'mmpose'])
def test_a_folder_of_zipped_json_is_read(tmp_path: Path, format: str):
    labels = video(person(0, track_id=1), person(9, 10, 1))
    path = written(tmp_path, labels, format)
    if format == 'mmpose':
        frames = json.loads(path.read_text())['instance_info']
        path = tmp_path / 'predictions'
        path.mkdir()
        for frame, name in zip(frames, ('f_0000', 'f_0009'), strict=True):
            (path / f'{name}.json').write_text(json.dumps(frame['instances']))
    before = content(read_labels(path))
    for file in sorted(path.glob('*.json')):
        Path(f'{file}.gz').write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()

    assert content(read_labels(path)) == before


# -- is a name decoded ---------------------------------------------------------------------------

NAMED = [n for n in FORMATS if n not in ('cvat', 'coco-results', 'mmpose')]
"""Formats whose files name the pictures."""


@pytest.mark.parametrize('format', NAMED)
@pytest.mark.parametrize(
    'form', ['my clip 0{:02}', 'a%b 0{:02}', 'img%03d {:02}', '\xe9cran ({:03})', '20% {:02}']
)
def test_codes_of_a_url_are_no_part_of_a_number(tmp_path: Path, format: str, form: str):
    """Frames are 0 and 9 in plain names, in names with codes, and in a folder of plain names."""
    labels = video(person(0, track_id=1), person(9, 10, 1))
    frames = [replace(f, file_name=f'{form.format(f.index)}.jpg') for f in labels.frames]
    coded = [replace(f, file_name=quote(f.file_name)) for f in frames]

    for of_file in (frames, coded):
        path = written(tmp_path, replace(labels, frames=tuple(of_file)), format)
        if format == 'coco':
            edit(path, lambda data: [image.pop('frame_index') for image in data['images']])
        read = read_labels(path, size=SIZE)
        assert [p.frame_index for p in match_frames(read, None).persons] == [0, 9]


def test_frames_are_named_with_the_codes_of_the_others():
    names = {0: 'my%20clip%280000%29.jpg', 9: 'my%20clip%280009%29.jpg'}

    assert follow_names(names, [5])[5] == 'my%20clip%280005%29.jpg'


@pytest.mark.parametrize(
    'name', ['up%20load/a%20{}.jpg', 'up%20load%2Fa%20{}.jpg', 'up load/a {}.jpg']
)
def test_a_folder_is_decoded_too(tmp_path: Path, name: str):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), 'coco')

    def change(data: Any) -> None:
        for i, image in enumerate(data['images']):
            image['file_name'] = name.format(i)
            del image['video_id'], image['frame_index']
        del data['videos']

    edit(path, change)
    (labels,) = read_all_labels(path, 'coco')
    assert labels.name == 'up load'
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for i in range(3):
        write_picture(folder / f'A {i}.png')
    assert [*match_frames(labels, open_frames(folder))] == [0, 1]


# -- pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('names', 'added'),
    [
        ({0: '000001.jpg', 15: '000016.jpg'}, '000006.jpg'),
        ({0: 'cam2/cam2_00001.png', 4: 'cam2/cam2_00005.png'}, 'cam2/cam2_00006.png'),
        ({0: 'f0', 12: 'f12'}, 'f5'),
        ({0: 'clip.mp4', 15: 'other.mp4'}, ''),
        ({0: '000001.jpg', 15: '000015.jpg'}, ''),
        ({9: '000001.jpg'}, ''),
        ({0: 'cam1.png'}, ''),
        ({0: '000001.jpg', 4: '..\\label\\000005.jpg'}, '..\\label\\000006.jpg'),
        ({0: 'cam1_0001.png'}, 'cam1_0006.png'),
    ],
)
def test_further_frames_are_named_like_the_labelled_ones(names: dict[int, str], added: str):
    assert follow_names(names, [5]) == {**names, 5: added}


@pytest.mark.parametrize(
    ('names', 'counts'),
    [
        # One folder that is written in two ways.
        (('frame_0', 'label/frame_9'), [2]),
        (('label/frame_0', '../label/frame_9'), [2]),
        (('label/frame_0', 'C:/x/label/frame_9'), [2]),
        # Two folders of one name, and folders of other or the same pictures.
        (('a/img1/frame_0', 'b/img1/frame_9'), [1, 1]),
        (('left_0000', 'right/right_0009'), [1, 1]),
        (('0009', 'b/0009'), [1, 1]),
        (('0009', 'b/9'), [1, 1]),
    ],
)
def test_which_folders_of_pictures_are_one_video(
    tmp_path: Path, names: tuple[str, str], counts: list[int]
):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), 'coco')

    def change(data: Any) -> None:
        for image, name in zip(data['images'], names, strict=True):
            del image['video_id']
            image['file_name'] = f'{name}.jpg'

    edit(path, change)
    assert [len(labels.frames) for labels in read_all_labels(path)] == counts


def test_frames_without_labels_are_named_like_those_with(tmp_path: Path):
    labels = read_labels(written(tmp_path, video(person(0, track_id=1), person(4, 4, 1)), 'coco'))
    frames = ArrayFrames([np.zeros((240, 320, 3), np.uint8)] * 6)

    propagator = VideoPosePropagator(method='linear')
    state = propagator.init_state(frames, labels)
    dense = propagator.collect_labels(state, propagator.propagate_in_video(state))
    assert [frame.file_name for frame in dense.frames] == [f'frame_{i:04}.jpg' for i in range(6)]
    assert [frame.is_labeled for frame in dense.frames] == [True, None, None, None, True, None]
