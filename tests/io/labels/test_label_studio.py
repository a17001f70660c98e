from pathlib import Path

import pytest

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.labels import read_labels, sniff_format
from support.foreign_labels import studio_region, studio_task, write_json

UPLOADED = '/data/upload/3/ab12cd34-frame_0003.jpg'


def point(region_id, label, x, y, **fields):
    return studio_region(region_id, 'keypointlabels', label, x=x, y=y, width=0.5, **fields)


def box(region_id, **fields):
    place = dict(x=10, y=20, width=50, height=25)
    return studio_region(region_id, 'rectanglelabels', 'mouse', **place, **fields)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two animals in the first picture: one by the list of regions, one by relations."""
    first = studio_task(
        UPLOADED,
        point('a', 'snout', 12.5, 50, parentID='m1'),
        box('m1'),
        point('b', 'tail', 100, 0, parentID='m1'),
        box('m2'),
        point('c', 'snout', 1, 1),
        {'from_id': 'm2', 'to_id': 'c', 'type': 'relation', 'direction': 'right'},
        {'id': 'z', 'type': 'choices', 'value': {'choices': ['blurred']}},
    )
    second = studio_task('/data/local-files/?d=clips/frame_0011.jpg', point('d', 'tail', 50, 50))
    return write_json(tmp_path / 'project.json', [first, second])


def test_percentages_become_pixels(export: Path):
    persons = read_labels(export, video='3').persons

    assert sniff_format(export) == 'label-studio'
    assert persons[0].keypoints.tolist() == [[80, 240], [640, 0]]
    assert persons[0].visibility.tolist() == [2, 2]
    assert persons[0].bbox.tolist() == [64, 96, 320, 120]


def test_points_belong_to_their_rectangle(export: Path):
    labels = read_labels(export, video='3')

    assert labels.skeleton.keypoint_names == ('snout', 'tail')
    assert labels.skeleton.category == 'mouse'
    assert [person.visibility.tolist() for person in labels.persons] == [[2, 2], [2, 0]]
    assert labels.persons[1].keypoints[0].tolist() == [6.4, 4.8]
    assert {person.source for person in labels.persons} == {'given'}


@pytest.mark.parametrize(
    ('rotation', 'expected'),
    [
        # 64, 96, 320 x 120 pixels, about the top left corner, clockwise.
        (0, [64, 96, 320, 120]),
        (90, [64 - 120, 96, 120, 320]),
        (180, [64 - 320, 96 - 120, 320, 120]),
        (-90, [64, 96 - 320, 120, 320]),
        (30, [4, 96, 337.1281, 263.9230]),
    ],
)
def test_a_turned_rectangle_is_enclosed(tmp_path: Path, rotation: int, expected: list[float]):
    turned = box('m1')
    turned['value']['rotation'] = rotation
    task = studio_task(UPLOADED, turned, point('a', 'snout', 12.5, 50, parentID='m1'))
    write_json(tmp_path / 'p.json', [task])

    (person,) = read_labels(tmp_path / 'p.json').persons
    assert person.bbox.tolist() == pytest.approx(expected, abs=1e-4)


def test_regions_without_a_place_are_left_out_and_told(tmp_path: Path):
    """Points, or a rectangle, that prompted a segmentation."""
    ghosts = [point('g', 'snout', 0, 0, hidden=True), box('h')]
    for ghost in ghosts:
        del ghost['value']['x'], ghost['value']['y']
    task = studio_task(UPLOADED, point('a', 'snout', 1, 1), *ghosts)
    write_json(tmp_path / 'p.json', [task])

    with pytest.warns(InputWarning, match=r'p.json: 2 regions without a place left out, as of poi'):
        (person,) = read_labels(tmp_path / 'p.json').persons
    assert (person.keypoints.tolist(), person.bbox) == ([[6.4, 4.8]], None)


def test_points_without_rectangle_are_one_person(export: Path):
    (person,) = read_labels(export, video='clips').persons

    assert person.keypoints.tolist() == [[0, 0], [320, 240]]
    assert person.track_id is None


def test_frames_are_named_without_what_label_studio_adds(export: Path):
    (frame,) = read_labels(export, video='3').frames

    assert (frame.index, frame.file_name) == (3, '/data/upload/3/frame_0003.jpg')
    assert (frame.width, frame.height, frame.is_labeled) == (640, 480, True)
    assert read_labels(export, video='clips').frames[0].index == 11


def test_a_cancelled_annotation_does_not_count(tmp_path: Path):
    task = studio_task(UPLOADED, point('a', 'snout', 1, 1))
    task['annotations'].insert(0, {'result': [point('b', 'snout', 9, 9)], 'was_cancelled': True})
    write_json(tmp_path / 'p.json', [task])

    assert read_labels(tmp_path / 'p.json').persons[0].keypoints.tolist() == [[6.4, 4.8]]


def test_the_ground_truth_of_several_annotations_counts(tmp_path: Path):
    task = studio_task(UPLOADED, point('a', 'snout', 1, 1))
    task['annotations'].append({'result': [point('b', 'snout', 50, 50)], 'ground_truth': True})
    write_json(tmp_path / 'p.json', [task])

    assert read_labels(tmp_path / 'p.json').persons[0].keypoints.tolist() == [[320, 240]]


def test_predictions_are_no_labels(tmp_path: Path):
    regions = [point('a', 'snout', 1, 1, score=0.25), point('b', 'tail', 2, 2)]
    task = studio_task(UPLOADED, annotations=[], predictions=[{'result': regions}])
    write_json(tmp_path / 'p.json', [task])
    labels = read_labels(tmp_path / 'p.json')

    assert labels.persons[0].source == 'propagated'
    assert labels.persons[0].scores.tolist() == [0.25, 1]
    assert labels.frames[0].is_labeled is None


def test_predictions_of_an_annotated_task_are_left_out(tmp_path: Path):
    prediction = {'result': [point('b', 'snout', 9, 9)]}
    task = studio_task(UPLOADED, point('a', 'snout', 1, 1), predictions=[prediction])
    write_json(tmp_path / 'p.json', [task])

    (person,) = read_labels(tmp_path / 'p.json').persons
    assert (person.source, person.keypoints.tolist()) == ('given', [[6.4, 4.8]])


def test_the_picture_may_have_any_field(tmp_path: Path):
    task = studio_task('', point('a', 'snout', 1, 1))
    task['data'] = {'note': 'first try', 'photo': 's3://bucket/rat/0042.png?sig=1'}
    write_json(tmp_path / 'p.json', [task])

    labels = read_labels(tmp_path / 'p.json')
    assert (labels.name, labels.frames[0].index) == ('rat', 42)
