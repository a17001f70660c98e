from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.labelling.review import JointCheck, frames_to_check
from stdpose_mm.structures import PersonLabel
from support.scored_videos import scored_track, scored_video


def test_expected_wrong_joints_and_the_worst_ones() -> None:
    labels = scored_video(
        scored_track([1, (0.9, 0.4), 1]),
        scored_track([1, (0.2, 0.8), 1], track_id=7),
        scored_track([1, 1, 1], 8),
    )
    (check,) = frames_to_check(labels, limit=5)
    assert check.frame_index == 1
    assert check.expected_wrong == pytest.approx(0.1 + 0.6 + 0.8 + 0.2)
    assert check.joints == (
        JointCheck(7, 'tail', 0.2),
        JointCheck(0, 'nose', 0.4),
        JointCheck(7, 'nose', 0.8),
    )


def test_joints_that_are_nearly_certain_are_not_named() -> None:
    labels = scored_video(scored_track([1, (0.49, 0.99), 1]))
    (check,) = frames_to_check(labels, limit=1)
    assert check.joints == (JointCheck(0, 'tail', 0.49),)


def test_frames_to_check_are_spread_out() -> None:
    # The worst frames are neighbours in one gap; the other gap is better throughout.
    first = [1, 0.6, 0.5, 0.31, 0.3, 0.31, 0.5, 0.6]
    labels = scored_video(scored_track([*first, 1, 0.7, 0.65, 0.7, 1]))
    found = [check.frame_index for check in frames_to_check(labels, limit=3)]
    assert found[:2] == [4, 10]
    assert found[2] not in (3, 5)


def test_nothing_is_left_to_check_in_given_and_absent_frames() -> None:
    absent = PersonLabel(1, np.zeros((2, 2)), np.zeros(2), 0, scores=np.zeros(2), source='absent')
    people = scored_track([1, 0.5, 1])
    assert frames_to_check(scored_video([people[0], absent, people[2]]), limit=3) == []
    assert frames_to_check(scored_video(scored_track([1, 0.5, 1])), limit=0) == []


def test_given_joints_are_not_in_doubt_whatever_their_scores() -> None:
    first, second, third = scored_track([1, (0.2, 0.3), 1])
    mixed = replace(second, source='given', keypoint_sources=np.array(['given', 'propagated']))
    (check,) = frames_to_check(scored_video([first, mixed, third]), limit=3)
    assert check.expected_wrong == pytest.approx(0.7)
    assert [joint.joint for joint in check.joints] == ['nose']
