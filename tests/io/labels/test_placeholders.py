"""What tools write for joints that they have not found, and what people really label at (0, 0)."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import nan
from operator import neg
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


scores = st.integers(1, 99).map(lambda score: score / 100)
MISSED = {
    'zeros': st.tuples(st.just(0), st.just(0), scores),
    'minus ones': st.tuples(st.just(-1), st.just(-1), scores | st.just(-1)),
    'no numbers': st.tuples(st.just(nan), st.just(nan), scores | st.just(nan)),
    'nothing': st.just((None, None, None)),
    'empty cells': st.just(('', '', '')),
    'a score below 0': st.tuples(st.integers(1, 90), st.integers(1, 90), scores.map(neg)),
}
"""Ways in which tools write x, y and score of a joint that a network has not found."""

WRITERS = {
    openpose_results: ('zeros', 'minus ones', 'no numbers', 'nothing'),
    openpose_file: ('zeros', 'minus ones', 'no numbers', 'nothing'),
    mmpose_file: ('zeros', 'minus ones', 'no numbers', 'nothing', 'a score below 0'),
    deeplabcut_file: ('zeros', 'minus ones', 'no numbers', 'empty cells'),
    studio_prediction: ('zeros',),
    ultralytics: ('zeros',),
}
"""Writer of a file of estimates -> the ways that its format can state."""

# One of the two is never 0 or -1.
found = st.tuples(st.integers(1, 90), st.integers(-9, 90), scores)


@pytest.mark.parametrize('write', WRITERS)
@given(data=st.data())
def test_joints_have_a_place_unless_they_were_not_found(
    tmp_path: Path, write: Callable[..., Any], data: st.DataObject
):
    way = data.draw(st.sampled_from(['found', *WRITERS[write]]))
    x, y, score = joint = data.draw(found if way == 'found' else MISSED[way])
    if write is ultralytics and way == 'found':
        joint = abs(x) / 100, abs(y) / 100, score
    person = read(tmp_path, *write(*joint))

    assert person.source == 'propagated'
    assert person.visibility[:2].tolist() == [2 * (way == 'found'), 2]
    if way == 'found':
        assert person.scores[0] == score
        in_pixels = {ultralytics: (x, abs(y)), studio_prediction: (6.4 * x, 4.8 * y)}
        np.testing.assert_allclose(person.keypoints[0], in_pixels.get(write, (x, y)))


def test_an_estimate_may_be_at_an_edge_and_have_no_score(tmp_path: Path):
    for joint in ((0, 7.5, 1), (3, 4, 0)):
        assert read(tmp_path, *openpose_results(*joint)).visibility.tolist() == [2, 2]


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
