from __future__ import annotations

import numpy as np

from stdpose_mm.tracking import assign_track_ids

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
