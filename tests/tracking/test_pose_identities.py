from __future__ import annotations

import numpy as np

from stdpose_mm.structures import NO_PEOPLE, FrameBoxes
from stdpose_mm.tracking.pose_identities import PoseIdentities

POSES = np.random.default_rng(0).uniform([0, 0], [40, 100], (2, 12, 2))
"""Two people who hold their joints differently in boxes of the same size."""


def frame(xs, track_ids, poses=(0, 1), scores=None):
    """People at these x: their boxes, poses and scores."""
    xs = np.array(xs, float)
    boxes = np.stack([xs, np.full(len(xs), 20.0), np.full(len(xs), 40), np.full(len(xs), 100)], 1)
    points = POSES[list(poses)[: len(xs)]] + boxes[:, None, :2]
    people = FrameBoxes(boxes, np.ones(len(xs)), np.array(track_ids))
    return people, points, np.ones(points.shape[:2]) if scores is None else scores


def ids(identities, index, *arguments, **options):
    return identities.update(index, *frame(*arguments, **options)).track_ids.tolist()


def test_boxes_that_changed_owners_in_a_crossing_are_corrected():
    identities = PoseIdentities()
    for t in range(20):
        # The box tracker confuses the two from the crossing in frame 10 on, the poses do not.
        tracked = [7, 8] if t <= 10 else [8, 7]
        assert ids(identities, t, (100 + 5 * t, 200 - 5 * t), tracked) == [0, 1]


def test_a_person_under_a_new_number_is_found_again():
    identities = PoseIdentities()
    for t in range(5):
        assert ids(identities, t, (10 + 4 * t, 300), [3, 4]) == [0, 1]
    assert ids(identities, 5, (300,), [4], poses=[1]) == [1]
    # After two frames he is expected at his pace, under whatever number.
    assert ids(identities, 7, (38, 300), [9, 4]) == [0, 1]
    assert ids(identities, 8, (42, 300), [9, 4]) == [0, 1]


def test_who_comes_back_after_long_is_known_by_the_box_tracker():
    identities = PoseIdentities()
    for t in range(5):
        assert ids(identities, t, (10, 300), [3, 4]) == [0, 1]
    # The box tracker keeps a lost track for 30 frames, a pose is compared for 15 only.
    for t in range(5, 34):
        assert ids(identities, t, (300,), [4], poses=[1]) == [1]
    assert ids(identities, 34, (150, 300), [3, 4]) == [0, 1]
    # A number that somebody else has got by the pose is not given twice.
    identities = PoseIdentities()
    assert ids(identities, 0, (10,), [3]) == [0]
    assert ids(identities, 1, (10,), [4]) == [0]
    assert ids(identities, 2, (10, 300), [4, 3]) == [0, 1]


def test_where_poses_say_nothing_the_box_tracker_is_believed():
    identities = PoseIdentities()
    unsure = np.zeros((2, 12))
    assert ids(identities, 0, (10, 300), [5, 6], scores=unsure) == [0, 1]
    assert ids(identities, 1, (12, 298), [5, 6], scores=unsure) == [0, 1]
    # Both boxes are at the same place, with the same pose.
    same = identities.update(2, *frame((150, 150), [6, 5], poses=(0, 0)))
    assert same.track_ids.tolist() == [1, 0]


def test_other_people_are_new():
    identities = PoseIdentities()
    assert ids(identities, 0, (10,), [0]) == [0]
    assert ids(identities, 1, (10, 500), [0, 1]) == [0, 1]
    assert ids(identities, 2, (900,), [2]) == [2]
    assert len(identities.update(3, NO_PEOPLE, np.zeros((0, 12, 2)), np.zeros((0, 12)))) == 0


def test_who_was_lost_long_ago_is_forgotten():
    identities = PoseIdentities()
    for t in range(200):
        ids(identities, t, (1000 * t,), [t], poses=[0])
    assert len(identities._known) < 20
    assert len(identities._own_id) < 40
