"""The box policy: hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stdpose_mm.structures import (
    FrameBoxes,
    PersonLabel,
    box_iou,
    expand,
    is_box_outside,
    person_box,
)
from stdpose_mm.structures.boxes import (
    MIN_BOX_SIDE,
    TrackBoxes,
    box_ioa,
    enclose,
    label_boxes,
    match_box,
)


def label(points: list, visibility: list[int], bbox: list | None = None) -> PersonLabel:
    return PersonLabel(3, np.array(points, float), np.array(visibility), bbox=bbox)


HALF = MIN_BOX_SIDE / 2


@pytest.mark.parametrize(
    ('points', 'visibility', 'own', 'box'),
    [
        ([[5, 5], [9, 9]], [2, 2], [1, 2, 30, 40], [1, 2, 30, 40]),
        # The box of a pose grows by 15 per cent on each side.
        ([[10, 20], [30, 60], [500, 500]], [2, 1, 0], None, [7, 14, 26, 52]),
        # An empty own box gives way to it.
        ([[10, 20], [30, 60]], [2, 2], [0, 0, 0, 0], [7, 14, 26, 52]),
        ([[10, 20]], [2], None, [10 - HALF, 20 - HALF, MIN_BOX_SIDE, MIN_BOX_SIDE]),
        # On a line, upright and 40 px high: 6 px more on either end, as wide as a single joint.
        ([[10, 20], [10, 60]], [2, 2], None, [10 - HALF, 14, MIN_BOX_SIDE, 52]),
    ],
)
def test_box_of_a_person(points, visibility, own, box):
    np.testing.assert_allclose(person_box(label(points, visibility, own)), box)


def test_label_without_box_and_joint_has_none():
    with pytest.raises(ValueError, match='label on frame 3 has neither a box nor a joint'):
        person_box(label([[10, 20]], [0]))


ANCHORS = {2: np.array([0, 0, 10, 20]), 6: np.array([8, 4, 10, 28.0]), 8: np.array([8, 4, 50, 28])}


@pytest.mark.parametrize(
    ('frame', 'box'),
    [
        (3, [2, 1, 10, 22]),
        (7, [8, 4, 30, 28]),
        # Constant beyond the labels.
        (0, ANCHORS[2]),
        (99, ANCHORS[8]),
    ],
)
def test_interpolated_box(frame, box):
    np.testing.assert_allclose(TrackBoxes(ANCHORS).find(frame)[0], box)


@pytest.mark.parametrize(
    ('box', 'is_there'),
    [
        ([-5, 10, 20, 20], True),
        ([99, 24, 20, 20], True),
        ([100, 5, 20, 20], False),
        ([5, 25, 20, 20], False),
        ([-30, 5, 30, 20], False),
        ([10, 10, 20, 0], False),
        ([10, 10, np.nan, 20], False),
    ],
)
def test_a_box_outside_shares_no_area_with_the_picture(box, is_there):
    assert is_box_outside(np.array(box), (100, 25)) == (not is_there)


def test_iou_of_a_shifted_box_is_a_third():
    others = np.array([[5, 0, 10, 10], [50, 50, 10, 10], [0, 0, 0, 0.0]])
    np.testing.assert_allclose(box_iou(np.array([0, 0, 10, 10.0]), others), [1 / 3, 0, 0])


def test_match_takes_the_closest_detection_or_none():
    expected = np.array([0, 0, 10, 10.0])
    near = np.array([[5, 0, 10, 10], [1, 0, 10, 10], [0, 0, 100, 100.0]])
    assert match_box(expected, near) == 1
    assert match_box(expected, near[2:]) is None
    assert match_box(expected, np.zeros((0, 4))) is None


boxes = arrays(float, 4, elements=st.floats(1, 100))


@given(boxes, st.floats(0, 2))
def test_expanding_keeps_the_centre_and_scales_the_sides(box, margin):
    grown = expand(box, margin)
    np.testing.assert_allclose(grown[:2] + grown[2:] / 2, box[:2] + box[2:] / 2, atol=1e-9)
    np.testing.assert_allclose(grown[2:], box[2:] * (1 + 2 * margin))


@given(boxes, boxes)
def test_iou_is_symmetric_and_at_most_one(a, b):
    one, other = box_iou(a, b[None])[0], box_iou(b, a[None])[0]
    assert one == pytest.approx(other)
    assert 0 <= one <= 1 + 1e-9
    assert box_iou(a, a[None])[0] == pytest.approx(1)


def test_the_ratio_of_a_box_inside_another_one():
    # It is 10 wide and 20 high; the others hold its right half, its lower quarter, nothing of it.
    box = np.array([10, 20, 10, 20.0])
    others = np.array([[15, 0, 50, 60], [0, 35, 90, 90], [40, 20, 10, 20.0]])
    assert box_ioa(box, others).tolist() == [0.5, 0.25, 0]
    assert box_ioa(others[:, None], box[None]).shape == (3, 1)
    assert box_ioa(np.array([10, 20, 0, 5.0]), box) == 0


def test_identities_of_people_are_unknown_unless_they_are_given():
    people = FrameBoxes([[1, 2, 3, 4], [5, 6, 7, 8]], [0.5, 1])
    assert people.boxes.dtype == people.scores.dtype == np.float64
    assert people.track_ids.tolist() == [-1, -1]
    assert not people.is_tracked
    tracked = FrameBoxes(people.boxes, people.scores, [7, 3])
    assert tracked.is_tracked
    assert tracked.select(np.array([False, True])).track_ids.tolist() == [3]


def test_a_box_grows_on_the_sides_where_points_are_outside():
    box = np.array([10, 20, 30, 40.0])
    assert enclose(box, np.array([[4, 25], [12, 75.0]])).tolist() == [4, 20, 36, 55]
    assert enclose(box, np.array([[45, 12.0]])).tolist() == [10, 12, 35, 48]
    assert enclose(box, np.zeros((0, 2))).tolist() == box.tolist()


def test_boxes_of_labels_with_a_box_or_a_joint():
    alone = PersonLabel(4, np.zeros((1, 2)), np.zeros(1), bbox=np.array([1.0, 2, 3, 4]))
    joint = PersonLabel(5, np.array([[50.0, 60]]), np.array([2]))
    head = PersonLabel(6, np.zeros((1, 2)), np.zeros(1), head_box=np.array([1.0, 2, 3, 4]))
    boxes = label_boxes([alone, joint, head])
    assert sorted(boxes) == [4, 5]
    assert boxes[4].tolist() == [1, 2, 3, 4]


def test_a_detection_takes_the_place_of_the_interpolated_box():
    found = FrameBoxes(np.array([[11.0, 0, 10, 20]]), np.array([0.75]))
    track = TrackBoxes({0: np.array([0.0, 0, 10, 20]), 2: np.array([20.0, 0, 10, 20])}, {1: found})
    box, score = track.find(1)
    assert (box.tolist(), score) == ([11, 0, 10, 20], 0.75)
    assert track.find(0)[0].tolist() == [0, 0, 10, 20]
