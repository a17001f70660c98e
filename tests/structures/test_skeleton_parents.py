"""What moves with a joint that is dragged."""

from __future__ import annotations

import pytest

from stdpose_mm.structures import Skeleton

FINGERS = tuple((4, finger) for finger in range(5, 10))


@pytest.mark.parametrize(
    ('count', 'limbs', 'parents'),
    [
        # Arms and legs hang on a ring of shoulders and hips.
        (7, ((0, 1), (1, 3), (3, 2), (2, 0), (0, 4), (5, 4), (3, 6)), (-1, -1, -1, -1, 0, 4, 3)),
        # A hand with five fingers hangs on the arm, not the other way round.
        (10, ((0, 1), (1, 2), (2, 0), (0, 3), (3, 4), *FINGERS), (-1, -1, -1, 0, 3, 4, 4, 4, 4, 4)),
        # Without a ring, all hang on the joint with most limbs.
        (5, ((0, 1), (1, 2), (1, 3), (3, 4)), (1, -1, 1, 1, 3)),
        # Parts that are not connected have roots of their own.
        (4, ((0, 1), (3, 2)), (-1, 0, -1, 2)),
        # A joint without limbs hangs on none.
        (3, ((0, 1), (1, 1)), (-1, 0, -1)),
    ],
    ids=['ring', 'hand', 'no ring', 'two parts', 'no limb'],
)
def test_what_moves_with_a_joint(count, limbs, parents):
    assert Skeleton(tuple('abcdefghij'[:count]), limbs).parents == parents


def test_a_joint_is_found_by_its_name():
    skeleton = Skeleton(('head', 'tail'))
    assert skeleton.index_of('tail') == 1
    with pytest.raises(ValueError, match="no keypoint 'ear' in"):
        skeleton.index_of('ear')
