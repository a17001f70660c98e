import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.labels import read_labels, sniff_format, write_labels
from support.foreign_labels import mmpose, mmpose_instance, write_json
from support.label_samples import person, sample

PERSON = mmpose_instance([[1.5, 2.5], [3.0, 4.0]], [0.9, 0.25])


def test_the_demo_names_the_joints_and_counts_frames_from_one(tmp_path: Path):
    path = write_json(tmp_path / 'results_clip.json', mmpose([[1.5, 2.5], [3, 4]], [0.9, 0.25]))
    labels = read_labels(path)

    assert sniff_format(path) == 'mmpose'
    assert labels.skeleton.keypoint_names == ('nose', 'neck')
    assert labels.skeleton.limbs == ((0, 1),)
    assert [frame.index for frame in labels.frames] == [0, 1]
    (found,) = labels.persons
    assert (found.frame_index, found.source) == (0, 'propagated')
    assert found.keypoints.tolist() == [[1.5, 2.5], [3, 4]]
    assert found.scores.tolist() == [0.9, 0.25]
    assert found.bbox.tolist() == [1, 2, 30, 40.5]


def test_the_inferencer_counts_frames_from_zero_and_names_nothing(tmp_path: Path):
    frames = [{'frame_id': i, 'instances': found} for i, found in enumerate([[PERSON], []])]
    path = write_json(tmp_path / 'clip.json', frames)

    assert sniff_format(path) == 'mmpose'
    with pytest.warns(InputWarning, match='does not name its 2 keypoints'):
        labels = read_labels(path)
    assert [frame.index for frame in labels.frames] == [0, 1]
    assert labels.persons[0].frame_index == 0
    assert labels.name == 'clip'


def test_a_folder_of_pictures(tmp_path: Path):
    write_json(tmp_path / 'predictions' / 'shot_0001.json', [])
    write_json(tmp_path / 'predictions' / 'shot_0007.json', [PERSON, {**PERSON, 'track_id': 3}])

    assert sniff_format(tmp_path / 'predictions') == 'mmpose'
    with pytest.warns(InputWarning):
        labels = read_labels(tmp_path / 'predictions')
    assert [frame.index for frame in labels.frames] == [1, 7]
    assert [p.frame_index for p in labels.persons] == [7, 7]


def test_it_is_written_as_the_demo_writes_it(tmp_path: Path):
    write_labels(sample(persons=(person(2, 5),)), tmp_path / 'a.json', 'mmpose')
    document = json.loads((tmp_path / 'a.json').read_text())

    assert document['meta_info']['keypoint_id2name'] == {
        '0': 'nose',
        '1': 'left_hand',
        '2': 'right_hand',
    }
    assert document['meta_info']['skeleton_links'] == [[0, 1], [0, 2]]
    assert [entry['frame_id'] for entry in document['instance_info']] == [1, 2, 3]
    assert document['instance_info'][2]['instances'] == [
        {
            'keypoints': [[10.5, 20.0], [0.0, 0.0], [30.0, 40.25]],
            'keypoint_scores': [1.0, 0.0, 1.0],
            'bbox': [[5, 6, 75, 86.5]],
            'bbox_score': 1.0,
            'track_id': 5,
        }
    ]


def test_the_score_of_a_box_is_that_of_its_detector(tmp_path: Path):
    scored = person(2, 5, scores=np.array([0.5, 0, 1]))
    detected = replace(scored, extra={'bbox_score': 0.875})
    for who, expected in ((scored, 0.75), (detected, 0.875)):
        write_labels(sample(persons=(who,)), tmp_path / 'a.json', 'mmpose')
        document = json.loads((tmp_path / 'a.json').read_text())
        assert document['instance_info'][2]['instances'][0]['bbox_score'] == expected
