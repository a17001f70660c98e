from __future__ import annotations

import numpy as np

from research.tracking.box_tracking import (
    TrackCounts,
    count_box_tracking,
    count_tracks,
)
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes


def people(**xs):
    """Boxes 10 x 10 at these x by track id (``t3=0``)."""
    ids = [int(name[1:]) for name in xs]
    boxes = np.array([[x, 0, 10, 10] for x in xs.values()], float).reshape(-1, 4)
    return FrameBoxes(boxes, np.ones(len(boxes)), np.array(ids, int))


def test_misses_false_boxes_and_switches_count():
    truth = [people(t1=0, t2=100)] * 5
    found = [
        people(t7=0, t8=100),
        # One is missed, and a box is where nobody is.
        people(t7=2, t9=50),
        # The two change their names. IoU of the second: 8 / 12.
        people(t8=0, t7=102),
        # Too far: IoU 4 / 16.
        people(t8=6, t7=100),
        # The last frame does not count.
        NO_PEOPLE,
    ]
    counts = count_box_tracking([(truth, found)])
    assert counts.objects.tolist() == [8]
    assert counts.detections.tolist() == [6]
    assert counts.false_positives.tolist() == [2]
    assert counts.switches.tolist() == [2]
    np.testing.assert_allclose(counts.mota(), 100 * (1 - (2 + 2 + 2) / 8))
    np.testing.assert_allclose(counts.distance, 2 * (1 - 8 / 12))


def test_identities_of_two_videos_have_nothing_to_do_with_each_other():
    truth = [people(t1=0)] * 3
    videos = [(truth, [people(t1=0)] * 3), (truth, [people(t2=0)] * 3)]
    counts = count_box_tracking(videos)
    assert counts.mota().tolist() == [100]
    assert counts.switches.tolist() == [0]


def test_wrong_tracks_count():
    truth = [people(t1=0, t2=100)] * 12
    found = [
        # Person 1 has two ids, of 2 and of 10 frames; person 2 has one, and 8 boxes of id 9 that
        # share 9 / 10 of it, and later 4 boxes where nobody is.
        people(**{'t7' if n < 2 else 't8': 0, 't3': 100, 't9': 101 if n < 8 else 50})
        for n in range(12)
    ]
    expected = TrackCounts(ids=4, false_ids=1, short_ids=1, broken=1, doubles=8)
    assert count_tracks([(truth, found)]) == expected


def test_a_box_taken_for_a_moment_makes_no_broken_track():
    truth = [people(t1=0, t2=100)] * 6
    found = [people(t1=0, t2=100)] * 5 + [people(t1=100, t2=0)]
    assert count_tracks([(truth, found)]) == TrackCounts(ids=2, short_ids=2)


def test_a_box_where_nobody_is_belongs_to_nobody():
    truth, found = [people(t1=0)] * 12, [people(t5=50)] * 12
    assert count_tracks([(truth, found)]) == TrackCounts(ids=1, false_ids=1)


def test_every_further_box_on_a_person_is_a_double():
    truth, found = [people(t1=0)] * 12, [people(t7=0, t8=1, t9=-1)] * 12
    assert count_tracks([(truth, found)]) == TrackCounts(ids=3, false_ids=2, doubles=24)


def test_tracks_of_less_than_ten_frames_are_short():
    for length, short in ((9, 1), (10, 0)):
        whole = [people(t1=0)] * length
        assert count_tracks([(whole, whole)]) == TrackCounts(ids=1, short_ids=short)
