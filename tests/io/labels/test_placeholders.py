"""What tools write for joints that they have not found, and what people really label at (0, 0)."""

from __future__ import annotations

import json
from math import nan
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.labels import read_labels
from support.foreign_labels import (
    mmpose_instance,
    openpose,
    openpose_person,
    studio_region,
    studio_task,
)

pytestmark = pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')

DEEPLABCUT = """\
scorer,net,net,net,net,net,net
bodyparts,nose,nose,nose,hand,hand,hand
coords,x,y,likelihood,x,y,likelihood
0,{},{},{},3,4,0.5
"""


def openpose_results(*joint: float) -> tuple[str, Any]:
    return 'x.json', [{'image_id': 0, 'keypoints': [*joint, 3, 4, 1], 'score': 0.8}]


def openpose_file(*joint: float) -> tuple[str, Any]:
    return 'x_keypoints.json', openpose(openpose_person(*joint, 3, 4, 0.5))


def mmpose_file(x: float, y: float, score: float) -> tuple[str, Any]:
    return 'x.json', [{'frame_id': 0, 'instances': [mmpose_instance([[x, y], [3, 4]], [score, 1])]}]


def deeplabcut_file(*joint: float) -> tuple[str, str]:
    return 'x.csv', DEEPLABCUT.format(*joint)


def studio_prediction(x: float, y: float, score: float) -> tuple[str, Any]:
    regions = [
        studio_region('a', 'keypointlabels', 'nose', x=x, y=y, score=score),
        studio_region('b', 'keypointlabels', 'hand', x=3, y=4, score=0.5),
    ]
    return 'x.json', [studio_task('0.jpg', annotations=[], predictions=[{'result': regions}])]


def ultralytics(*joint: float) -> tuple[str, str]:
    """An estimate, or with a v of 2 a label."""
    joints = [*joint, 0.3, 0.4, 2 if joint[2] == 2 else 0.5] * 9
    return 'x_1.txt', ' '.join(map(str, [0, 0.5, 0.5, 0.2, 0.2, *joints[:51]]))


def read(folder: Path, name: str, content: Any) -> Any:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    (person,) = read_labels(path, size=(100, 100)).persons
    return person


@pytest.mark.parametrize(
    ('write', 'joint'),
    [
        (openpose_results, (0, 0, 1)),
        (openpose_file, (0, 0, 0)),
        (openpose_file, (0, 0, 0.5)),
        (openpose_file, (nan, nan, 0.5)),
        (openpose_file, (None, None, None)),
        (mmpose_file, (nan, nan, nan)),
        (ultralytics, (0, 0, 0.31)),
        (deeplabcut_file, (-1, -1, -1)),
        (deeplabcut_file, (-1, -1, 0.2)),
        (mmpose_file, (-1, -1, 0.2)),
        (deeplabcut_file, ('', '', '')),
        (deeplabcut_file, ('nan', 'nan', 0.2)),
        (mmpose_file, (12.5, 40.25, -0.015)),
        (mmpose_file, (0, 0, 0.7)),
        (studio_prediction, (0, 0, 0.9)),
    ],
)
def test_a_joint_that_was_not_found_has_no_place(tmp_path: Path, write: Any, joint: tuple):
    person = read(tmp_path, *write(*joint))

    assert person.source == 'propagated'
    assert person.visibility[:2].tolist() == [0, 2]


@pytest.mark.parametrize(
    ('write', 'joint'),
    [
        (openpose_results, (0, 7.5, 1)),
        (openpose_results, (3, 4, 0)),
        (mmpose_file, (-1, 40, 0.2)),
        (deeplabcut_file, (-3.5, 0, 0.2)),
    ],
)
def test_a_joint_at_the_edge_or_outside_was_found(tmp_path: Path, write: Any, joint: tuple):
    assert read(tmp_path, *write(*joint)).visibility.tolist() == [2, 2]


def coco(*joint: float) -> tuple[str, Any]:
    return 'x.json', {
        'images': [{'id': 1, 'file_name': '000000.jpg'}],
        'annotations': [{'id': 1, 'image_id': 1, 'keypoints': [*joint, 3, 4, 2]}],
        'categories': [{'id': 1, 'name': 'person', 'keypoints': ['nose', 'hand']}],
    }


def collected(x: float, y: float, _: float) -> tuple[str, str]:
    rows = [line.split(',') for line in DEEPLABCUT.format(x, y, 1).splitlines()]
    rows[-1][0] = 'labeled-data/clip/img0000.png'
    return 'CollectedData_ann.csv', '\n'.join(','.join([*r[:3], *r[4:6]]) for r in rows)


@pytest.mark.parametrize('write', [coco, ultralytics, collected])
def test_a_joint_that_a_person_labelled_in_the_corner_stays_and_is_told(tmp_path: Path, write: Any):
    told = r'/\w+\.\w+: \d+ joints? \(nose.*\) labelled at \(0, 0\), the corner of the picture; set'
    with pytest.warns(InputWarning, match=told):
        person = read(tmp_path, *write(0, 0, 2))

    assert (person.source, person.visibility[:2].tolist()) == ('given', [2, 2])


@pytest.mark.parametrize('box', [[0, 0, 0, 0], [1, 2, 0, 0], [1, 2, 5, 0]])
def test_a_box_without_a_size_is_none_of_somebody_with_joints(tmp_path: Path, box: list):
    """As COCO Annotator writes it, and this package for a single joint."""
    name, content = coco(1, 2, 2)
    content['annotations'][0]['bbox'] = box
    assert read(tmp_path, name, content).bbox is None

    content['annotations'][0]['bbox'] = [0, 0, 5, 4.5]
    assert read(tmp_path, name, content).bbox.tolist() == [0, 0, 5, 4.5]
