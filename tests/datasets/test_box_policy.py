"""Box policy: the box of a person in the key frame of a window, hand-computed."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.datasets.base.box_policy import BoxPolicy
from stdpose_mm.datasets.base.video_tracks import Track
from stdpose_mm.errors import InputError
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, PersonLabel, Window

# One person on frames 0, 1, 4; halfway between the outer boxes lies [20, 20, 40, 80].
BOXES = {0: [10, 10, 40, 80], 1: [99, 99, 10, 10], 4: [30, 30, 40, 80]}
LABELS = [
    PersonLabel(frame, np.array([[5, 5]]), np.array([2]), bbox=box) for frame, box in BOXES.items()
]
TRACK = Track.of(0, LABELS)
BOTH_SIDES = Window(0, 2, 4, (True, True))
NEAR = FrameBoxes(np.array([[22, 20, 40, 80], [200, 0, 40, 80]]), np.array([0.7, 0.9]))
FAR = FrameBoxes(np.array([[200, 0, 40, 80]]), np.array([0.9]))


@pytest.mark.parametrize(
    ('window', 'detections', 'expected'),
    [
        # Between the given labels alone, not the label of the key frame itself.
        (Window(0, 1, 4, (True, True)), NO_PEOPLE, ([15, 15, 40, 80], 1.0)),
        (Window(0, 2, 4, (False, True)), NO_PEOPLE, (BOXES[4], 1.0)),
        (Window(0, 1, 4), NO_PEOPLE, (BOXES[1], 1.0)),
        (BOTH_SIDES, NEAR, ([22, 20, 40, 80], 0.7)),
        (BOTH_SIDES, FAR, ([20, 20, 40, 80], 1.0)),
    ],
    ids=['given labels', 'one given label', 'no given label', 'near detection', 'far detection'],
)
def test_box_of_the_key_frame(window, detections, expected):
    box, score = BoxPolicy('interpolated').find_box(TRACK, window, detections)
    assert (box.tolist(), score) == expected


def test_person_without_any_label_in_the_window_has_no_box():
    with pytest.raises(ValueError, match='known box, got none'):
        BoxPolicy('interpolated').find_box(TRACK, Window(0, 2, 4))


@pytest.mark.parametrize(
    ('task', 'test_mode', 'boxes'),
    [
        ('propagation', True, 'interpolated'),
        ('propagation', False, 'gt'),
        ('estimation', True, 'gt'),
    ],
)
def test_default(task, test_mode, boxes):
    assert BoxPolicy(task=task, test_mode=test_mode).boxes == boxes


def test_unknown_box_policy_is_refused():
    with pytest.raises(InputError, match=r"boxes must be one of .*, got 'best'"):
        BoxPolicy('best')
