import json
import warnings
from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_all_labels, read_labels, sniff_format, write_labels
from stdpose_mm.structures import VideoFrame
from support.foreign_labels import labelme, labelme_shape, write_json, write_picture
from support.label_samples import person, sample

MADE = {'propagated': True}


def test_a_folder_is_a_video_whose_groups_of_points_are_people(tmp_path: Path):
    folder = tmp_path / 'clip'
    first = labelme(
        'img_0010.jpg',
        labelme_shape('runner', [[30, 40], [10, 20.5]], shape_type='rectangle', group_id=4),
        labelme_shape('nose', [[12.5, 21]], group_id=4),
        labelme_shape('hand', [[14, 30.25]], group_id=4, flags={'occluded': True}),
        labelme_shape('hand', [[44, 31]], group_id=5),
        labelme_shape('runner', [[50, 40], [60, 44]], shape_type='rectangle', group_id=6),
        labelme_shape('floor', [[0, 0], [5, 5], [0, 5]], shape_type='polygon'),
    )
    file = write_json(folder / 'img_0010.json', first)
    write_json(folder / 'img_0002.json', labelme('img_0002.jpg'))
    (folder / '.123.partial.json').write_text('{"shapes": ')
    labels = read_labels(folder)

    assert sniff_format(folder) == sniff_format(file) == 'labelme'
    assert (labels.name, labels.skeleton.keypoint_names) == ('clip', ('nose', 'hand'))
    one, other, boxed = labels.persons
    assert (one.track_id, other.track_id, boxed.track_id) == (4, 5, 6)
    assert one.keypoints.tolist() == [[12.5, 21], [14, 30.25]]
    assert one.visibility.tolist() == [2, 1]
    assert other.keypoints.tolist() == [[0, 0], [44, 31]]
    assert other.keypoint_sources.tolist() == ['absent', 'given']
    # A rectangle of the group is the box and names the category.
    assert labels.skeleton.category == 'runner'
    assert one.bbox.tolist() == [10, 20.5, 20, 19.5]
    assert other.bbox is None
    assert (boxed.bbox.tolist(), boxed.labelled.any()) == ([50, 40, 10, 4], False)
    assert [(f.index, f.file_name, f.width, f.height) for f in labels.frames] == [
        (2, 'img_0002.jpg', 64, 48),
        (10, 'img_0010.jpg', 64, 48),
    ]
    assert all(frame.is_labeled for frame in labels.frames)
    assert [*read_labels(file)] == [10]


def test_joints_are_in_the_order_in_which_they_appear(tmp_path: Path):
    # The first point has no group, but can only be of the person that lacks it.
    shapes = [
        labelme_shape('nose', [[1, 2]]),
        labelme_shape('hand', [[3, 4]], group_id=1),
        labelme_shape('foot', [[5, 6]], group_id=1),
    ]
    write_json(tmp_path / 'f_1.json', labelme('f_1.jpg', *shapes))

    labels = read_labels(tmp_path)
    assert labels.skeleton.keypoint_names == ('nose', 'hand', 'foot')
    assert [p.keypoints.tolist() for p in labels.persons] == [[[1, 2], [3, 4], [5, 6]]]


def test_what_xanylabeling_calls_difficult_is_occluded(tmp_path: Path):
    shapes = [
        labelme_shape(f'j{i}', [[i, 2]], group_id=1, difficult=difficult, kie_linking=[])
        for i, difficult in enumerate((True, False, None))
    ]
    write_json(tmp_path / 'f_1.json', labelme('f_1.jpg', *shapes))

    assert read_labels(tmp_path).persons[0].visibility.tolist() == [1, 2, 2]


@pytest.mark.parametrize('checked', [True, False, None])
def test_points_with_the_score_of_a_model_are_told_unless_they_were_checked(
    tmp_path: Path, checked: bool | None
):
    """As X-AnyLabeling writes them; points that were drawn have the score null."""
    shapes = [
        labelme_shape('nose', [[1, 2]], score=0.83),
        labelme_shape('hand', [[3, 4]], score=None),
        labelme_shape('person', [[0, 0], [5, 5]], shape_type='rectangle', score=0.9),
    ]
    write_json(tmp_path / 'f_1.json', {**labelme('f_1.jpg', *shapes), 'checked': checked})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        persons = read_labels(tmp_path).persons

    assert [person.source for person in persons] == ['given']
    told = [str(one.message) for one in caught if '1 point with the score of a model' in str(one)]
    assert len(told) == (checked is not True)


@pytest.mark.parametrize('kind', ['rotation', 'oriented_rectangle'])
def test_a_turned_rectangle_of_xanylabeling_or_labelme_6_is_enclosed(tmp_path: Path, kind: str):
    corners = [[30, 10], [50, 30], [40, 40], [20, 20]]
    shapes = [
        labelme_shape('rat', corners, shape_type=kind, group_id=1, direction=0.785),
        labelme_shape('nose', [[33, 22]], group_id=1),
    ]
    write_json(tmp_path / 'f_1.json', labelme('f_1.jpg', *shapes))
    labels = read_labels(tmp_path)

    assert labels.persons[0].bbox.tolist() == [20, 10, 30, 30]
    assert labels.skeleton.category == 'rat'


def test_without_groups_there_is_one_person(tmp_path: Path):
    shapes = labelme_shape('nose', [[1, 2]]), labelme_shape('hand', [[3, 4]])
    write_json(tmp_path / 'a7.json', labelme('a7.png', *shapes))

    (person,) = read_labels(tmp_path).persons
    assert person.keypoints.tolist() == [[1, 2], [3, 4]]
    assert person.track_id is None


def test_pictures_of_several_folders_are_several_videos(tmp_path: Path):
    for name in ('a', 'b'):
        shape = labelme_shape('nose', [[1, 2]], group_id=0)
        write_json(tmp_path / f'{name}.json', labelme(f'..\\{name}\\0001.jpg', shape))

    assert [labels.name for labels in read_all_labels(tmp_path)] == ['a', 'b']


def renamed(folder: Path, *pictures: str, **named: str) -> Path:
    """Files that name other pictures than they are called after, and pictures beside them."""
    for name, picture in named.items():
        shape = labelme_shape('nose', [[1, 2]])
        write_json(folder / f'{name.removeprefix("f")}.json', labelme(picture, shape))
    for picture in pictures:
        write_picture(folder / picture)
    return folder


STALE = {'f000007': '000000.jpg', 'f000014': '000007.jpg'}


@pytest.mark.parametrize(
    ('pictures', 'named', 'frames'),
    [
        # Renamed together with the pictures, or copied from the file before.
        (('000007.jpg', '000014.jpg'), {'f000007': '000000.jpg', 'f000014': '000001.jpg'}, [7, 14]),
        (('000007.JPG', '000014.png'), dict.fromkeys(STALE, 'x\\000000.jpg'), [7, 14]),
        # Renamed alone.
        (('000000.jpg', '000003.jpg'), {'f000007': '000000.jpg', 'f000014': '000003.jpg'}, [0, 3]),
        # The same number in another form, and names that are no numbers of frames.
        ((), {'f7': 'img_0007.jpg', 'f14': 'img_0014.jpg'}, [7, 14]),
        ((), {'fa': '0001.jpg', 'fb': '0002.jpg'}, [1, 2]),
        ((), {'f7': '', 'f14': ''}, [7, 14]),
    ],
)
def test_the_picture_beside_tells_which_a_file_is_of(
    tmp_path: Path, pictures: tuple, named: dict, frames: list[int]
):
    assert list(read_labels(renamed(tmp_path / 'x', *pictures, **named))) == frames


@pytest.mark.parametrize(
    ('pictures', 'lie'),
    [((), 'neither is'), (('000000.jpg', '000007.jpg', '000014.jpg'), 'both are')],
)
def test_a_file_of_another_name_than_its_picture_is_refused(
    tmp_path: Path, pictures: tuple, lie: str
):
    folder = renamed(tmp_path / 'x', *pictures, **STALE)

    with pytest.raises(
        InputError, match=rf"000007.json has the name .* \('000000.jpg' in .* {lie} in its folder"
    ):
        read_labels(folder)


def test_a_path_out_of_the_folder_is_a_name_and_never_opened(tmp_path: Path):
    shape = labelme_shape('nose', [[1, 2]])
    write_json(tmp_path / 'x.json', labelme('../../../../../../etc/passwd', shape))

    assert read_labels(tmp_path).frames[0].file_name.endswith('etc/passwd')


def test_stray_blanks_do_not_make_another_joint(tmp_path: Path):
    for number, joint in enumerate(('Nose', 'Nose ', '\tNose')):
        shape = labelme_shape(joint, [[number, 2]], group_id=0)
        write_json(tmp_path / f'{number}.json', labelme(f'000{number}.jpg', shape))
    labels = read_labels(tmp_path)

    assert labels.skeleton.keypoint_names == ('Nose',)
    assert [p.keypoints.tolist() for p in labels.persons] == [[[0, 2]], [[1, 2]], [[2, 2]]]


def test_a_frame_is_a_file_of_points_in_groups(tmp_path: Path):
    made = person(2, 4, source='propagated', scores=[0.5, 0, 0.75], bbox=None)
    write_labels(sample(persons=(person(0, 7), made)), tmp_path / 'out', 'labelme')
    files = {file.name: json.loads(file.read_text()) for file in tmp_path.glob('*/*')}

    assert sorted(files) == ['000000.json', '000001.json', '000002.json']
    assert files['000000.json'] == {
        'version': '5.5.0',
        'flags': {},
        'shapes': [
            {'group_id': 7, 'description': '', 'flags': flags, 'label': label}
            | {'points': points, 'shape_type': 'point' if len(points) == 1 else 'rectangle'}
            for label, flags, points in (
                ('person', {}, [[5, 6], [75, 86.5]]),
                ('nose', {}, [[10.5, 20]]),
                ('right_hand', {'occluded': True}, [[30, 40.25]]),
            )
        ],
        'imagePath': '000000.jpg',
        'imageData': None,
        'imageHeight': 480,
        'imageWidth': 640,
    }
    # Nobody has looked at it.
    assert (files['000001.json']['shapes'], files['000001.json']['flags']) == ([], MADE)
    assert files['000002.json']['flags'] == MADE
    shapes = files['000002.json']['shapes']
    assert [(shape['group_id'], shape['description']) for shape in shapes] == [
        (4, 'propagated 10.5,20.0'),
        (4, 'propagated 30.0,40.25'),
    ]


@pytest.mark.parametrize('accepted', [False, True])
def test_propagated_points_stay_so_until_they_are_moved_or_accepted(tmp_path: Path, accepted: bool):
    write_labels(sample(persons=(person(0, source='propagated'),)), tmp_path, 'labelme')
    labels = read_labels(tmp_path)
    assert labels.persons[0].keypoint_sources.tolist() == ['propagated'] * 2
    assert (labels.persons[0].source, labels.frames[0].is_labeled) == ('propagated', None)

    file = tmp_path / '000000.json'
    document = json.loads(file.read_text())
    document['shapes'][2]['points'][0][1] += 0.5
    document['flags'] = {'propagated': not accepted}
    write_json(file, document)
    labels = read_labels(tmp_path)
    nose = 'given' if accepted else 'propagated'
    assert labels.persons[0].keypoint_sources.tolist() == [nose, 'given']
    assert labels.frames[0].is_labeled is (True if accepted else None)


def test_people_without_a_track_get_groups_and_frames_names_of_their_own(tmp_path: Path):
    people = (person(0, None), person(0, 5), person(2, None))
    frames = tuple(VideoFrame(index) for index in range(3))
    write_labels(sample(frames=frames, persons=people), tmp_path, 'labelme')
    labels = read_labels(tmp_path)

    assert [p.track_id for p in labels.persons] == [6, 5, 7]
    assert [frame.file_name for frame in labels.frames] == [
        f'clip_00000000000{index}.jpg' for index in range(3)
    ]
