"""Box policy: the box of a person in the key frame of a window, hand-computed."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.datasets.base.box_policy import BoxPolicy
from stdpose_mm.datasets.base.video_tracks import Track
from stdpose_mm.errors import InputError
from stdpose_mm.structures import FrameBoxes, PersonLabel, Window

# One person on frames 0, 1, 4; halfway between the outer boxes lies [20, 20, 40, 80].
BOXES = {0: [10, 10, 40, 80], 1: [99, 99, 10, 10], 4: [30, 30, 40, 80]}
LABELS = [
    PersonLabel(frame, np.array([[5, 5]]), np.array([2]), bbox=box) for frame, box in BOXES.items()
]
TRACK = Track.of(0, LABELS)
BOTH_SIDES = Window(0, 2, 4, (True, True))
NEAR = FrameBoxes(np.array([[22, 20, 40, 80], [200, 0, 40, 80]]), np.array([0.7, 0.9]))
FAR = FrameBoxes(np.array([[200, 0, 40, 80]]), np.array([0.9]))


def test_interpolated_box_comes_from_the_given_labels_alone() -> None:
    box, score = BoxPolicy('interpolated').find_box(TRACK, Window(0, 1, 4, (True, True)))
    assert (box.tolist(), score) == ([15, 15, 40, 80], 1.0)


def test_box_of_one_given_label_stays() -> None:
    box, _ = BoxPolicy('interpolated').find_box(TRACK, Window(0, 2, 4, (False, True)))
    assert box.tolist() == BOXES[4]


def test_own_box_stands_in_where_no_label_is_given() -> None:
    box, _ = BoxPolicy('interpolated').find_box(TRACK, Window(0, 1, 4))
    assert box.tolist() == BOXES[1]


def test_person_without_any_label_in_the_window_has_no_box() -> None:
    with pytest.raises(ValueError, match='known box, got none'):
        BoxPolicy('interpolated').find_box(TRACK, Window(0, 2, 4))


def test_close_detection_replaces_the_interpolated_box() -> None:
    policy = BoxPolicy('detected', test_mode=True, has_detections=True)
    box, score = policy.find_box(TRACK, BOTH_SIDES, NEAR)
    assert (box.tolist(), score) == ([22, 20, 40, 80], 0.7)


def test_far_detection_leaves_the_interpolated_box() -> None:
    policy = BoxPolicy('detected', test_mode=True, has_detections=True)
    box, score = policy.find_box(TRACK, BOTH_SIDES, FAR)
    assert (box.tolist(), score) == ([20, 20, 40, 80], 1.0)


@pytest.mark.parametrize(
    ('task', 'test_mode', 'boxes'),
    [
        ('propagation', True, 'interpolated'),
        ('propagation', False, 'gt'),
        ('estimation', True, 'gt'),
    ],
)
def test_default(task: str, test_mode: bool, boxes: str) -> None:
    assert BoxPolicy(task=task, test_mode=test_mode).boxes == boxes


def test_unknown_box_policy_is_refused() -> None:
    with pytest.raises(InputError, match=r"boxes must be one of .*, got 'best'"):
        BoxPolicy('best')
