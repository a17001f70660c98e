"""Labelled poses are placed elsewhere as the pictures say."""

import cv2
import numpy as np
import pytest

from stdpose_mm.labelling.review import place_pose
from stdpose_mm.structures import PersonLabel

POSE = np.array([[60, 40], [60, 60], [80, 70], [45, 75], [50, 90]], float)
"""Joints of an animal of 50 pixels; around each is another pattern."""
CENTRE, MOVE, SCALE = np.array([60.0, 65.0]), np.array([70.0, 35.0]), 1.6


class Pictures(list):
    size = (200, 160)


def turned(points):
    """Turn points by 90 degrees, scale and move them."""
    return SCALE * (points - CENTRE) @ np.array([[0, 1], [-1, 0]]) + CENTRE + MOVE


@pytest.fixture(scope='module')
def pictures():
    rng = np.random.default_rng(0)
    first = np.full((160, 200), 90, np.uint8)
    for x, y in POSE.astype(int).tolist():
        block = rng.integers(0, 255, (5, 5), np.uint8)
        first[y - 7 : y + 8, x - 7 : x + 8] = cv2.resize(block, (15, 15))
    transform = np.vstack([turned(np.eye(2)) - turned(np.zeros(2)), turned(np.zeros((1, 2)))]).T
    second = cv2.warpAffine(first, transform, (200, 160), borderValue=90)
    return Pictures(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) for picture in (first, second))


def label(points=POSE, visibility=(2, 2, 2, 2, 2)):
    return PersonLabel(0, np.array(points, float), np.array(visibility), 1)


BOX = np.array([*turned(POSE).min(axis=0), *np.ptp(turned(POSE), axis=0)])


@pytest.mark.parametrize(
    ('joints', 'box'),
    [((0, 4), None), ((), BOX)],
    ids=['two clicks', 'box'],
)
def test_a_pose_is_moved_turned_and_scaled(pictures, joints, box):
    anchors = {joint: turned(POSE)[joint] for joint in joints}
    points, known = place_pose(pictures, [label()], 1, anchors, box)
    assert known.all()
    assert points == pytest.approx(turned(POSE), abs=1.5)


def test_one_click_says_where_a_pose_of_the_same_size_is(pictures):
    points, _ = place_pose(pictures, [label()], 0, {0: POSE[0]})
    assert points == pytest.approx(POSE, abs=1)


def test_each_joint_goes_to_where_its_surroundings_are(pictures):
    shifted = POSE + np.array([[0, 0], [0, 0], [4, 0], [0, 0], [0, 0]])
    example = np.array(pictures[0])
    # In the labelled picture, joint 2 lies four pixels to the right of where it is now.
    moved = example.copy()
    moved[62:79, 72:96] = 90
    moved[63:78, 77:92] = example[63:78, 73:88]
    points, _ = place_pose(
        Pictures([moved, example]), [label(shifted)], 1, {0: POSE[0], 4: POSE[4]}
    )
    assert points == pytest.approx(POSE, abs=1)


def test_the_most_similar_label_is_chosen(pictures):
    other = PersonLabel(1, POSE, np.full(5, 2), 2)
    points, _ = place_pose(pictures, [other, label()], 0, {0: POSE[0], 4: POSE[4]})
    assert points == pytest.approx(POSE, abs=1)


def test_joints_that_no_label_has_stay_empty_and_anchors_as_they_are(pictures):
    examples = [label(visibility=(2, 2, 2, 0, 2))]
    points, known = place_pose(pictures, examples, 0, {0: POSE[0] + 3, 4: POSE[4] + 3})
    assert known.tolist() == [True, True, True, False, True]
    assert points[[0, 4]].tolist() == (POSE[[0, 4]] + 3).tolist()
    assert not place_pose(pictures, examples, 0, {3: POSE[3]})[1][:3].any()
