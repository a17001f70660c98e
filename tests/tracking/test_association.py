from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.tracking import assign_track_ids
from stdpose_mm.tracking.association import pose_similarities

BODY = np.array([[0, 0], [-10, 40], [10, 40]], float)


def at(label, frame, x, track_id=None):
    return label(frame, BODY + np.array([x, 100]), track_id=track_id)


def ids_of(video, persons):
    return [p.track_id for p in assign_track_ids(video(persons, 16)).persons]


N = None
CASES = {
    'people beside each other, in any order': (
        [(0, 50, N), (0, 150, N), (7, 160, N), (7, 60, N)],
        [0, 1, 1, 0],
    ),
    'people who cross at steady pace': (
        [*((5 * n, 20 * n, N) for n in range(4)), *((5 * n, 62 - 20 * n, N) for n in range(4))],
        [0, 0, 0, 0, 1, 1, 1, 1],
    ),
    # 9 is nearest to the person at 14; taken first come, first served, the other would jump by 22.
    'the sum of similarities decides': (
        [(0, 0, N), (0, 14, N), (7, 9, N), (7, 22, N)],
        [0, 1, 0, 1],
    ),
    'a person far from everybody is new': ([(0, 0, N), (0, 50, N), (7, 500, N)], [0, 1, 2]),
    'one pose in no frame more is one person': ([(0, 0, N), (7, 500, N)], [0, 0]),
    'found again after an unlabelled frame': (
        [(0, 0, N), (0, 200, N), (7, 200, N), (14, 0, N)],
        [0, 1, 1, 0],
    ),
    'ids that are there are not given twice': (
        [(0, 0, 4), (0, 200, N), (7, 0, N), (7, 200, 9)],
        [4, 9, 4, 9],
    ),
    'an id that is missing once, however far the person moves': (
        [(0, 0, 4), (7, 300, N), (14, 600, 4)],
        [4, 4, 4],
    ),
    'an id that is missing at first': ([(0, 0, N), (7, 300, 4), (14, 600, 4)], [4, 4, 4]),
    'an id that is missing at first, among several': (
        [(0, 0, N), (0, 200, 9), (7, 0, 4), (7, 200, 9)],
        [4, 9, 4, 9],
    ),
    # Person 9 walks off; somebody new stands where it was.
    'the id of somebody else in the frame': ([(0, 0, 9), (7, 0, N), (7, 60, 9)], [9, 10, 9]),
    # 40 in four frames, and two frames later 20 more; the other is where 40 more would lead.
    'a velocity is per frame': ([(0, 0, 5), (4, 40, 5), (6, 60, N), (6, 100, N)], [5, 5, 5, 6]),
}


@pytest.mark.parametrize('case', CASES)
def test_people_keep_their_ids(label, video, case):
    people, ids = CASES[case]
    assert ids_of(video, [at(label, *person) for person in people]) == ids


def test_people_with_boxes_only_are_matched_by_overlap(label, video):
    persons = [
        boxed(label, [x, 0, 50, 100], frame=frame, track_id=None)
        for frame, x in [(0, 0), (0, 100), (7, 90), (7, 10)]
    ]
    assert ids_of(video, persons) == [0, 1, 1, 0]


def test_labels_with_all_ids_are_returned_as_they_are(label, video):
    labels = video([at(label, 0, 0, track_id=3)], 1)
    assert assign_track_ids(labels) is labels


def test_who_has_left_is_known_again_at_the_place_where_he_was(label, video):
    gone = label(3, NOWHERE, [0, 0, 0], track_id=0)
    assert ids_of(video, [at(label, 0, 10, 0), gone, at(label, 6, 11)]) == [0, 0, 0]


NO_SHIFT = np.zeros(2)
NOWHERE = np.zeros((3, 2))


def boxed(label, box, keypoints=NOWHERE, visibility=(0, 0, 0), frame=0, **fields):
    return label(frame, keypoints, visibility, bbox=box, **fields)


def similarity(first, second, shift) -> float:
    return pose_similarities([second], [first], [shift])[0, 0]


def test_boxes_are_compared_after_the_shift(label):
    first = boxed(label, [0, 0, 10, 20])
    assert similarity(first, boxed(label, [30, 5, 10, 20]), np.array([30, 5])) == 1
    # 10 x 20 of 15 x 20 pixels.
    assert similarity(first, boxed(label, [5, 0, 15, 20]), np.array([5, 0])) == 200 / 300


def test_similarity_is_the_mean_of_overlap_and_of_the_poses_likeness(label):
    # The boxes' mean area is 600; the joints are half of its root apart.
    first = boxed(label, [0, 0, 10, 40], BODY, (2, 2, 2))
    apart = np.array([0.5 * np.sqrt(600), 0])
    second = boxed(label, [0, 0, 20, 40], BODY + apart, (2, 2, 2))
    expected = (np.exp(-0.5) + 400 / 800) / 2
    assert similarity(first, second, NO_SHIFT) == pytest.approx(expected)
    back = np.array([-3.0, -4])
    moved = boxed(label, [-3, -4, 10, 40], BODY + back, (2, 2, 2))
    assert similarity(moved, second, -back) == pytest.approx(expected)


def test_poses_smaller_than_a_pixel_are_compared_as_if_of_one(label):
    first = boxed(label, [0, 0, 0.5, 0.5], BODY, (2, 2, 2))
    second = boxed(label, [0, 0, 0.5, 0.5], np.add(BODY, (0, 0.5)), (2, 2, 2))
    assert similarity(first, second, NO_SHIFT) == pytest.approx((np.exp(-0.5) + 1) / 2)


def test_only_joints_that_both_have_are_compared(label):
    first = boxed(label, [0, 0, 10, 10], BODY, (2, 0, 2))
    second = boxed(label, [0, 0, 10, 10], np.add(BODY, [[0, 0], [0, 0], [99, 0]]), (2, 2, 0))
    assert similarity(first, second, NO_SHIFT) == 1


def test_each_of_several_people_is_compared_with_each_track_at_its_own_shift(label):
    tracks = [boxed(label, [x, 0, 10, 20]) for x in (0, 100)]
    people = [boxed(label, [x, 0, 10, 20]) for x in (200, 105, 30)]
    shifts = [np.array([30.0, 0]), np.array([100.0, 0])]
    expected = [[0, 1], [0, 0], [1, 0]]
    np.testing.assert_array_equal(pose_similarities(people, tracks, shifts), expected)
    assert pose_similarities(people, [], []).shape == (3, 0)


def test_a_box_that_grows_moves_by_its_centre(label, video):
    # The centre goes 20 a frame from 5 to 25 to 45; the left edge 10.
    people = [
        boxed(label, [0, -5, 10, 20], track_id=3),
        boxed(label, [10, 0, 30, 10], frame=1, track_id=3),
        boxed(label, [22, 0, 30, 10], frame=2, track_id=None),
        boxed(label, [30, 0, 30, 10], frame=2, track_id=None),
        boxed(label, [38, 0, 30, 10], frame=2, track_id=None),
    ]
    assert ids_of(video, people) == [3, 3, 4, 3, 5]


def test_a_velocity_is_that_of_the_joints_that_both_labels_have(label, video):
    # Only the head is in both; the hands of the second label are far off.
    first = label(0, np.add(BODY, (0, 100)), [2, 0, 0], track_id=5, bbox=[-10, 100, 20, 40])
    second = label(1, np.add(BODY, (10, 100)), [2, 2, 2], track_id=5, bbox=[500, 100, 20, 40])
    persons = [first, second, at(label, 2, 20), at(label, 2, 990)]
    assert ids_of(video, persons)[2] == 5


def test_who_is_nowhere_is_nobody_known(label, video):
    nowhere = label(3, NOWHERE, [0, 0, 0], track_id=None)
    assert ids_of(video, [at(label, 0, 0, 7), at(label, 0, 200, 8), nowhere]) == [7, 8, 9]


@pytest.mark.parametrize(('distance', 'ids'), [(1.25, [0, 9, 0]), (1.29, [0, 9, 10])])
def test_labels_too_far_apart_are_of_two_people(label, video, distance, ids):
    # Without overlap, at a distance d in sizes, the similarity is exp(-2 d^2) / 2: 0.02 at 1.27.
    x = distance * 30
    first = boxed(label, [0, 0, 30, 30], BODY, (2, 2, 2), track_id=0)
    there = boxed(label, [x, 0, 30, 30], np.add(BODY, (x, 0)), (2, 2, 2), 1, track_id=None)
    assert ids_of(video, [first, at(label, 0, 900, 9), there]) == ids


def test_the_least_similarity_is_enough(label, video):
    # 1 of 50 pixels in common, 0.02.
    first = boxed(label, [0, 0, 1, 50], track_id=3)
    assert ids_of(video, [first, boxed(label, [0, 10, 1, 1], frame=1, track_id=None)]) == [3, 3]
