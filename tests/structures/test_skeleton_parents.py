"""What moves with a joint that is dragged."""

from __future__ import annotations

import pytest

from stdpose_mm.structures import Skeleton


def test_arms_and_legs_hang_on_a_ring_of_shoulders_and_hips() -> None:
    names = ('l_shoulder', 'r_shoulder', 'l_hip', 'r_hip', 'l_elbow', 'l_wrist', 'r_knee')
    limbs = ((0, 1), (1, 3), (3, 2), (2, 0), (0, 4), (5, 4), (3, 6))
    assert Skeleton(names, limbs).parents == (-1, -1, -1, -1, 0, 4, 3)


def test_a_ring_comes_before_a_joint_with_more_limbs() -> None:
    """A hand with five fingers hangs on the arm, not the other way round."""
    fingers = tuple((4, finger) for finger in range(5, 10))
    limbs = ((0, 1), (1, 2), (2, 0), (0, 3), (3, 4), *fingers)
    parents = Skeleton(tuple('abcdefghij'), limbs).parents
    assert parents == (-1, -1, -1, 0, 3, 4, 4, 4, 4, 4)


def test_without_a_ring_all_hang_on_the_joint_with_most_limbs() -> None:
    chain = Skeleton(('tip', 'hand', 'thumb', 'finger', 'end'), ((0, 1), (1, 2), (1, 3), (3, 4)))
    assert chain.parents == (1, -1, 1, 1, 3)


def test_parts_that_are_not_connected_have_roots_of_their_own() -> None:
    assert Skeleton(('a', 'b', 'c', 'd'), ((0, 1), (3, 2))).parents == (-1, 0, -1, 2)


def test_a_joint_without_limbs_hangs_on_none() -> None:
    assert Skeleton(('a', 'b', 'c'), ((0, 1), (1, 1))).parents == (-1, 0, -1)


def test_a_joint_is_found_by_its_name() -> None:
    skeleton = Skeleton(('head', 'tail'))
    assert skeleton.index_of('tail') == 1
    with pytest.raises(ValueError, match="no keypoint 'ear' in"):
        skeleton.index_of('ear')
