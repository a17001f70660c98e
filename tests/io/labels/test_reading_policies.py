"""Questions that are answered once for all formats: who, where, which joint, which file."""

from __future__ import annotations

import gzip
import importlib
import json
import warnings
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
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
from stdpose_mm.io.video import ArrayFrames, open_frames
from stdpose_mm.structures import CLASS_NAME, PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.tracking import assign_track_ids
from support.foreign_labels import write_picture
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


PLACEHOLDERS = [
    (0, 0, 0),
    (-1, -1, -1),
    (7, 9, -1),
    (None, None, 0),
    (None, 5, 0),
    (None, None, -1),
]
"""x, y and v of a joint with neither a place nor a flag."""

stated_joints = st.sampled_from(PLACEHOLDERS) | st.tuples(
    st.integers(2, 300), st.integers(2, 200), st.sampled_from([1, 2])
)
Joints = Sequence[tuple[Any, Any, Any]]


def state_joints(path: Path, format: str, rows: Sequence[Joints]) -> None:
    """Replace x, y and v of the joints of each label."""
    if path.suffix == '.json':
        lists = iter([value for joint in row for value in joint] for row in rows)
        edit(path, lambda data: [a.update(keypoints=next(lists)) for a in data['annotations']])
        return
    is_table, cells = path.suffix == '.csv', iter(rows)
    scale, mark, nothing = ((1, 1), ',', '') if is_table else (SIZE, ' ', 'nan')
    for file in [path] if is_table else sorted(path.glob('labels/*')):
        lines = file.read_text().splitlines()
        for i in range(3 * is_table, len(lines)):
            words = lines[i].split(mark)[: 1 if is_table else 5]
            for x, y, flag in next(cells):
                values = (*zip((x, y), scale, strict=True), (flag, 1))
                places = (n if n in (None, -1) else n / of for n, of in values)
                words += [nothing if n is None else repr(n) for n in places]
            lines[i] = mark.join(words)
        file.write_text('\n'.join(lines) + '\n')


@pytest.mark.parametrize('format', WITH_FLAGS)
@given(rows=st.lists(st.tuples(stated_joints, stated_joints), min_size=2, max_size=2))
def test_a_joint_with_neither_a_place_nor_a_flag_is_not_labelled(
    tmp_path: Path, format: str, rows: list[Joints]
):
    rows = [((60, 70, 2), *row) for row in rows]
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
    state_joints(path, format, rows)

    for label, row in zip(read_labels(path, size=SIZE).persons, rows, strict=True):
        expected = [(0, 0, 0) if joint in PLACEHOLDERS else joint for joint in row]
        joints = np.column_stack([label.keypoints, label.visibility])
        np.testing.assert_allclose(joints, expected)


@pytest.mark.parametrize('format', WITH_FLAGS)
@pytest.mark.parametrize('joint', [(None, 130, 2), (130, None, 1)])
def test_a_flag_without_a_place_is_refused(tmp_path: Path, format: str, joint: tuple):
    path = written(tmp_path, video(person(0, track_id=1)), format)
    state_joints(path, format, [[(60, 70, 2), (80, 90, 2), joint]])

    with pytest.raises(InputError, match=r'expected|must be'):
        read_labels(path, size=SIZE)


def repeat_in_json(items_of: Any, first: int = 0) -> Any:
    """Make a change that repeats items of a list in a file, with other ids, and counts them.

    The repeated items are those from ``first`` on.
    """

    def repeat(path: Path, times: int) -> int:
        def change(data: Any) -> None:
            items = items_of(data)
            for i in range(times):
                again = items[first + i // 2]
                items.append({**again, **({'id': f'other {i}'} if 'id' in again else {})})

        edit(path, change)
        return times * (len([*path.glob('*.json')]) if path.is_dir() else 1)

    return repeat


def repeat_line(path: Path, times: int) -> int:
    """Repeat the last line of a table, or of each file of a folder, and count the lines."""
    files = sorted(path.glob('labels/*')) if path.is_dir() else [path]
    for file in files:
        file.write_text(file.read_text() + (file.read_text().splitlines()[-1] + '\n') * times)
    return times * len(files)


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
        # The first region is the rectangle, to which others refer.
        repeat_in_json(lambda data: data[0]['annotations'][0]['result'], first=1),
    ),
    'line': ('yolo-pose', repeat_line),
    'row': ('deeplabcut', repeat_line),
    'row with flags': ('lightning-pose', repeat_line),
}
"""What is written twice -> its format, and how it is repeated in a file."""


@pytest.mark.parametrize('what', REPEAT)
@settings(max_examples=3)
@given(times=st.integers(1, 3))
def test_an_exact_repetition_is_read_once_and_counted(tmp_path: Path, what: str, times: int):
    format, repeat = REPEAT[what]
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
    before = content(read_labels(path, size=SIZE))
    number = repeat(path, times)

    told = rf'left out {number} \w+ repeating another one exactly'
    with pytest.warns(InputWarning, match=told):
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


@pytest.mark.parametrize('format', ['coco', 'posetrack18'])
def test_a_limb_without_a_joint_is_left_out(tmp_path: Path, format: str):
    path = written(tmp_path, video(person(0, track_id=1)), format)
    edit(path, lambda data: data['categories'][0].update(skeleton=[[1, 2], [3, 31]]))

    with pytest.warns(InputWarning, match='left out 1 of 2 limbs'):
        assert read_labels(path).skeleton.limbs == ((0, 1),)


# -- is what is left out said -------------------------------------------------------------------


LANDMARKS = [{'x': 0.5, 'y': 0.25, 'visibility': 0.9}] * 3
OF_COCO = ('face_kpts', 'foot_kpts', 'lefthand_kpts')
LEFT_OUT = {
    'mediapipe': ('face_landmarks', 'leftHand', 'right_hand_landmarks'),
    'coco': OF_COCO,
    'posetrack18': OF_COCO,
    'openpose': ('face_keypoints_2d', 'hand_left_keypoints_2d', 'hand_right_keypoints_2d'),
    'labelme': ('circle', 'linestrip', 'polygon'),
    'label-studio': ('brushlabels', 'choices', 'ellipselabels'),
    'cvat': ('box', 'mask', 'polygon'),
}
"""Format -> fields and kinds of entries in it that are not read."""


def add_unread(path: Path, format: str, kinds: list[str], is_object: bool) -> None:
    """Add what is not read to a file or folder of two labels: each kind up to twice."""
    if format == 'cvat':
        tracks = (
            f'<track id="9{i}" label="a"><{k} frame="0"/></track>' for i, k in enumerate(kinds)
        )
        text = path.read_text().replace('</annotations>', f'{"".join(tracks)}</annotations>')
        path.write_text(text)
        return

    def change(data: Any) -> None:
        if format == 'labelme':
            data['shapes'] += [{'shape_type': kind, 'points': []} for kind in kinds]
            kinds.clear()
        elif format == 'label-studio':
            regions = [{'id': f'{i}.', 'type': kind} for i, kind in enumerate(kinds)]
            data[0]['annotations'][0]['result'] += regions
        else:
            for item in next(data[n] for n in ('annotations', 'people', 'frames') if n in data):
                for kind in {*kinds}:
                    item[kind] = {'landmark': LANDMARKS} if is_object else [1, 2, 2]
                    kinds.remove(kind)

    edit(path, change)


@pytest.mark.parametrize('format', LEFT_OUT)
@settings(max_examples=8)
@given(numbers=st.tuples(*[st.integers(0, 2)] * 3), is_object=st.booleans())
def test_what_is_not_read_is_counted_in_a_note(
    tmp_path: Path, format: str, numbers: tuple, is_object: bool
):
    # The protobuf of MediaPipe has objects.
    is_object = is_object and format == 'mediapipe'
    if format == 'mediapipe':
        path = tmp_path / 'landmarks.json'
        frames = [{'frame': i, 'pose_landmarks': LANDMARKS, 'score': 0.5} for i in (0, 9)]
        path.write_text(json.dumps({'frames': frames}))
    else:
        path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
    before = [p.keypoints.tolist() for p in read_labels(path, size=SIZE).persons]
    counts = dict(zip(LEFT_OUT[format], numbers, strict=True))
    kinds = [kind for kind, number in counts.items() for _ in range(number)]
    add_unread(path, format, kinds, is_object)

    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        people = read_labels(path, size=SIZE).persons
    told = [str(n.message).partition('are not read: ')[2] for n in notes]
    expected = ', '.join(f'{kind} ({number})' for kind, number in counts.items() if number)
    assert [*filter(None, told)] == [expected] * bool(expected)
    assert [p.keypoints.tolist() for p in people] == before


# -- which of several --------------------------------------------------------------------------


CATEGORIES = ('ant', 'bee', 'cat')


def subject(number: int, joints: Sequence[str]) -> VideoLabels:
    """Labels of a subject of a category on frames 0 and 9; no joint of any is where another is."""
    place = 20 + 60 * number + 8 * np.arange(len(joints))[:, None]
    people = [
        PersonLabel(frame, place + np.array([frame, frame / 2]), np.full(len(joints), 2), number)
        for frame in (0, 9)
    ]
    skeleton = Skeleton((*joints,), category=CATEGORIES[number])
    return replace(video(*people, joints=(*joints,)), skeleton=skeleton)


def join_json(paths: list[Path], is_broken: bool, chosen: int) -> None:
    """Put the annotations of all files into the first one, those that are not chosen broken."""
    files = [json.loads(path.read_text()) for path in paths]
    whole = {**files[0], 'annotations': [], 'categories': []}
    for number, data in enumerate(files):
        wrong = is_broken and number != chosen
        category = {'id': number + 1, **({'keypoints': ['eye', 'eye', '']} if wrong else {})}
        whole['categories'].append({**data['categories'][0], **category})
        for annotation in data['annotations']:
            ids = {'id': len(whole['annotations']), 'category_id': number + 1}
            values = {'keypoints': ['high'], 'bbox': [1]} if wrong else {}
            whole['annotations'].append({**annotation, **ids, **values})
    paths[0].write_text(json.dumps(whole))


def join_cvat(paths: list[Path], is_broken: bool, chosen: int) -> None:
    roots = [ET.parse(path).getroot() for path in paths]
    for number, root in enumerate(roots):
        if is_broken and number != chosen:
            for points in root.iter('points'):
                points.set('points', 'high')
        if number:
            roots[0].find('meta/task/labels').extend(root.find('meta/task/labels'))
            roots[0].extend(root.findall('track'))
    paths[0].write_bytes(ET.tostring(roots[0]))


def join_yolo(paths: list[Path], is_broken: bool, chosen: int) -> None:
    configs = [yaml.safe_load((path / 'data.yaml').read_text()) for path in paths]
    count = max(config['kpt_shape'][0] for config in configs)
    names: dict[int, Any] = {n: config['kpt_names'][0] for n, config in enumerate(configs)}
    if is_broken:
        names |= {n: None for n in names if n != chosen}
    of_class = {'kpt_shape': [count, 3], 'names': [*CATEGORIES], 'kpt_names': names}
    (paths[0] / 'data.yaml').write_text(yaml.safe_dump(of_class))
    for file in sorted(paths[0].glob('labels/*')):
        lines = ''
        for number, path in enumerate(paths):
            words = (path / 'labels' / file.name).read_text().split()
            lines += (
                ' '.join([str(number), *words[1:], *['0'] * (5 + 3 * count - len(words))]) + '\n'
            )
        file.write_text(lines)


def join_sleap(paths: list[Path], is_broken: bool, chosen: int) -> None:
    sio = importlib.import_module('sleap_io')
    first, *others = (sio.load_slp(str(path), open_videos=False) for path in paths)
    for other in others:
        for frame, added in zip(first.labeled_frames, other.labeled_frames, strict=True):
            frame.instances += added.instances
        first.skeletons += other.skeletons
        first.tracks += other.tracks
    sio.save_slp(first, str(paths[0]), embed=False, verbose=False)


def join_nwb(paths: list[Path], is_broken: bool, chosen: int) -> None:
    h5py = importlib.import_module('h5py')
    with h5py.File(paths[0], 'r+') as whole:
        for path in paths[1:]:
            with h5py.File(path) as other:
                place = 'processing/behavior/Skeletons'
                for name, skeleton in other[place].items():
                    other.copy(skeleton, whole[place], name)
                place = 'processing/behavior/PoseTraining/training_frames'
                for name, frame in other[place].items():
                    for person_name, instance in frame['skeleton_instances'].items():
                        to = whole[f'{place}/{name}/skeleton_instances']
                        other.copy(instance, to, person_name, expand_soft=False)


JOIN = {
    'coco': join_json,
    'posetrack18': join_json,
    'posetrack21': join_json,
    'cvat': join_cvat,
    'yolo-pose': join_yolo,
    'sleap': join_sleap,
    'nwb': join_nwb,
}
"""Format with categories -> how files of one category each become one file."""


def of_categories(
    folder: Path, format: str, joints: Sequence[Sequence[str]], is_broken: bool, chosen: int
) -> tuple[Path, VideoLabels]:
    """Write a file of several categories; return the labels of the chosen one alone, too."""
    if LABEL_FORMATS[format].package:
        pytest.importorskip(LABEL_FORMATS[format].package)
    paths = [written(folder, subject(n, names), format) for n, names in enumerate(joints)]
    alone = read_labels(paths[chosen], format, size=SIZE)
    JOIN[format](paths, is_broken, chosen)
    return paths[0], alone


def test_every_format_with_categories_is_tested():
    assert {*JOIN} == {n for n in READ_FORMATS if 'category' in LABEL_FORMATS[n].takes}


joint_lists = st.lists(st.sampled_from(['eye', 'paw', 'tail', 'l_ear']), min_size=1, unique=True)


@pytest.mark.parametrize('format', JOIN)
@settings(max_examples=8)
@given(
    joints=st.lists(joint_lists, min_size=2, max_size=3),
    is_broken=st.booleans(),
    place=st.integers(0, 5),
)
def test_the_chosen_category_is_read_whatever_the_others_hold(
    tmp_path: Path, format: str, joints: list[list[str]], is_broken: bool, place: int
):
    chosen = place % len(joints)
    path, alone = of_categories(tmp_path, format, joints, is_broken, chosen)

    labels = read_labels(path, format, size=SIZE, category=CATEGORIES[chosen])
    assert labels.skeleton == alone.skeleton
    for label, expected in zip(labels.persons, alone.persons, strict=True):
        assert label.frame_index == expected.frame_index
        np.testing.assert_array_equal(label.keypoints, expected.keypoints)
    with pytest.raises(InputError, match="no labels of the category 'dog', only of 'ant'"):
        read_labels(path, format, size=SIZE, category='dog')


@pytest.mark.parametrize('format', JOIN)
@settings(max_examples=6)
@given(names=joint_lists, data=st.data())
def test_without_a_choice_only_categories_of_the_same_joints_are_read(
    tmp_path: Path, format: str, names: list[str], data: st.DataObject
):
    orders = st.just(names) if format == 'yolo-pose' else st.permutations(names)
    other = data.draw(orders | joint_lists)
    path, _ = of_categories(tmp_path, format, [names, other], False, 0)

    if {*names} != {*other} or (format == 'yolo-pose' and names != other):
        with pytest.raises(InputError, match=r'give (the category|one) .*--labels-category'):
            read_labels(path, format, size=SIZE)
        return
    labels = read_labels(path, format, size=SIZE)
    assert labels.skeleton.keypoint_names == (*names,)
    places = {p.extra[CLASS_NAME]: p.keypoints for p in labels.persons if p.frame_index == 0}
    (bee,) = (person.keypoints for person in subject(1, other).persons[:1])
    np.testing.assert_allclose(places['bee'], bee[[other.index(name) for name in names]])


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
    [{'iscrowd': 1}, {'keypoints': [0] * 9, 'bbox': [0, 0, 0, 0]}, {'keypoints': None, 'bbox': []}],
)
def test_a_category_of_crowds_or_empty_objects_does_not_count(
    tmp_path: Path, change: dict[str, Any]
):
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 2)), 'coco')
    of_two_categories(path, ['nose', 'tail', 'paw'])
    edit(path, lambda data: data['annotations'][1].update(change, source=None))

    labels = read_labels(path)
    assert (labels.skeleton.keypoint_names, len(labels.persons)) == (JOINTS, 1)


# -- which of several statements ----------------------------------------------------------------

RATE = 25
LONG_VIDEO = ArrayFrames(np.broadcast_to(np.zeros((1, 4, 4, 3), np.uint8), (400, 4, 4, 3)))
LONG_VIDEO.fps = float(RATE)

some_frames = st.sets(st.integers(0, 300), min_size=1, max_size=5).map(sorted)


def have_even_times(frames: list[int]) -> bool:
    """Tell whether times can be compared: consecutive numbers may only count the pictures."""
    return len(frames) > 2 and frames[-1] - frames[0] >= len(frames)


STATED = {
    None: [(0, 1), (1, 0)],
    1: [*product((None, 0, 1), repeat=2)],
    1000: [*product((None, 0, 1), repeat=2)][1:],
}
"""Unit of the times, in a second -> first numbers of the names and of the fields frame_id. What is
missing here leaves open whether numbers count from 0 or 1, or which unit times have."""


def state_frames(path: Path, fields: Sequence[dict[str, Any]], order: Sequence[int]) -> None:
    """Replace what tells the frame of each picture in a file of COCO's form, and their order."""

    def change(data: Any) -> None:
        images = [
            {'id': image['id'], 'width': 320, 'height': 240, **of_image}
            for image, of_image in zip(data['images'], fields, strict=True)
        ]
        data['images'] = [images[i] for i in order if i < len(images)]
        data.pop('videos', None)

    edit(path, change)


def found_frames(path: Path, format: str) -> list[int]:
    labels = read_labels(path, format)
    return [p.frame_index for p in match_frames(labels, LONG_VIDEO).persons]


@pytest.mark.parametrize('format', ['coco', 'posetrack18'])
@given(
    frames=some_frames,
    unit=st.sampled_from([*STATED]),
    place=st.integers(0, 8),
    has_index=st.sampled_from([False, False, True]),
    order=st.permutations(range(5)),
)
def test_statements_that_agree_tell_the_frames(
    tmp_path: Path,
    format: str,
    frames: list[int],
    unit: int | None,
    place: int,
    has_index: bool,
    order: list[int],
):
    """The names and the frame_id count from 0 or 1, times are in seconds or milliseconds."""
    unit = unit if have_even_times(frames) else None
    first_name, first_id = STATED[unit][place % len(STATED[unit])]
    fields: list[dict[str, Any]] = [{} for _ in frames]
    for i, frame in enumerate(frames):
        name = 'abcde'[i] if first_name is None else f'{frame + first_name:04}'
        fields[i]['file_name'] = f'clip_{name}.jpg'
        if first_id is not None:
            fields[i]['frame_id'] = frame + first_id
        if unit is not None:
            fields[i]['timestamp'] = round(unit * frame / RATE, 3)
        if has_index:
            fields[i]['frame_index'] = frame
    people = (person(frame, track_id=1) for frame in frames)
    path = written(tmp_path, video(*people), format)
    state_frames(path, fields, order)

    assert found_frames(path, format) == frames


@pytest.mark.parametrize('format', ['coco', 'posetrack18'])
@given(
    frames=some_frames.filter(have_even_times),
    wrong=st.lists(st.integers(0, 390), min_size=5, max_size=5, unique=True),
    is_time=st.booleans(),
)
def test_a_statement_that_contradicts_others_is_never_followed_silently(
    tmp_path: Path, format: str, frames: list[int], wrong: list[int], is_time: bool
):
    """Of the names and the times or the frame_id, which agree, and of the other one."""
    fields = [
        {
            'file_name': f'clip_{frame + 1:04}.jpg',
            'frame_id': frame if is_time else other,
            'timestamp': (other if is_time else frame) / RATE,
        }
        for frame, other in zip(frames, wrong, strict=False)
    ]
    differences = {other - frame for frame, other in zip(frames, wrong, strict=False)}
    assume(len(differences) > 1)
    path = written(tmp_path, video(*(person(frame, track_id=1) for frame in frames)), format)
    state_frames(path, fields, range(5))

    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        try:
            assert found_frames(path, format) == frames
            is_told = any('agree, not so the times' in str(note.message) for note in notes)
        except InputError as error:
            is_told = 'contradict' in str(error)
    assert is_told


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


def zip_of(path: Path, folder: str, others: dict[str, str]) -> Path:
    """Put a file or folder into a zip as its tool does, below a folder and beside other files."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob('*') if file.is_file())
    target = path.parent / 'clip.zip'
    with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, text in others.items():
            archive.writestr(name, text)
        for file in files:
            is_cvat = file.suffix == '.xml'
            name = 'annotations.xml' if is_cvat else file.relative_to(path.parent)
            archive.write(file, f'{folder}{name}')
    return target


def with_each(path: Path, change: Any, suffix: str = '') -> Path:
    """Change the bytes of a file, or of all files of a folder, and add a suffix to their names."""
    for file in [path] if path.is_file() else sorted(filter(Path.is_file, path.rglob('*'))):
        data = change(file.read_bytes())
        file.unlink()
        Path(f'{file}{suffix}').write_bytes(data)
    return path if path.is_dir() else Path(f'{path}{suffix}')


def with_upper_suffixes(path: Path) -> Path:
    for file in [path] if path.is_file() else sorted(filter(Path.is_file, path.rglob('*'))):
        # Ultralytics names it so.
        if file.name != 'data.yaml':
            file.rename(file.with_suffix(file.suffix.upper()))
    return path if path.is_dir() else path.with_suffix(path.suffix.upper())


@pytest.mark.parametrize('format', [*FORMATS, 'sleap', 'nwb'])
@settings(max_examples=8)
@given(
    kind=st.sampled_from(['zip', 'gzip', 'mark', 'blanks', 'upper']),
    folder=st.sampled_from(['', 'export/', 'a b/labels/']),
    others=st.dictionaries(
        st.sampled_from(['images/', '__MACOSX/._x.json', 'images/0.png', 'README.txt', 'info.md']),
        st.just('x'),
    ),
)
def test_a_file_is_known_however_it_is_packed(
    tmp_path: Path, format: str, kind: str, folder: str, others: dict[str, str]
):
    form, is_json = LABEL_FORMATS[format], bool(LABEL_FORMATS[format].is_json)
    if form.package:
        pytest.importorskip(form.package)
    if form.package or format == 'movement':
        kind = 'upper'
    path = written(tmp_path, video(person(0, track_id=1), person(9, 10, 1)), format)
    assume(kind != 'zip' or is_json or format in ('cvat', 'yolo-pose'))
    assume(kind != 'gzip' or is_json or not form.to_folder)
    assume(kind != 'blanks' or is_json)
    before, known_as = content(read_labels(path, size=SIZE)), sniff_format(path)
    path = {
        'zip': lambda: zip_of(path, folder, others),
        'gzip': lambda: with_each(path, gzip.compress, '.gz'),
        'mark': lambda: with_each(path, b'\xef\xbb\xbf'.__add__),
        'blanks': lambda: with_each(path, b'\n \n'.__add__),
        'upper': lambda: with_upper_suffixes(path),
    }[kind]()

    assert sniff_format(path) == known_as
    for named in (None, format):
        labels = content(read_labels(path, named, size=SIZE))
        for what, name in (('persons', 'keypoints'), ('frames', 'file_name')):
            assert [x[name] for x in labels[what]] == [x[name] for x in before[what]]


@pytest.mark.parametrize(
    ('files', 'told'),
    [
        ({}, r'expected one label file in it \(none\)'),
        ({'a.json': '{}', 'b.json': '[]'}, r'expected one label file in it \(none\)'),
        ({'a.json': '{"item": 1, "annotations": []}', 'b.txt': 'x'}, r'a\.json is a Darwin file'),
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


@pytest.mark.parametrize('frames', [(0, 9), (5,)])
def test_json_lines_are_read_as_a_list(tmp_path: Path, frames: tuple[int, ...]):
    people = (person(frame, track_id=1) for frame in frames)
    path = written(tmp_path, video(*people), 'coco-results')
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


# -- is a name decoded ---------------------------------------------------------------------------

NAMED = [n for n in FORMATS if n not in ('cvat', 'coco-results', 'mmpose')]
"""Formats whose files name the pictures."""


words = st.text('ab ()%[]#&+\xe9_-', max_size=7).filter(lambda text: not text.endswith('%'))
endings = st.sampled_from(['', ')', ' b', '_\xe9', '%'])


@pytest.mark.parametrize('format', NAMED)
@settings(max_examples=8)
@given(before=words, after=endings, digits=st.integers(1, 4), times_coded=st.integers(0, 2))
def test_codes_of_a_url_are_no_part_of_a_number(
    tmp_path: Path, format: str, before: str, after: str, digits: int, times_coded: int
):
    labels = video(person(0, track_id=1), person(9, 10, 1))
    names = [f'{before}{frame:0{digits}}{after}.jpg' for frame in (0, 9)]
    for _ in range(times_coded):
        names = [*map(quote, names)]
    frames = [replace(f, file_name=name) for f, name in zip(labels.frames, names, strict=True)]
    path = written(tmp_path, replace(labels, frames=tuple(frames)), format)
    if format in ('coco', 'posetrack18'):
        edit(path, lambda data: [image.pop('frame_index') for image in data['images']])

    read = read_labels(path, format, size=SIZE)
    assert [p.frame_index for p in match_frames(read, None).persons] == [0, 9]


@given(before=words, after=endings, digits=st.integers(1, 4), is_coded=st.booleans())
def test_frames_are_named_with_the_codes_of_the_others(
    before: str, after: str, digits: int, is_coded: bool
):
    names = {frame: f'{before}{frame:0{digits}}{after}.jpg' for frame in (0, 9, 5)}
    names = {frame: quote(name) if is_coded else name for frame, name in names.items()}

    assert follow_names({0: names[0], 9: names[9]}, [5])[5] == names[5]


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
