"""When a person is there, and what a gap knows of its labels."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.propagation.gaps import find_gaps, find_presence_intervals

POSE = [[10, 10], [0, 30], [20, 30]]


@pytest.mark.parametrize(
    ('life_span', 'frames'),
    [('video', [range(6), range(8, 12)]), ('labels', [range(2, 6), range(8, 11)])],
)
def test_a_person_is_there_until_a_label_says_otherwise(label, life_span, frames):
    track = {n: label(n, POSE) for n in (2, 4, 8, 10)}
    track[6] = label(6, POSE, [0, 0, 0])
    intervals = find_presence_intervals(track, 12, life_span)
    assert [interval.frames for interval in intervals] == frames
    assert [[*interval.labels] for interval in intervals] == [[2, 4], [8, 10]]


def test_the_nearest_label_of_a_joint_says_how_far_and_how_visible_it_is(label):
    # Nothing is known of the last joint after the gap.
    labels = {2: label(2, POSE, [1, 2, 2]), 8: label(8, POSE, [2, 1, 0])}
    boxes = {frame: np.zeros(4) for frame in range(10)}
    (gap,) = (gap for gap in find_gaps(0, labels, boxes, range(10)) if gap.first == 2 != gap.last)
    assert gap.distance_to_label(3).tolist() == [1, 1, 1]
    assert gap.distance_to_label(7).tolist() == [1, 1, 5]
    # At equal distance the label before counts.
    assert gap.visibility_at(5).tolist() == [1, 2, 2]
    assert gap.visibility_at(6).tolist() == [2, 1, 2]
