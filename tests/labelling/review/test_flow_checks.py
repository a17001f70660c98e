"""Poses that optical flow carries to the frames beside theirs."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.review import CarriedPoses
from stdpose_mm.structures import PersonLabel

SPEED = 3
PLACES = np.array([[60, 30], [90, 60]], float)


@pytest.fixture
def carried() -> CarriedPoses:
    """Five pictures of something that moves to the right."""
    texture = np.random.default_rng(0).integers(0, 255, (30, 80), np.uint8)
    texture = cv2.cvtColor(cv2.resize(texture, (320, 120)), cv2.COLOR_GRAY2BGR)
    return CarriedPoses(ArrayFrames([np.roll(texture, SPEED * f, axis=1) for f in range(5)]))


def moving() -> dict[int, PersonLabel]:
    return {f: PersonLabel(f, PLACES + np.array([SPEED * f, 0]), [2, 2], 0) for f in range(5)}


def test_joints_are_where_flow_carries_them_from_both_sides(carried):
    track = moving()
    track[2] = replace(track[2], keypoints=track[2].keypoints + np.array([[0, 20], [0, 0]]))
    assert [*carried.carry({0: track})] == [1, 1, 2, 2, 3, 3, 4, 4]
    np.testing.assert_allclose(carried.distances(track, 2), [20, 0], atol=0.5)
    # One of the sides agrees, or there is none.
    np.testing.assert_allclose(carried.distances(track, 1), [0, 0], atol=0.5)
    assert np.isnan(carried.distances(track, 0)).all()


def test_a_joint_without_a_label_on_one_side_is_not_compared(carried):
    track = moving()
    track[3] = replace(track[3], visibility=[0, 2])
    all(carried.carry({0: track}))
    assert np.isnan(carried.distances(track, 2)).tolist() == [True, False]


def test_only_new_poses_are_carried_whoever_they_are_of(carried):
    track = moving()
    all(carried.carry({0: track}))
    assert carried.people_to_carry({0: track}) == set()
    renamed = {frame: replace(label, track_id=7) for frame, label in track.items()}
    assert [*carried.carry({7: renamed})] == []
    renamed[2] = replace(renamed[2], keypoints=PLACES)
    assert carried.people_to_carry({7: renamed}) == {7}
    assert [*carried.carry({7: renamed})] == [2, 3]
