from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stdpose_mm.detection.box_files import read_boxes, read_tracks
from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import FrameOptions, read_labels, write_labels
from stdpose_mm.io.video import open_frames
from stdpose_mm.structures import FrameBoxes, PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.foreign_labels import mmpose_instance, openpose, openpose_person, write_json

BOXES = {
    0: FrameBoxes([[1.5, 2, 30, 40], [50, 2, 30, 40.25]], [0.5, 1], [3, 8]),
    2: FrameBoxes([[4, 2, 30, 40]], [0.75], [3]),
}


def rows(boxes):
    """Frame, track id, box and score of everybody."""
    for frame, people in boxes.items():
        for box, score, track in zip(people.boxes, people.scores, people.track_ids, strict=True):
            yield frame, int(track), box.tolist(), float(score)


def write_mot(path, boxes, ids=True, separator=','):
    lines = [
        separator.join(map(str, (frame + 1, track if ids else -1, *box, score, -1, -1, -1)))
        for frame, track, box, score in rows(boxes)
    ]
    path.write_text('\n'.join(lines) + '\n\n')
    return path


def write_coco(path, boxes, name=lambda frame: frame):
    items = [
        {'image_id': name(frame), 'category_id': 1, 'bbox': box, 'score': score}
        for frame, _, box, score in rows(boxes)
    ]
    return write_json(path, items)


def write_posetrack(path, boxes, ids=True, **size):
    frames = tuple(VideoFrame(i, f'{i:06d}.jpg', i, **size) for i in range(4))
    points, visibility = np.ones((2, 2)), np.array([2, 0])
    persons = tuple(
        PersonLabel(frame, points, visibility, track if ids else None, bbox=np.array(box))
        for frame, track, box, _ in rows(boxes)
    )
    write_labels(VideoLabels('clip', Skeleton(('nose', 'tail')), frames, persons), path)
    return path


def pictures(folder, numbers, size=(96, 64)):
    """A folder of pictures whose names are these numbers."""
    folder.mkdir()
    for number in numbers:
        cv2.imwrite(str(folder / f'{number:06d}.jpg'), np.zeros((*size[::-1], 3), np.uint8))
    return open_frames(folder)


def boxes_of(found):
    return {frame: people.boxes.tolist() for frame, people in found.items()}


def same(found, boxes, scores=True, ids=True):
    assert sorted(found) == sorted(boxes)
    for frame, people in boxes.items():
        assert found[frame].is_tracked == ids
        np.testing.assert_array_equal(found[frame].boxes, people.boxes)
        expected = people.scores if scores else np.ones(len(people))
        np.testing.assert_array_equal(found[frame].scores, expected)
        if ids:
            np.testing.assert_array_equal(found[frame].track_ids, people.track_ids)


@pytest.mark.parametrize('separator', [',', ', ', ' '])
@pytest.mark.parametrize('ids', [True, False])
def test_mot_text_round_trip(tmp_path, separator, ids):
    same(read_boxes(write_mot(tmp_path / 'b.txt', BOXES, ids, separator)), BOXES, ids=ids)


def test_coco_detections_round_trip(tmp_path):
    same(read_boxes(write_coco(tmp_path / 'b.json', BOXES)), BOXES, ids=False)
    zipped = tmp_path / 'b.json.gz'
    zipped.write_bytes(gzip.compress((tmp_path / 'b.json').read_bytes()))
    same(read_boxes(zipped), BOXES, ids=False)


def test_unsure_coco_detections_are_left_out(tmp_path):
    unsure = {0: FrameBoxes([(1.0, 2, 3, 4), (5.0, 6, 7, 8)], [0.19, 0.2], [0, 1])}
    found = read_boxes(write_coco(tmp_path / 'b.json', unsure))
    assert boxes_of(found) == {0: [[5, 6, 7, 8]]}


@pytest.mark.parametrize('ids', [True, False])
def test_posetrack_round_trip(tmp_path, ids):
    path = write_posetrack(tmp_path / 'b.json', BOXES, ids)
    same(read_boxes(path), BOXES, scores=False, ids=ids)


def test_pictures_are_named_as_the_folder_names_them(tmp_path):
    # The folder's names count from 10, its frames from 0.
    frames = pictures(tmp_path / 'frames', range(10, 14))
    path = tmp_path / 'b.json'
    for name in (lambda f: f'{f + 10:06d}.jpg', lambda f: f'images/{f + 10:06d}'):
        same(read_boxes(write_coco(path, BOXES, name), frames), BOXES, ids=False)
    # Other names are read as those of labels are.
    write_coco(path, BOXES, lambda f: f'{f:06d}.jpg')
    for video in (frames, None):
        same(read_boxes(path, video), BOXES, ids=False)


@pytest.mark.parametrize(
    ('name', 'text'), [('b.json', '[]'), ('b.txt', ''), ('b.csv', ''), ('b.txt', '\n')]
)
def test_all_that_can_be_written_about_a_video_without_people_is_nobody(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_boxes(tmp_path / name) == {}


def test_of_several_classes_people_are_taken(tmp_path):
    path = tmp_path / 'b.json'
    person, car = (
        {'image_id': 2, 'category_id': category, 'bbox': [x, 0, 5, 5], 'score': 0.9}
        for x, category in ((0, 1), (20, 3))
    )
    write_json(path, [car, person, car])
    with pytest.warns(InputWarning, match='of the categories 1, 3: only 1 .people in COCO'):
        assert boxes_of(read_boxes(path)) == {2: [[0, 0, 5, 5]]}
    # Another class alone, such as an animal, is who poses are looked for.
    write_json(path, [car])
    assert boxes_of(read_boxes(path)) == {2: [[20, 0, 5, 5]]}
    write_json(path, [car, {**car, 'category_id': 17}])
    with pytest.raises(InputError, match='of the categories 3, 17, expected people'):
        read_boxes(path)
    del person['category_id']
    write_json(path, [person, car])
    with pytest.raises(InputError, match='of the categories 3 and of none, expected people'):
        read_boxes(path)


def test_flags_in_place_of_scores_are_no_scores(tmp_path):
    file = tmp_path / 'gt.txt'
    file.write_text('1,1,0,0,5,5,-1\n1,2,9,0,5,5\n1,3,20,0,5,5,0.5,1,1\n1,4,30,0,5,5,37\n')
    assert read_boxes(file)[0].scores.tolist() == [1, 1, 0.5, 1]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1,1,0,0,5\n', r"b\.txt, line 1 is '1,1,0,0,5', expected the numbers frame"),
        ('1,1,0,0,5,5\na,1,0,0,5,5\n', "line 2 is 'a,1,0,0,5,5', expected the numbers frame"),
        ('1,1,0,0,nan,5\n', 'line 1 is'),
        ('-1,1,0,0,5,5\n', 'whole frames from 1'),
        ('1e9,1,0,0,5,5\n', 'whole frames from 1'),
        ('1.5,1,0,0,5,5\n', "'1.5,1,0,0,5,5', expected"),
        ('1,-2,0,0,5,5\n', 'whole ids from 0 or -1'),
        ('1,1,1e9,0,5,5\n', 'boxes in pixels'),
        ('1,1,0,0,0,5\n', r'b\.txt, frame 1: boxes must be finite'),
        ('1,1,0,0,5,5\n1,1,9,0,5,5\n', r'track ids must be distinct .* got \[1, 1\]'),
        ('1,1,0,0,5,5\n1,-1,9,0,5,5\n', r'frame 1: .*or -1 for all people, got \[1, -1\]'),
    ],
)
def test_mistakes_in_mot_text_are_named(tmp_path, text, message):
    (tmp_path / 'b.txt').write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_boxes(tmp_path / 'b.txt')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'image_id': -1}, r'b\.json: .*frame index -1 is negative'),
        ({'bbox': [0, 0, 0, 5]}, 'boxes must be finite'),
        ({'score': 7}, r'scores must be in 0\.\.1'),
        ({'bbox': None}, 'bbox'),
    ],
)
def test_mistakes_in_coco_detections_are_named(tmp_path, change, message):
    item = {'image_id': 0, 'bbox': [0, 0, 5, 5], 'score': 1, **change}
    item = {name: value for name, value in item.items() if value is not None}
    with pytest.raises(InputError, match=message):
        read_boxes(write_json(tmp_path / 'b.json', [item]))


def test_boxes_that_were_made_at_another_size_are_refused(tmp_path):
    frames = pictures(tmp_path / 'frames', range(4), (64, 48))
    path = tmp_path / 'b.json'
    same(read_boxes(write_posetrack(path, BOXES, width=64, height=48), frames), BOXES, scores=False)
    write_posetrack(path, BOXES, width=128, height=96)
    with pytest.raises(InputError, match=r'were made at 128x96 pixels .*that were made at 64x48'):
        read_boxes(path, frames)


@pytest.mark.parametrize('write', [write_mot, write_coco])
def test_boxes_of_larger_pictures_are_refused_without_a_stated_size(tmp_path, write):
    frames = pictures(tmp_path / 'frames', range(4), (32, 24))
    path = write(tmp_path / ('b.txt' if write is write_mot else 'b.json'), BOXES)
    with pytest.raises(InputError, match=r'lie outside the 32x24 pictures .* made at 32x24'):
        read_boxes(path, frames)


def test_names_of_pictures_tell_the_frames_of_a_video(tmp_path, movie):
    path = write_coco(tmp_path / 'b.json', BOXES, lambda frame: f'clip_{frame:04d}.png')
    same(read_boxes(path, open_frames(movie)), BOXES, ids=False)


@pytest.mark.parametrize('write', [write_mot, write_posetrack])
def test_tracks_are_the_boxes_of_everybody(tmp_path, write):
    frames = pictures(tmp_path / 'frames', range(4))
    path = write(tmp_path / ('b.txt' if write is write_mot else 'b.json'), BOXES)
    tracks = read_tracks(path, frames)
    assert {track: sorted(boxes) for track, boxes in tracks.items()} == {3: [0, 2], 8: [0]}
    assert tracks[3][2].tolist() == [4, 2, 30, 40]
    with pytest.raises(InputError, match='without track ids in frame 0, give boxes of tracked'):
        read_tracks(write(path, BOXES, ids=False), frames)


def test_people_without_an_id_beside_tracks_are_left_out(tmp_path):
    frames = pictures(tmp_path / 'frames', range(4))
    path = write_posetrack(tmp_path / 'b.json', BOXES)
    data = json.loads(path.read_text())
    for annotation in data['annotations']:
        if annotation['track_id'] == 8:
            del annotation['track_id']
    path.write_text(json.dumps(data))

    assert {track: sorted(of) for track, of in read_tracks(path, frames).items()} == {3: [0, 2]}
    # As boxes of people to pose, theirs count too.
    with pytest.raises(InputError, match='distinct whole numbers from 0, or -1 for all people'):
        read_boxes(path, frames)


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_estimates_of_other_networks_do_as_boxes(tmp_path):
    person = mmpose_instance([[10.0, 20], [30, 40]], [0.5, 0.25])
    write_json(tmp_path / 'mmpose.json', [{'frame_id': 3, 'instances': [person]}])
    joints = openpose_person(10, 20, 0.5, 30, 40, 0.25)
    write_json(tmp_path / 'openpose' / 'clip_000000000003_keypoints.json', openpose(joints))

    points = [{'x': 10, 'y': 20}, {'x': 30, 'y': 40}]
    write_json(tmp_path / 'mediapipe.json', [{'frame': 3, 'landmarks': points}])

    assert boxes_of(read_boxes(tmp_path / 'mmpose.json')) == {3: [[1, 2, 30, 40.5]]}
    for name in ('openpose', 'mediapipe.json'):
        (box,) = read_boxes(tmp_path / name)[3].boxes
        # Around the joints, with a margin.
        assert box[0] < 10
        assert box[1] < 20
        assert box[0] + box[2] > 30
        assert box[1] + box[3] > 40


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_own_results_are_on_the_frames_that_they_state(tmp_path):
    labels = read_labels(write_posetrack(tmp_path / 'labels.json', BOXES))
    labels = replace(labels, frames=tuple(VideoFrame(index) for index in range(4)))
    write_labels(labels, tmp_path / 'b.json', 'coco-results')
    # The ids of the pictures count from 1.
    results = json.loads((tmp_path / 'b.json').read_text())
    assert [result['image_id'] for result in results] == [1, 1, 3]
    same(read_boxes(tmp_path / 'b.json'), BOXES, scores=False)


# The user says which frames the boxes are on.


@pytest.fixture
def frames(tmp_path):
    """Five pictures whose names count from 1."""
    return pictures(tmp_path / 'frames', range(1, 6))


def read_told(path, frames, **options):
    return read_boxes(path, frames, options=FrameOptions(**options, subject='boxes'))


def test_the_refusal_of_two_counts_names_the_option_that_settles_it(tmp_path, frames):
    # ``000002.jpg`` is frame 2 of the file, and frame 1 of the folder.
    path = write_posetrack(tmp_path / 'b.json', {1: BOXES[0], 2: BOXES[2]})
    with pytest.raises(InputError, match=r'give --boxes-first-frame-number 0 if .*-number 1'):
        read_boxes(path, frames)
    for first in (0, 1):
        found = read_told(path, frames, first_number=first)
        same(found, {1 - first: BOXES[0], 2 - first: BOXES[2]}, scores=False)


def test_numbers_start_where_the_user_says(tmp_path, frames):
    path = write_mot(tmp_path / 'b.txt', BOXES)
    for first in (0, 1):
        expected = {frame + 1 - first: people for frame, people in BOXES.items()}
        same(read_told(path, frames, first_number=first), expected)
    path.write_text('0,7,1,2,5,5\n4,7,3,2,5,5\n')
    found = read_told(path, frames, first_number=0)
    assert boxes_of(found) == {0: [[1, 2, 5, 5]], 4: [[3, 2, 5, 5]]}
    path = write_coco(tmp_path / 'b.json', BOXES, lambda frame: frame + 7)
    same(read_told(path, frames, first_number=7), BOXES, ids=False)


def test_numbers_of_mot_text_on_pictures_with_gaps_are_asked_about(tmp_path, frames):
    Path(frames.path_of(2)).unlink()
    left = open_frames(tmp_path / 'frames')
    path = tmp_path / 'b.txt'
    path.write_text('4,7,1,2,5,5\n')
    # Frame 4 is the third picture, 000004.jpg, or the fourth one, 000005.jpg.
    with pytest.raises(InputError, match=r'between 1 and 5, so a .*-number 1 if it is a'):
        read_boxes(path, left)
    assert [*read_told(path, left, first_number=1)] == [3]


def test_names_of_detections_are_looked_up_in_the_list(tmp_path, frames):
    path = write_coco(tmp_path / 'b.json', BOXES, lambda frame: f'shot_{"abc"[frame]}.jpg')
    found = read_told(path, frames, frame_of={'shot_a.jpg': 3, 'shot_c.jpg': 1})
    same(found, {3: BOXES[0], 1: BOXES[2]}, ids=False)


def test_mot_text_with_a_frame_0_counts_from_0(tmp_path, frames):
    path = tmp_path / 'b.txt'
    path.write_text('4,7,3,2,5,5\n0,7,1,2,5,5\n')
    assert boxes_of(read_boxes(path, frames)) == {0: [[1, 2, 5, 5]], 4: [[3, 2, 5, 5]]}


MOT_TEXT = None


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        (MOT_TEXT, {'first_number': 3}, 'boxes of b are on frame -2, which is not among the'),
        (MOT_TEXT, {'frame_of': {'a': 0}}, 'it has no name.* give --boxes-first-frame-number N'),
        ('xy z', {'first_number': 0}, 'have none, give --boxes-frame-of FILE instead'),
        (
            ('a.jpg', 1, 2),
            {'first_number': 0},
            r"numbers \(2\) and names \('a.jpg'\) as image_id, use one kind",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, frames, name, options, message):
    if name is MOT_TEXT:
        path = write_mot(tmp_path / 'b.txt', BOXES)
    else:
        path = write_coco(tmp_path / 'b.json', BOXES, name.__getitem__)
    with pytest.raises(InputError, match=message):
        read_told(path, frames, **options)
