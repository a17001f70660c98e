"""PoseTrack17 labels: the annolist and the converted form name the same windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stdpose_mm.datasets.body import PoseTrack17WindowDataset
from stdpose_mm.io.labels import read_labels, write_posetrack18

FOLDER = 'images/bonn_5sec/000342_mpii'
NUM_FRAMES = 6
LEFT_WRIST_ID, LEFT_WRIST = 11, 9


def entry(number: int) -> dict[str, Any]:
    points = [
        {'id': [i], 'x': [20.0 + 3 * i + number], 'y': [30.0 + 4 * i], 'is_visible': [1]}
        for i in range(15)
    ]
    person = {
        'x1': [20], 'y1': [20], 'x2': [30], 'y2': [32], 'track_id': [4],
        'annopoints': [{'point': points}],
    }  # fmt: skip
    return {
        'image': [{'name': f'{FOLDER}/{number:08d}.jpg'}],
        'annorect': [person],
        'imgnum': [number],
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / FOLDER).mkdir(parents=True)
    for number in range(1, NUM_FRAMES + 1):
        picture = np.full((120, 160, 3), 20 * number, np.uint8)
        cv2.imwrite(str(tmp_path / FOLDER / f'{number:08d}.jpg'), picture)
    annolist = {'annolist': [entry(number) for number in range(1, NUM_FRAMES + 1)]}
    (tmp_path / 'annolist.json').write_text(json.dumps(annolist))
    return tmp_path


def test_annolist_frames_are_counted_from_one_in_names_only(root):
    dataset = PoseTrack17WindowDataset(
        data_root=str(root), ann_file='annolist.json', task='estimation'
    )
    info = dataset.get_data_info(2)
    assert info['frame_indices'] == (1, 2, 3)
    assert info['img_path'] == str(root / FOLDER / '00000003.jpg')
    assert info['track_id'] == 4
    np.testing.assert_array_equal(
        info['keypoints'][0, LEFT_WRIST], [20 + 3 * LEFT_WRIST_ID + 3, 30 + 4 * LEFT_WRIST_ID]
    )


def test_converted_labels_give_the_same_pictures_and_poses(root):
    write_posetrack18(read_labels(root / 'annolist.json'), root / 'converted.json', official=True)
    args = {'data_root': str(root), 'interval': 3}
    original = PoseTrack17WindowDataset(ann_file='annolist.json', **args)
    converted = PoseTrack17WindowDataset(ann_file='converted.json', **args)
    assert len(original) == len(converted) == 3
    for i in range(len(original)):
        a, b = original.get_data_info(i), converted.get_data_info(i)
        assert a['frames'] == b['frames']
        np.testing.assert_array_equal(a['keypoints'], b['keypoints'])
        np.testing.assert_array_equal(a['aux_keypoints'], b['aux_keypoints'])
        np.testing.assert_allclose(a['bbox'], b['bbox'], atol=1e-4)
