import json
from dataclasses import replace
from pathlib import Path

import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import read_all_labels, read_labels, sniff_format, write_labels
from stdpose_mm.structures import VideoFrame
from support.foreign_labels import studio_region, studio_task, write_json
from support.label_samples import person, sample

STUDIO, KINDS = 'label-studio', ('annotations', 'predictions')

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


def test_percentages_become_pixels_and_points_belong_to_their_rectangle(export: Path):
    labels = read_labels(export, video='3')
    first, second = labels.persons

    assert sniff_format(export) == 'label-studio'
    assert (labels.skeleton.keypoint_names, labels.skeleton.category) == (
        ('snout', 'tail'),
        'mouse',
    )
    assert first.keypoints.tolist() == [[80, 240], [640, 0]]
    assert first.bbox.tolist() == [64, 96, 320, 120]
    assert (first.visibility.tolist(), second.visibility.tolist()) == ([2, 2], [2, 0])
    assert second.keypoints[0].tolist() == [6.4, 4.8]
    assert first.source == second.source == 'given'
    # Pictures are named without what Label Studio adds.
    (frame,) = labels.frames
    assert (frame.index, frame.file_name) == (3, '/data/upload/3/frame_0003.jpg')
    assert (frame.width, frame.height, frame.is_labeled) == (640, 480, True)


def test_points_without_rectangle_are_one_person(export: Path):
    labels = read_labels(export, video='clips')

    (person,) = labels.persons
    assert (person.frame_index, person.track_id) == (11, None)
    assert person.keypoints.tolist() == [[0, 0], [320, 240]]


@pytest.mark.parametrize(
    ('rotation', 'expected'),
    [
        # 64, 96, 320 x 120 pixels, about the top left corner, clockwise.
        (0, [64, 96, 320, 120]),
        (90, [64 - 120, 96, 120, 320]),
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

    with pytest.warns(InputWarning, match=r'p.json: left out 2 regions without coordinates'):
        (person,) = read_labels(tmp_path / 'p.json').persons
    assert (person.keypoints.tolist(), person.bbox) == ([[6.4, 4.8]], None)


@pytest.mark.parametrize(
    ('left_out', 'counted'),
    [
        # The ground truth of several counts, cancelled ones and predictions do not.
        ({'was_cancelled': True}, {}),
        ({}, {'ground_truth': True}),
    ],
)
def test_one_annotation_of_a_task_counts(tmp_path: Path, left_out: dict, counted: dict):
    annotations = [
        {'result': [point('b', 'snout', 9, 9)], **left_out},
        {'result': [point('a', 'snout', 1, 1)], **counted},
    ]
    guess = {'result': [point('c', 'snout', 5, 5)]}
    task = studio_task(UPLOADED, annotations=annotations, predictions=[guess])
    write_json(tmp_path / 'p.json', [task])

    (person,) = read_labels(tmp_path / 'p.json').persons
    assert (person.source, person.keypoints.tolist()) == ('given', [[6.4, 4.8]])


def test_predictions_are_no_labels(tmp_path: Path):
    regions = [point('a', 'snout', 1, 1, score=0.25), point('b', 'tail', 2, 2)]
    task = studio_task(UPLOADED, annotations=[], predictions=[{'result': regions}])
    write_json(tmp_path / 'p.json', [task])
    labels = read_labels(tmp_path / 'p.json')

    assert labels.persons[0].source == 'propagated'
    assert labels.persons[0].scores.tolist() == [0.25, 1]
    assert labels.frames[0].is_labeled is None


def test_predictions_that_an_export_names_by_their_ids_are_left_out_with_a_note(tmp_path: Path):
    """As Label Studio 1.23 exports all tasks of a project, also those that nobody has annotated."""
    labelled = studio_task(UPLOADED, point('a', 'snout', 1, 1), predictions=[4])
    other = studio_task(UPLOADED.replace('0003', '0004'), annotations=[], predictions=[5])
    write_json(tmp_path / 'p.json', [labelled, other])

    with pytest.warns(InputWarning, match='left out the predictions of 1 task, of which the'):
        labels = read_labels(tmp_path / 'p.json')
    assert [(p.source, p.keypoints.tolist()) for p in labels.persons] == [('given', [[6.4, 4.8]])]


def test_the_picture_may_have_any_field(tmp_path: Path):
    task = studio_task('', point('a', 'snout', 1, 1))
    task['data'] = {'note': 'first try', 'photo': 's3://bucket/rat/0042.png?sig=1'}
    write_json(tmp_path / 'p.json', [task])

    labels = read_labels(tmp_path / 'p.json')
    assert (labels.name, labels.frames[0].index) == ('rat', 42)


def region(region_id: str, kind: str, label: str, place: dict, **fields) -> dict:
    made = studio_region(region_id, kind, label, **place, from_name=kind, **fields)
    del made['origin']
    return made


def test_given_joints_are_annotations_and_propagated_ones_predictions(tmp_path: Path):
    made = person(2, 4, source='propagated', scores=[0.5, 0, 0.75], bbox=None)
    frames = tuple(replace(f, is_labeled=True if f.index == 1 else None) for f in sample().frames)
    write_labels(sample(frames=frames, persons=(person(0), made)), tmp_path / 'a.json', STUDIO)
    first, second, third = json.loads((tmp_path / 'a.json').read_text())

    # 5 of 640 pixels are 0.78125 per cent, 6 of 480 are 1.25.
    box = {'x': 0.78125, 'y': 1.25, 'width': 10.9375, 'height': 100 * 80.5 / 480}
    nose = {'x': 1.640625, 'y': 100 * 20 / 480, 'width': 0.5}
    hand = {'x': 4.6875, 'y': 100 * 40.25 / 480, 'width': 0.5}
    assert first == {
        'data': {'image': 'images/clip/000000.jpg'},
        'annotations': [
            {
                'result': [
                    region('0', 'rectanglelabels', 'person', box, meta={'text': ['track 0']}),
                    region('0.0', 'keypointlabels', 'nose', nose, parentID='0'),
                    region('0.2', 'keypointlabels', 'right_hand', hand, parentID='0'),
                ]
            }
        ],
        'predictions': [],
    }
    assert (second['annotations'], second['predictions']) == ([{'result': []}], [])
    assert third['annotations'] == []
    (prediction,) = third['predictions']
    # The mean of its joints' scores.
    assert (prediction['model_version'], prediction['score']) == ('stdpose', 0.625)
    assert [one.get('score') for one in prediction['result']] == [None, 0.5, 0.75]
    # The extent of the joints: 19.5 of 640 pixels.
    assert prediction['result'][0]['value']['width'] == 100 * 19.5 / 640


@pytest.mark.parametrize(
    ('text', 'track'),
    [(['track 7'], 7), ('track 7, behind a car', 7), (['track 7x'], None), ([7], None)],
)
def test_the_info_of_a_rectangle_may_say_whose_it_is(tmp_path: Path, text: object, track: object):
    regions = box('m', meta={'text': text}), point('a', 'snout', 1, 1, parentID='m')
    write_json(tmp_path / 'p.json', [studio_task(UPLOADED, *regions)])

    assert read_labels(tmp_path / 'p.json').persons[0].track_id == track


def test_persons_keep_their_numbers(tmp_path: Path):
    people = person(0, 4), person(0, 3), person(2, 3, source='propagated'), person(2, None)
    write_labels(sample(persons=people), tmp_path / 'a.json', STUDIO)

    back = read_labels(tmp_path / 'a.json').persons
    assert [(p.frame_index, p.track_id) for p in back] == [(0, 4), (0, 3), (2, None)]


def test_joints_that_somebody_gave_beside_propagated_ones_stay_given(tmp_path: Path):
    sources = ['given', 'absent', 'propagated']
    partly = person(0, scores=[1, 0, 0.25], keypoint_sources=sources)
    nowhere = person(0, 1, visibility=[0, 0, 0])
    write_labels(sample(persons=(partly, nowhere)), tmp_path / 'a.json', STUDIO)
    (task, *_) = json.loads((tmp_path / 'a.json').read_text())

    names = [[[*one['value'].values()][-1][0] for one in task[kind][0]['result']] for kind in KINDS]
    assert names == [['person', 'nose'], ['person', 'nose', 'right_hand']]
    assert read_labels(tmp_path / 'a.json').persons[0].keypoint_sources.tolist() == ['given']


def test_the_labeling_interface_lies_beside(tmp_path: Path):
    write_labels(sample(), tmp_path / 'a.json.gz', STUDIO)

    assert (
        (tmp_path / 'a_config.xml').read_text()
        == """\
<View>
  <Image name="image" value="$image" />
  <KeyPointLabels name="keypointlabels" toName="image">
    <Label value="nose" />
    <Label value="left_hand" />
    <Label value="right_hand" />
  </KeyPointLabels>
  <RectangleLabels name="rectanglelabels" toName="image">
    <Label value="person" />
  </RectangleLabels>
</View>
"""
    )


@pytest.mark.parametrize('name', ['a b/50%/f_1.jpg', 'clip?d=x#1/f_1.jpg', 'a:b/f_1.png'])
def test_names_of_pictures_come_back(tmp_path: Path, name: str):
    frames = (VideoFrame(1, name, width=64, height=48),)
    write_labels(sample(frames=frames, persons=(person(1),)), tmp_path / 'a.json', STUDIO)

    assert read_labels(tmp_path / 'a.json').frames[0].file_name == name


def test_pictures_of_unknown_size_are_refused(tmp_path: Path):
    frames = (*sample().frames[:2], VideoFrame(2))
    write_labels(sample(frames=frames), tmp_path / 'a.json', STUDIO)
    size = json.loads((tmp_path / 'a.json').read_text())[2]['annotations'][0]['result'][0]
    # All the others are of one size.
    assert (size['original_width'], size['original_height']) == (640, 480)

    frames = (replace(frames[0], width=320), *frames[1:])
    with pytest.raises(InputError, match='clip does not state that of frame 2, give --labels'):
        write_labels(sample(frames=frames), tmp_path / 'b.json', STUDIO)
    assert not (tmp_path / 'b.json').exists()


def of_two_cameras(*regions: dict, **data: object) -> list:
    task = studio_task('left_0003.jpg', *regions)
    task['data'] = {'image': 'left_0003.jpg', 'right': 'right_0003.jpg', **data}
    return [task]


def test_points_stay_with_the_picture_that_their_to_name_names(tmp_path: Path):
    regions = (
        point('a', 'snout', 50, 50, to_name='image'),
        point('b', 'snout', 25, 25, to_name='right'),
    )
    write_json(tmp_path / 'p.json', of_two_cameras(*regions))

    with pytest.warns(
        InputWarning, match=r'several pictures \(image, right\), each is another video'
    ):
        left, right = read_all_labels(tmp_path / 'p.json')
    assert (left.name, left.frames[0].file_name) == ('image', 'left_0003.jpg')
    assert left.persons[0].keypoints.tolist() == [[320, 240]]
    assert (right.name, right.frames[0].file_name) == ('right', 'right_0003.jpg')
    assert right.persons[0].keypoints.tolist() == [[160, 120]]


@pytest.mark.parametrize(
    ('to_name', 'data', 'picture'),
    [
        ('right', {}, 'right_0003.jpg'),
        # Names of tags in the labeling interface need not be those of the data.
        ('tag', {}, 'left_0003.jpg'),
        ('tag', {'right': 'just a text'}, 'left_0003.jpg'),
    ],
)
def test_of_several_pictures_one_may_be_labelled(
    tmp_path: Path, to_name: str, data: dict, picture: str
):
    write_json(
        tmp_path / 'p.json', of_two_cameras(point('a', 'snout', 9, 9, to_name=to_name), **data)
    )

    assert [frame.file_name for frame in read_labels(tmp_path / 'p.json').frames] == [picture]


def test_points_of_an_unknown_picture_of_several_are_refused(tmp_path: Path):
    task = studio_task('', point('a', 'snout', 9, 9, to_name='tag'))
    task['data'] = {'left': 'left_0003.jpg', 'right': 'right_0003.jpg'}
    write_json(tmp_path / 'p.json', [task])

    with pytest.raises(InputError, match=r'pictures \(left, right\) of which the to_name of every'):
        read_labels(tmp_path / 'p.json')


def test_points_stay_with_the_item_of_a_list_of_pictures(tmp_path: Path):
    regions = [point(f'r{i}', 'snout', 10 * i, 50, item_index=i) for i in (2, 0)]
    task = studio_task('', *regions, point('x', 'tail', 50, 50, item_index=2))
    task['data'] = {'images': [f'f_{i}.jpg' for i in (3, 5, 8)]}
    write_json(tmp_path / 'p.json', [task])

    people = read_labels(tmp_path / 'p.json').persons
    assert [(p.frame_index, p.keypoints.tolist()) for p in people] == [
        (3, [[0, 240], [0, 0]]),
        (8, [[128, 240], [320, 240]]),
    ]
    regions[0]['item_index'] = 3
    write_json(tmp_path / 'p.json', [task])
    with pytest.raises(InputError, match=r'item_index must be a whole number in 0\.\.2'):
        read_labels(tmp_path / 'p.json')


@pytest.mark.parametrize(
    ('kind', 'value', 'box'),
    [
        ('polygonlabels', {'points': [[10, 20], [60, 20], [35, 45]]}, [64, 96, 320, 120]),
        ('brushlabels', {'format': 'rle', 'rle': [1, 2]}, None),
        ('ellipselabels', {'x': 5, 'y': 5, 'radiusX': 1, 'radiusY': 2}, None),
    ],
)
def test_an_outline_with_points_in_it_is_a_person(
    tmp_path: Path, kind: str, value: dict, box: list[float] | None
):
    outlines = [studio_region(i, kind, 'mouse') for i in ('p', 'q', 'lonely')]
    for outline in outlines:
        outline['value'].update(value)
    points = [
        point(f'{i}{x}', name, x, 50, parentID=i)
        for i, first in (('p', 10), ('q', 20))
        for name, x in (('snout', first), ('tail', first + 5))
    ]
    write_json(tmp_path / 'p.json', [studio_task('f_3.jpg', *outlines, *points)])

    with pytest.warns(InputWarning, match=rf'other regions are not read: {kind} \(1\)'):
        labels = read_labels(tmp_path / 'p.json')
    assert labels.skeleton.category == 'mouse'
    assert [p.keypoints[:, 0].tolist() for p in labels.persons] == [[64, 96], [128, 160]]
    assert [None if p.bbox is None else p.bbox.tolist() for p in labels.persons] == [box] * 2
