from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.tracking import assign_track_ids
from stdpose_mm.tracking.association import pose_similarities

BODY = np.array([[0, 0], [-10, 40], [10, 40]], float)


def ids_by_place(labels):
    """{(frame, x of the head): track id}."""
    return {(p.frame_index, float(p.keypoints[0, 0])): p.track_id for p in labels.persons}


def at(label, frame, x, track_id=None, **fields):
    return label(frame, BODY + np.array([x, 100]), track_id=track_id, **fields)


def test_people_who_walk_beside_each_other_keep_their_ids_in_any_file_order(label, video):
    persons = [at(label, 0, 50), at(label, 0, 150), at(label, 7, 160), at(label, 7, 60)]
    ids = ids_by_place(assign_track_ids(video(persons, 8)))
    assert ids == {(0, 50): 0, (0, 150): 1, (7, 60): 0, (7, 160): 1}


def test_people_who_cross_at_steady_pace_keep_their_ids(label, video):
    right, left = [0, 20, 40, 60], [62, 42, 22, 2]
    persons = [at(label, 5 * n, x) for xs in (right, left) for n, x in enumerate(xs)]
    ids = ids_by_place(assign_track_ids(video(persons, 16)))
    assert [ids[5 * n, x] for n, x in enumerate(right)] == [0] * 4
    assert [ids[5 * n, x] for n, x in enumerate(left)] == [1] * 4


def test_the_sum_of_similarities_decides_not_the_first_come(label, video):
    # 9 is nearest to the person at 14; taken first come, first served, the other would jump by 22.
    persons = [at(label, 0, 0), at(label, 0, 14), at(label, 7, 9), at(label, 7, 22)]
    ids = ids_by_place(assign_track_ids(video(persons, 8)))
    assert ids[7, 9] == ids[0, 0]
    assert ids[7, 22] == ids[0, 14]


def test_a_person_far_from_everybody_is_new(label, video):
    persons = [at(label, 0, 0), at(label, 7, 500)]
    ids = ids_by_place(assign_track_ids(video(persons, 8)))
    assert ids[0, 0] != ids[7, 500]


def test_a_person_is_found_again_after_an_unlabelled_frame(label, video):
    persons = [at(label, 0, 0), at(label, 0, 200), at(label, 7, 200), at(label, 14, 0)]
    ids = ids_by_place(assign_track_ids(video(persons, 15)))
    assert ids[14, 0] == ids[0, 0]


def test_ids_that_are_there_stay_and_are_not_given_twice(label, video):
    persons = [
        at(label, 0, 0, track_id=4),
        at(label, 0, 200),
        at(label, 7, 0),
        at(label, 7, 200, track_id=9),
    ]
    ids = ids_by_place(assign_track_ids(video(persons, 8)))
    assert ids == {(0, 0): 4, (0, 200): 10, (7, 0): 4, (7, 200): 9}


def test_nobody_gets_the_id_of_somebody_else_in_the_frame(label, video):
    # Person 9 walks off; somebody new stands where it was.
    persons = [at(label, 0, 0, track_id=9), at(label, 7, 0), at(label, 7, 60, track_id=9)]
    ids = ids_by_place(assign_track_ids(video(persons, 8)))
    assert ids == {(0, 0): 9, (7, 0): 10, (7, 60): 9}


def test_people_with_boxes_only_are_matched_by_overlap(label, video):
    nobody = np.zeros((3, 2))
    persons = [
        label(frame, nobody, [0, 0, 0], track_id=None, bbox=[x, 0, 50, 100])
        for frame, x in [(0, 0), (0, 100), (7, 90), (7, 10)]
    ]
    labels = assign_track_ids(video(persons, 8))
    assert [p.track_id for p in labels.persons] == [0, 1, 1, 0]


def test_labels_with_all_ids_are_returned_as_they_are(label, video):
    labels = video([at(label, 0, 0, track_id=3)], 1)
    assert assign_track_ids(labels) is labels


def test_who_has_left_is_known_again_at_the_place_where_he_was(label, video):
    gone = label(3, np.zeros((3, 2)), [0, 0, 0], track_id=0)
    people = [label(0, [[10, 10], [20, 10], [10, 30]], track_id=0), gone]
    people.append(label(6, [[11, 10], [21, 10], [11, 30]], track_id=None))
    assert assign_track_ids(video(people, 7)).persons[2].track_id == 0


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
    assert [p.track_id for p in assign_track_ids(video(people, 3)).persons] == [3, 3, 4, 3, 5]


def test_a_velocity_is_per_frame(label, video):
    # 40 in four frames, and two frames later 20 more; the other is where 40 more would lead.
    persons = [at(label, 0, 0, 5), at(label, 4, 40, 5), at(label, 6, 60), at(label, 6, 100)]
    ids = ids_by_place(assign_track_ids(video(persons, 7)))
    assert (ids[6, 60], ids[6, 100]) == (5, 6)


def test_a_velocity_is_that_of_the_joints_that_both_labels_have(label, video):
    # Only the head is in both; the hands of the second label are far off.
    first = label(0, np.add(BODY, (0, 100)), [2, 0, 0], track_id=5, bbox=[-10, 100, 20, 40])
    second = label(1, np.add(BODY, (10, 100)), [2, 2, 2], track_id=5, bbox=[500, 100, 20, 40])
    persons = [first, second, at(label, 2, 20), at(label, 2, 990)]
    ids = ids_by_place(assign_track_ids(video(persons, 3)))
    assert ids[2, 20] == 5


def test_who_is_nowhere_is_nobody_known(label, video):
    persons = [at(label, 0, 0, 7), label(3, NOWHERE, [0, 0, 0], track_id=None)]
    assert [p.track_id for p in assign_track_ids(video(persons, 4)).persons] == [7, 8]


def test_labels_too_far_apart_are_of_two_people(label, video):
    # Without overlap, at a distance d in sizes, the similarity is exp(-2 d^2) / 2: 0.02 at 1.27.
    size = 30.0
    for distance, same in ((1.25, True), (1.29, False)):
        box = np.array([0, 0, size, size])
        there = np.add(box, [distance * size, 0, 0, 0])
        people = [
            boxed(label, box, BODY, (2, 2, 2), track_id=0),
            boxed(
                label, there, np.add(BODY, (distance * size, 0)), (2, 2, 2), frame=1, track_id=None
            ),
        ]
        found = assign_track_ids(video(people, 2)).persons[1].track_id
        assert (found == 0) == same


def test_the_least_similarity_is_enough(label, video):
    # 1 of 50 pixels in common, 0.02.
    people = [
        boxed(label, [0, 0, 1, 50], track_id=3),
        boxed(label, [0, 10, 1, 1], frame=1, track_id=None),
    ]
    assert assign_track_ids(video(people, 2)).persons[1].track_id == 3
