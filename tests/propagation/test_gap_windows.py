from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.propagation import find_gaps
from stdpose_mm.propagation.gap_windows import (
    MIRROR_REACH,
    boxes_with_ends,
    gap_window,
    labels_of_window,
)
from stdpose_mm.structures import PersonLabel, Window

POSE = [[30, 20], [20, 45], [44, 40]]
NUM_FRAMES = 61


@pytest.fixture
def gap_of(label):
    """The gap of a track in 61 frames that holds a frame."""

    def make(given: tuple[int, ...], frame: int):
        labels = {n: label(n, POSE) for n in given}
        boxes = {n: np.array([10.0, 10, 40, 40]) for n in range(NUM_FRAMES) if n not in labels}
        gaps = find_gaps(0, labels, boxes, range(NUM_FRAMES))
        (gap,) = (each for each in gaps if frame in each.frames)
        return gap

    return make


@pytest.mark.parametrize(('bare', 'row'), [(10, 0), (20, -1)])
def test_a_label_of_a_head_box_alone_has_the_nearest_box_of_its_gap(label, bare, row):
    labels = {n: label(n, POSE) for n in (10, 20)}
    head = PersonLabel(bare, np.zeros((3, 2)), np.zeros(3), 0, head_box=np.array([30.0, 10, 9, 9]))
    labels[bare] = head
    boxes = {n: np.array([float(n), 10, 40, 40]) for n in range(11, 20)}
    (gap,) = find_gaps(0, labels, boxes, range(10, 21))
    found = boxes_with_ends(gap, gap.frames)
    assert [*found] == [*range(10, 21)]
    assert found[bare].tolist() == gap.bboxes[row].tolist()


@pytest.mark.parametrize(
    ('given', 'key', 'expected'),
    [
        ((10, 20), 13, Window(10, 13, 20, True, True)),
        # Five frames before the first label, and five after the last one.
        ((30,), 25, Window(20, 25, 30, False, True)),
        ((30,), 35, Window(30, 35, 40, True, False)),
        # The video ends first.
        ((30,), 3, Window(0, 3, 30, False, True)),
        ((30,), 58, Window(30, 58, 60, True, False)),
        # Mirrored further than in training.
        ((50,), 30, Window(30 - MIRROR_REACH, 30, 50, False, True)),
        ((10,), 30, Window(10, 30, 30 + MIRROR_REACH, True, False)),
    ],
)
def test_the_window_of_a_frame(gap_of, given, key, expected):
    gap = gap_of(given, key)
    assert gap_window(key, gap, gap.frames) == expected


def test_a_frame_without_a_label_lies_among_the_frames_of_the_chunk(gap_of):
    gap = gap_of((50,), 30)
    assert gap_window(30, gap, range(25, 40)) == Window(25, 30, 50, False, True)


def test_a_window_is_given_what_its_labels_have_and_what_lies_between_them():
    poses = np.array([[[0, 0], [10, 20], [4, 4]], [[8, 4], [10, 40], [0, 0]]], float)
    shown = np.array([[True, True, True], [True, True, False]])
    mask, pose, known = labels_of_window(poses, shown, Window(10, 13, 14, True, True))
    np.testing.assert_array_equal(mask, shown)
    np.testing.assert_array_equal(known, [True, True, False])
    # Three quarters of the way.
    np.testing.assert_array_equal(pose[:2], [[6, 3], [10, 35]])


def test_a_window_of_pose_estimation_is_given_nothing():
    shown = np.ones((2, 3), dtype=bool)
    mask, _, known = labels_of_window(np.ones((2, 3, 2)), shown, Window(12, 13, 14))
    assert not mask.any()
    assert not known.any()
