"""One person who is labelled twice in a frame is found by labels that lie on each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.review import (
    DoubledLabels,
    find_doubled_labels,
    summarize_labels,
    word_doubled,
    word_summary,
)
from stdpose_mm.structures import PersonLabel, Skeleton
from support.label_samples import tracks_of

SKELETON = Skeleton(('head', 'left_hip', 'right_hip', 'left_foot', 'right_foot'))
STANDING = np.array([[50, 0], [60, 50], [40, 50], [60, 100], [40, 100]], float)
"""100 pixels high."""


def give(
    frame: int, track_id: int, aside: float = 0, visible: str = '22222', size: float = 1
) -> PersonLabel:
    pose = size * STANDING + np.array([aside, 0])
    return PersonLabel(frame, pose, np.array([*visible], int), track_id=track_id)


def find(*labels: PersonLabel) -> list[DoubledLabels]:
    return find_doubled_labels(tracks_of(*labels))


@pytest.mark.parametrize(('aside', 'number'), [(0, 1), (4.9, 1), (5.1, 0), (30, 0)])
def test_labels_within_a_twentieth_of_the_size_are_of_one_person(aside: float, number: int) -> None:
    assert len(find(give(0, 1), give(0, 2, aside))) == number


def test_a_pair_is_named_once_with_its_frames_and_apart_from_others() -> None:
    labels = [give(frame, track_id) for frame in (0, 7) for track_id in (5, 3)]
    others = [give(0, 4, 40), give(7, 9, 40), give(14, 3), give(21, 5)]
    assert find(*labels, *others) == [DoubledLabels((3, 5), (0, 7))]


@pytest.mark.parametrize('visible', ['22200', '00000'])
def test_few_common_joints_tell_nothing(visible: str) -> None:
    assert find(give(0, 1), give(0, 2, visible=visible)) == []


def test_four_common_joints_are_enough() -> None:
    assert len(find(give(0, 1), give(0, 2, visible='22220'))) == 1


def test_propagated_joints_tell_nothing() -> None:
    partial = replace(
        give(0, 2), keypoint_sources=np.array(['given'] * 3 + ['propagated'] * 2), source='given'
    )
    assert find(give(0, 1), partial) == []


def test_the_size_is_that_of_the_labelled_joints() -> None:
    # 4 pixels aside: a tenth of those who are 40 high.
    assert find(give(0, 1, size=0.4), give(0, 2, 4, size=0.4)) == []


def test_it_is_said_before_poses_are_computed() -> None:
    tracks = tracks_of(give(0, 0), give(7, 0), give(7, 1, 1))
    text = word_summary(summarize_labels(tracks, SKELETON, 15, (200, 200)))
    assert (
        'note: person 0 and person 1 in frame 7 lie on each other, as if one person were labelled '
        'twice: if so, remove one of the two labels, or each becomes a track of its own'
    ) in text.splitlines()


def test_nothing_is_said_of_nobody() -> None:
    assert word_doubled([], 'rat') == []
