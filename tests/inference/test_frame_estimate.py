from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.inference.frame_estimate import (
    INTERPOLATED_SCORE_FACTOR,
    MAX_INTERPOLATED_FRAMES,
    FrameEstimate,
    interpolate_unreadable,
    unknown_frame,
)
from stdpose_mm.structures import FrameBoxes


def seen(frame, place=None, track_ids=(1,)):
    """People of two joints at (place, 0), in boxes of 10 x 20; scores 0.8."""
    number = len(track_ids)
    place = float(frame) if place is None else place
    boxes = np.tile([place, 0.0, 10, 20], (number, 1))
    return FrameEstimate(
        frame,
        FrameBoxes(boxes, np.full(number, 0.6), np.array(track_ids, np.int64)),
        np.tile([place, 0.0], (number, 2, 1)),
        np.full((number, 2), 0.8),
    )


def lost(frame):
    return unknown_frame(frame, 2)


def test_the_way_between_two_frames_is_straight():
    frames = [seen(6, 10.0), lost(7), lost(8), lost(9), seen(10, 30.0)]
    found = list(interpolate_unreadable(frames))
    assert [frame.frame_index for frame in found] == [6, 7, 8, 9, 10]
    assert [frame.origin for frame in found] == [
        'predicted',
        'interpolated',
        'interpolated',
        'interpolated',
        'predicted',
    ]
    assert [frame.keypoints[0, 1, 0] for frame in found] == [10, 15, 20, 25, 30]
    assert found[1].people.boxes.tolist() == [[15, 0, 10, 20]]
    assert found[1].scores.tolist() == [[0.8 * INTERPOLATED_SCORE_FACTOR] * 2]
    assert found[1].people.scores.tolist() == [pytest.approx(0.6 * INTERPOLATED_SCORE_FACTOR)]
    assert found[0] is frames[0]
    assert found[4] is frames[4]


def test_only_people_on_both_sides_are_bridged():
    (_, middle, _) = interpolate_unreadable(
        [seen(0, track_ids=(5, 3, 1)), lost(1), seen(2, track_ids=(2, 1, 5))]
    )
    assert middle.people.track_ids.tolist() == [5, 1]
    (_, middle, _) = interpolate_unreadable(
        [seen(0, track_ids=()), lost(1), seen(2, track_ids=(2,))]
    )
    assert (middle.origin, len(middle)) == ('interpolated', 0)


def test_nothing_is_known_beyond_the_ends():
    found = list(interpolate_unreadable([lost(0), lost(1), seen(2), lost(3)]))
    assert [frame.origin for frame in found] == ['unknown', 'unknown', 'predicted', 'unknown']
    assert not any(len(frame) for frame in found if frame.origin == 'unknown')


@pytest.mark.parametrize('length', [MAX_INTERPOLATED_FRAMES, MAX_INTERPOLATED_FRAMES + 1])
def test_a_long_run_is_not_bridged(length):
    frames = [seen(0), *map(lost, range(1, length + 1)), seen(length + 1), lost(length + 2)]
    found = list(interpolate_unreadable([*frames, seen(length + 3)]))
    expected = 'interpolated' if length == MAX_INTERPOLATED_FRAMES else 'unknown'
    assert [frame.origin for frame in found[1 : length + 1]] == [expected] * length
    assert found[length + 2].origin == 'interpolated'
    assert [frame.frame_index for frame in found] == list(range(length + 4))


def test_a_long_run_is_not_waited_for():
    def frames():
        yield seen(0)
        for frame in range(1, 10**6):
            assert frame < 100
            yield lost(frame)

    found = interpolate_unreadable(frames())
    assert [next(found).frame_index for _ in range(3)] == [0, 1, 2]
