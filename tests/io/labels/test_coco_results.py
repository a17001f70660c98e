import json
import warnings
from pathlib import Path

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
from stdpose_mm.io.video import ArrayFrames
from support.foreign_labels import write_json
from support.label_samples import person, sample


def result(image_id, **fields):
    """As MMPose's CocoMetric writes it with format_only."""
    return {
        'bbox': [1.0, 2.0, 30.0, 40.0],
        'category_id': 1,
        'image_id': image_id,
        'keypoints': [1.5, 2.5, 0.75, 3.0, 4.0, 0.5, 0.0, 0.0, 0.0],
        'score': 0.5,
        **fields,
    }


def test_results_are_estimates(tmp_path: Path):
    path = write_json(
        tmp_path / 'out.keypoints.json',
        [result(4), result(4, score=0.4, bbox=[1, 2, 9, 9]), result(9)],
    )

    assert sniff_format(path) == 'coco-results'
    with pytest.warns(InputWarning, match='does not name its 3 keypoints'):
        labels = read_labels(path)
    assert [p.frame_index for p in labels.persons] == [4, 4, 9]
    first = labels.persons[0]
    assert first.source == 'propagated'
    assert first.keypoints.tolist() == [[1.5, 2.5], [3, 4], [0, 0]]
    assert first.visibility.tolist() == [2, 2, 0]
    assert first.scores.tolist() == [0.75, 0.5, 0]
    assert first.bbox.tolist() == [1, 2, 30, 40]


@pytest.mark.parametrize(
    ('found', 'frames'),
    [
        # As AlphaPose writes them.
        ([result(n) for n in ('data/a/0007.jpg', 'data\\b\\0008.jpg')], {'a': [7], 'b': [8]}),
        # As Ultralytics' val does: the id is the number of a name that is a number only.
        ([result(i, file_name=f'cam1/{i:04d}.jpg') for i in (12, 13)], {'cam1': [12, 13]}),
    ],
)
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_names_of_pictures_are_frames_by_folder(tmp_path: Path, found: list, frames: dict):
    videos = read_all_labels(write_json(tmp_path / 'results.json', found))

    assert {labels.name: [*labels] for labels in videos} == frames


def alphapose(picture: str, idx: object = None, **fields) -> dict:
    """As AlphaPose's write_json writes it."""
    who = {} if idx is None else {'idx': idx}
    return {**result(picture), 'box': [1.0, 2.0, 30.0, 40.0], 'bbox': None, **who, **fields}


def frames_of(path: Path, length: int | None) -> list[int]:
    """The frames of a video on which estimates are; of none with the length None."""
    video = length and ArrayFrames(np.zeros((length, 16, 16, 3), np.uint8), name='clip.mp4')
    labels = match_frames(read_labels(path, 'coco-results'), video or None)
    return sorted({person.frame_index for person in labels.persons})


@pytest.mark.parametrize(
    ('pictures', 'length', 'frames'),
    [
        # Of a video AlphaPose counts the frames from 0; nobody is in the first.
        (('1.jpg', '2.jpg', '31.jpg'), 60, [1, 2, 31]),
        # Pictures of a folder may have the same names, and count from 1.
        (('1.jpg', '2.jpg', '60.jpg'), 60, [0, 1, 59]),
        (('000000.jpg', '000007.jpg'), None, [0, 7]),
        (('000001.jpg', '000060.jpg'), 60, [0, 59]),
        # Nothing tells the first number.
        (('000001.jpg', '000002.jpg'), None, None),
        (('000001.jpg', '000002.jpg'), 60, None),
    ],
)
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_the_lowest_number_with_somebody_does_not_tell_the_first(
    tmp_path: Path, pictures: tuple, length: int | None, frames: list[int] | None
):
    path = write_json(tmp_path / 'alphapose-results.json', [alphapose(name) for name in pictures])

    if frames is None:
        with pytest.raises(InputError, match=r'do not tell whether the first frame of .* 0 or 1'):
            frames_of(path, length)
    else:
        assert frames_of(path, length) == frames


@pytest.mark.parametrize(
    ('fields', 'ids'),
    [
        # AlphaPose with a tracker; lists of lists where detections were merged.
        (('idx', [1.0], [2.0], [2.0]), [1, 2, 2]),
        (('idx', [[2.0], [1.0]], [[3.0]], [[3.0]]), [2, 3, 3]),
        # AlphaPose without one, of which nothing is told.
        (('idx', [0.0], [0.0], [0.0]), [None, None, None]),
        (('object_id', 7, -1, 7), [7, None, 7]),
        (('id', 4, 5, 4), [4, 5, 4]),
        # Numbers or names of the results, not of people.
        (('id', 1, 2, 3), [None, None, None]),
        (('id', 'a', 'b', 'a'), [None, None, None]),
        (('track_id', 4, -1, 4), [4, None, 4]),
    ],
)
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_identities_of_trackers(tmp_path: Path, fields: tuple, ids: list):
    name, *values = fields
    pictures = ('3.jpg', '3.jpg', '4.jpg')
    found = [
        alphapose(p, **{name: v}, box=[1.0, 2.0, 30.0, 40.0 + i])
        for i, (p, v) in enumerate(zip(pictures, values, strict=True))
    ]
    path = write_json(tmp_path / 'results.json', found)
    with warnings.catch_warnings():
        warnings.filterwarnings('error', '.*share it')
        labels = read_labels(path)

    assert [person.track_id for person in labels.persons] == ids
    assert labels.persons[0].bbox.tolist() == [1, 2, 30, 40]


def test_an_identity_that_two_people_share_is_told(tmp_path: Path):
    people = zip(('3.jpg', '3.jpg', '4.jpg'), (1, 1, 2), strict=True)
    path = write_json(tmp_path / 'results.json', [alphapose(p, who) for p, who in people])

    with pytest.warns(InputWarning, match='json: idx is ignored because two people in a picture'):
        assert {person.track_id for person in read_labels(path).persons} == {None}


def test_the_ids_are_those_of_the_coco_file(tmp_path: Path):
    """So that pycocotools can hold one against the other."""
    there = person(2, 3, source='propagated', scores=[0.5, 0.0, 0.25])
    # Whoever has no joint is left out.
    labels = sample(persons=(there, person(0, visibility=[0, 0, 0])))
    write_labels(labels, tmp_path / 'truth.json', 'coco')
    write_labels(labels, tmp_path / 'results.json', 'coco-results')
    truth = json.loads((tmp_path / 'truth.json').read_text())
    (found,) = json.loads((tmp_path / 'results.json').read_text())

    assert found['image_id'] == truth['annotations'][0]['image_id'] == 102
    assert found['category_id'] == truth['categories'][0]['id']
    assert found['keypoints'] == [10.5, 20, 0.5, 0, 0, 0, 30, 40.25, 0.25]
    assert found['score'] == 0.375
    assert (found['frame_index'], found['track_id']) == (2, 3)
    assert found['bbox'] == [5, 6, 70, 80.5]
