from pathlib import Path

import pytest

from stdpose_mm.io.labels import read_all_labels, read_labels, sniff_format
from support.foreign_labels import labelme, labelme_shape, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people in two pictures; one of the pictures was labelled from another folder."""
    folder = tmp_path / 'clip'
    first = labelme(
        'img_0010.jpg',
        labelme_shape('runner', [[30, 40], [10, 20.5]], shape_type='rectangle', group_id=4),
        labelme_shape('nose', [[12.5, 21]], group_id=4),
        labelme_shape('hand', [[14, 30.25]], group_id=4, flags={'occluded': True}),
        labelme_shape('hand', [[44, 31]], group_id=5),
        labelme_shape('floor', [[0, 0], [5, 5], [0, 5]], shape_type='polygon'),
    )
    write_json(folder / 'img_0010.json', first)
    write_json(folder / 'img_0002.json', labelme('img_0002.jpg'))
    return folder


def test_points_of_a_group_are_a_person(folder: Path):
    labels = read_labels(folder)

    assert sniff_format(folder) == 'labelme'
    assert (labels.name, labels.skeleton.keypoint_names) == ('clip', ('nose', 'hand'))
    first, second = labels.persons
    assert (first.track_id, second.track_id) == (4, 5)
    assert first.keypoints.tolist() == [[12.5, 21], [14, 30.25]]
    assert first.visibility.tolist() == [2, 1]
    assert second.keypoints.tolist() == [[0, 0], [44, 31]]
    assert second.keypoint_sources.tolist() == ['absent', 'given']


def test_what_xanylabeling_calls_difficult_is_occluded(tmp_path: Path):
    shapes = [
        labelme_shape(f'j{i}', [[i, 2]], group_id=1, difficult=difficult, kie_linking=[])
        for i, difficult in enumerate((True, False, None))
    ]
    write_json(tmp_path / 'f_1.json', labelme('f_1.jpg', *shapes))

    assert read_labels(tmp_path).persons[0].visibility.tolist() == [1, 2, 2]


def test_a_rectangle_of_the_group_is_the_box_and_names_the_category(folder: Path):
    labels = read_labels(folder)

    assert labels.skeleton.category == 'runner'
    assert labels.persons[0].bbox.tolist() == [10, 20.5, 20, 19.5]
    assert labels.persons[1].bbox is None


def test_pictures_are_frames_with_their_sizes(folder: Path):
    frames = read_labels(folder).frames

    assert [(f.index, f.file_name, f.width, f.height) for f in frames] == [
        (2, 'img_0002.jpg', 64, 48),
        (10, 'img_0010.jpg', 64, 48),
    ]
    assert all(frame.is_labeled for frame in frames)


def test_one_file_is_one_frame(folder: Path):
    labels = read_labels(folder / 'img_0010.json')

    assert sniff_format(folder / 'img_0010.json') == 'labelme'
    assert [frame.index for frame in labels.frames] == [10]


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


def test_hidden_files_are_left_out(folder: Path):
    (folder / '.123.partial.json').write_text('{"shapes": ')

    assert len(read_labels(folder).frames) == 2
