from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.structures import NO_PEOPLE, FrameBoxes
from stdpose_mm.tracking.person_tracker import PersonTracker

SIZE = (40.0, 100.0)


def seen(*centres: float, score: float = 0.9) -> FrameBoxes:
    """People whose boxes begin at these x, all at the same height."""
    boxes = np.array([[x, 50.0, *SIZE] for x in centres]).reshape(-1, 4)
    return FrameBoxes(boxes, np.full(len(boxes), score))


def ids(tracker: PersonTracker, frame: int, detections: FrameBoxes) -> list[int]:
    return tracker.update(frame, detections).track_ids.tolist()


@pytest.mark.parametrize('scores', [(0.9, 0.5), (0.3, 0.9)])
def test_boxes_come_back_as_they_were_in_their_order(scores):
    tracker = PersonTracker()
    tracker.update(0, seen(20.25, 300))
    # ByteTrack looks at sure detections first, and gives them back first.
    second = FrameBoxes(seen(301, 21.5).boxes, np.array(scores))
    people = tracker.update(1, second)
    np.testing.assert_array_equal(people.boxes, second.boxes)
    np.testing.assert_array_equal(people.scores, scores)
    assert people.track_ids.tolist() == [1, 0]


def test_people_who_cross_keep_their_identities():
    tracker = PersonTracker()
    for frame in range(40):
        left, right = 100 + 6 * frame, 340 - 6 * frame
        if abs(left - right) < 20:
            # One hides the other: the detector sees one person, in the middle.
            tracker.update(frame, seen((left + right) / 2))
            continue
        assert ids(tracker, frame, seen(left, right)) == [0, 1]


def test_a_missed_person_comes_back_as_the_same():
    tracker = PersonTracker()
    for frame in range(10):
        assert ids(tracker, frame, seen(3.0 * frame, 300)) == [0, 1]
    for frame in range(10, 15):
        assert ids(tracker, frame, seen(300)) == [1]
    assert ids(tracker, 15, seen(45, 300)) == [0, 1]


@pytest.mark.parametrize('empty', [range(10, 16), ()], ids=['nobody', 'left out'])
def test_frames_with_nobody_and_frames_left_out_count_as_time(empty):
    tracker = PersonTracker()
    for frame in range(10):
        ids(tracker, frame, seen(10.0 * frame))
    for frame in empty:
        assert len(tracker.update(frame, NO_PEOPLE)) == 0
    # Where he was last and where he is now do not overlap.
    assert ids(tracker, 16, seen(160)) == [0]


def test_who_is_gone_too_long_is_someone_new():
    tracker = PersonTracker(kept_frames=5)
    assert ids(tracker, 0, seen(10)) == [0]
    assert ids(tracker, 20, seen(10)) == [1]


def test_doubtful_boxes_carry_people_on_but_begin_nobody():
    tracker = PersonTracker()
    ids(tracker, 0, seen(10))
    ids(tracker, 1, seen(10))
    doubtful = FrameBoxes(np.array([[300.0, 50, *SIZE], [10.0, 50, *SIZE]]), np.array([0.3, 0.3]))
    people = tracker.update(2, doubtful)
    assert people.track_ids.tolist() == [0]
    assert people.boxes[0, 0] == 10


def test_large_steps_between_looks_are_followed():
    tracker = PersonTracker(detect_interval=5)
    # From look to look as far as the person is wide: the boxes do not overlap.
    assert [ids(tracker, 5 * look, seen(40.0 * look)) for look in range(4)] == [[0]] * 4


def test_boxes_of_zero_size_are_left_out():
    tracker = PersonTracker()
    boxes = np.array([[0.0, 0, 0, 10], [5, 5, 10, 20]])
    assert tracker.update(0, FrameBoxes(boxes, np.ones(2))).boxes.tolist() == [[5, 5, 10, 20]]


def test_reset_begins_anew():
    tracker = PersonTracker()
    ids(tracker, 7, seen(10, 200))
    tracker.reset()
    assert ids(tracker, 0, seen(500)) == [0]


def test_memory_does_not_grow_with_the_video():
    tracker = PersonTracker(kept_frames=5)
    for frame in range(60):
        # One who stays, and somebody new in every frame.
        tracker.update(frame, seen(10, 1000 + 200 * frame))
    assert len(tracker._tracker.tracks) < 10


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=5, unique=True),
    st.lists(st.permutations(range(5)), min_size=2, max_size=4),
)
def test_the_order_of_detections_does_not_matter(places, orders):
    tracker = PersonTracker()
    places = np.array(places) * 100.0
    first = ids(tracker, 0, seen(*places))
    assert len(set(first)) == len(places)
    for frame, order in enumerate(orders, 1):
        order = [i for i in order if i < len(places)]
        assert ids(tracker, frame, seen(*places[order])) == [first[i] for i in order]
