import json
from dataclasses import replace
from pathlib import Path

import pytest

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.labels import read_all_labels, read_labels, sniff_format, write_labels
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
    path = write_json(tmp_path / 'out.keypoints.json', [result(4), result(4), result(9)])

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


def test_names_of_pictures_are_frames_by_folder(tmp_path: Path):
    """As AlphaPose writes them."""
    found = [result(f'{folder}/0007.jpg') for folder in 'ab']
    path = write_json(tmp_path / 'results.json', found)

    with pytest.warns(InputWarning):
        videos = read_all_labels(path)
    assert [(labels.name, labels.frames[0].index) for labels in videos] == [('a', 7), ('b', 7)]


def test_the_ids_are_those_of_the_coco_file(tmp_path: Path):
    """So that pycocotools can hold one against the other."""
    labels = sample(persons=(person(2, 3, source='propagated', scores=[0.5, 0.0, 0.25]),))
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


def test_people_without_a_joint_are_left_out(tmp_path: Path):
    nobody = replace(person(0), visibility=[0, 0, 0])
    write_labels(sample(persons=(nobody,)), tmp_path / 'results.json', 'coco-results')

    assert json.loads((tmp_path / 'results.json').read_text()) == []
