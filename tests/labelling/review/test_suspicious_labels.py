"""Labels in which sides or people are exchanged, and people who are labelled twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.labelling.review.exchanges import find_exchanged_people, find_exchanged_sides
from stdpose_mm.labelling.review.suspicious_labels import (
    doubled_warnings,
    find_doubled_people,
    find_labels_of_others,
    label_warnings,
)
from stdpose_mm.structures import PersonLabel, Skeleton
from support.label_samples import tracks_of

SKELETON = Skeleton(('head', 'left_hip', 'right_hip', 'left_foot', 'right_foot'))
STANDING = np.array([[50, 10], [60, 50], [40, 50], [62, 90], [38, 90]], float)
MIRRORED = STANDING[[0, 2, 1, 4, 3]]
BESIDE = STANDING + np.array([80, 0])
SPEED = np.array([1.0, 0.5])


def give(
    frame: int, track_id: int = 1, pose: np.ndarray = STANDING, visible: str = '22222'
) -> PersonLabel:
    """A label of somebody who walks to the lower right."""
    visibility = np.array([*visible], int)
    return PersonLabel(frame, pose + frame * SPEED, visibility, track_id=track_id)


def find_sides(*labels: PersonLabel) -> list[tuple[int, int]]:
    assert find_exchanged_people(tracks_of(*labels)) == []
    exchanges = find_exchanged_sides(tracks_of(*labels), SKELETON)
    return [(frame, exchange.track_id) for exchange in exchanges for frame in exchange.frames]


def find_people(*labels: PersonLabel) -> list[tuple[int, int, int]]:
    assert find_exchanged_sides(tracks_of(*labels), SKELETON) == []
    exchanges = find_exchanged_people(tracks_of(*labels))
    return [(frame, *exchange.track_ids) for exchange in exchanges for frame in exchange.frames]


def test_the_one_label_whose_sides_are_exchanged_is_found() -> None:
    labels = [give(0), give(7), give(14, pose=MIRRORED), give(20), give(28)]
    assert find_sides(*labels) == [(14, 1)]


def test_labels_that_fit_their_neighbours_are_none() -> None:
    assert find_sides(*(give(frame) for frame in (0, 7, 14, 21))) == []
    # Who turns round stays turned.
    turned = [give(frame, pose=MIRRORED) for frame in (14, 21, 28)]
    assert find_sides(give(0), give(7), *turned) == []


@pytest.mark.parametrize('visible', ['22200', '20202', '20000'])
def test_less_than_two_pairs_of_joints_tell_nothing(visible: str) -> None:
    assert find_sides(give(0), give(7, pose=MIRRORED, visible=visible), give(14)) == []


def test_two_people_whose_numbers_are_exchanged_in_one_label_are_found() -> None:
    labels = [give(frame, 2, BESIDE) for frame in (0, 14)]
    labels += [give(frame, 5) for frame in (0, 14)]
    assert find_people(*labels, give(7, 5, BESIDE), give(7, 2)) == [(7, 2, 5)]
    assert find_people(*labels, give(7, 2, BESIDE), give(7, 5)) == []


@pytest.mark.parametrize(('visible', 'number'), [('22220', 1), ('22200', 0)])
def test_people_are_compared_by_four_joints_or_more(visible: str, number: int) -> None:
    labels = [give(frame, 2, BESIDE) for frame in (0, 14)]
    labels += [give(frame, 5) for frame in (0, 14)]
    exchanged = [give(7, 5, BESIDE, visible), give(7, 2, visible=visible)]
    assert len(find_people(*labels, *exchanged)) == number


def label_two(*others: PersonLabel) -> list[tuple[int, int, int]]:
    """Label two people, the second one not in frame 7, and others; who is somebody else?"""
    labels = [*(give(frame, 2, BESIDE) for frame in (0, 14)), *(give(n, 5) for n in (0, 14))]
    return find_labels_of_others(tracks_of(*labels, *others))


@pytest.mark.parametrize(
    # Two thirds of the way it is twice as far from its own line as from the other one.
    ('aside', 'found'),
    [(0, []), (53, []), (54, [(7, 5, 2)]), (80, [(7, 5, 2)])],
)
def test_a_label_that_was_given_to_another_person_is_found(aside: float, found) -> None:
    assert label_two(give(7, 5, STANDING + np.array([aside, 0]))) == found


def test_whoever_is_labelled_there_is_not_somebody_else() -> None:
    assert label_two(give(7, 5, BESIDE), give(7, 2, BESIDE)) == []
    gone = replace(give(7, 2, BESIDE), source='absent', visibility=np.zeros(5, int))
    assert label_two(give(7, 5, BESIDE), gone) == []


def test_of_several_people_the_nearest_fits() -> None:
    near = [give(frame, 3, STANDING + np.array([70, 0])) for frame in (0, 14)]
    assert label_two(*near, give(7, 5, STANDING + np.array([78, 0]))) == [(7, 5, 2)]


@pytest.mark.parametrize(('aside', 'found'), [(7.9, []), (8.1, [(7, 5, 3)])])
def test_who_is_within_a_tenth_of_the_size_of_the_own_line_is_nobody_else(aside, found) -> None:
    at = STANDING + np.array([aside, 0])
    others = [give(frame, 3, at) for frame in (0, 14)]
    assert label_two(*others, give(7, 5, at)) == found


def test_before_the_first_and_after_the_last_label_nobody_is_expected() -> None:
    later = [give(frame, 2, BESIDE) for frame in (14, 28)]
    assert find_labels_of_others(tracks_of(*later, give(0), give(7, 1, BESIDE), give(14))) == []
    sooner = [give(frame, 2, BESIDE) for frame in (-14, 0)]
    assert find_labels_of_others(tracks_of(*sooner, give(0), give(7, 1, BESIDE), give(14))) == []


def test_a_right_label_just_before_or_after_an_exchanged_one_is_not_named() -> None:
    # The line to the exchanged label is almost there, and has left and right exchanged as well.
    labels = [give(0), give(13), give(14, pose=MIRRORED), give(15), give(28)]
    assert find_sides(*labels) == [(14, 1)]


def test_absence_next_to_a_label_tells_nothing() -> None:
    gone = give(14, visible='00000')
    assert find_sides(give(0), give(7, pose=MIRRORED), gone, give(21)) == []


TALL = np.array([[50, 0], [60, 50], [40, 50], [60, 100], [40, 100]], float)
"""100 pixels high."""


def give_beside(
    frame: int, track_id: int, aside: float = 0, visible: str = '22222', size: float = 1
) -> PersonLabel:
    pose = size * TALL + np.array([aside, 0])
    return PersonLabel(frame, pose, np.array([*visible], int), track_id=track_id)


def find_doubled(*labels: PersonLabel) -> dict[tuple[int, int], list[int]]:
    return find_doubled_people(tracks_of(*labels))


@pytest.mark.parametrize(('aside', 'number'), [(0, 1), (4.9, 1), (5.1, 0), (30, 0)])
def test_labels_within_a_twentieth_of_the_size_are_of_one_person(aside: float, number: int) -> None:
    assert len(find_doubled(give_beside(0, 1), give_beside(0, 2, aside))) == number


def test_a_pair_is_named_once_with_its_frames_and_apart_from_others() -> None:
    labels = [give_beside(frame, track_id) for frame in (0, 7) for track_id in (5, 3)]
    others = [give_beside(0, 4, 40), give_beside(7, 9, 40), give_beside(14, 3), give_beside(21, 5)]
    assert find_doubled(*labels, *others) == {(3, 5): [0, 7]}


@pytest.mark.parametrize(('visible', 'number'), [('22220', 1), ('22200', 0), ('00000', 0)])
def test_four_common_joints_are_enough(visible: str, number: int) -> None:
    assert len(find_doubled(give_beside(0, 1), give_beside(0, 2, visible=visible))) == number


def test_propagated_joints_tell_nothing() -> None:
    partial = replace(
        give_beside(0, 2),
        keypoint_sources=np.array(['given'] * 3 + ['propagated'] * 2),
        source='given',
    )
    assert doubled_warnings(tracks_of(give_beside(0, 1), partial), SKELETON) == []


WALK = [give(frame, 1) for frame in (0, 7, 14, 21, 28)]


@pytest.mark.parametrize(
    ('others', 'frames'),
    [
        # The first track ends in the second job of CVAT, whose first frame is 27.
        ([27, 34, 41], range(27, 31)),
        ([26, 29, 40], range(26, 31)),
        # Nothing within the first track, and one label, of which the line tells too little.
        ([31, 38], []),
        ([29, 36], []),
        # Labelled twice in frames of its own.
        ([3, 10, 24], range(3, 25)),
    ],
)
def test_tracks_that_overlap_on_one_line_are_of_one_person(others: list[int], frames) -> None:
    gone = give(30, 1, visible='00000')
    found = find_doubled(*WALK, gone, *(give(frame, 2) for frame in others))
    assert found == ({(1, 2): [*frames]} if frames else {})


def test_people_whose_ways_cross_are_two() -> None:
    across = [
        give(frame, 2, STANDING + np.array([10 * (12 - frame), 0])) for frame in (3, 10, 12, 24)
    ]
    assert find_doubled(*WALK, *across) == {}


@pytest.mark.parametrize(('aside', 'number'), [(0, 1), (40, 0)])
def test_three_joints_are_enough_where_there_are_no_more(aside: float, number: int) -> None:
    labels = [
        PersonLabel(0, STANDING[:3] + np.array([i * aside, 0]), np.full(3, 2), track_id=i)
        for i in (1, 2)
    ]
    assert len(find_doubled(*labels)) == number


def test_the_size_is_that_of_the_labelled_joints() -> None:
    # 4 pixels aside: a tenth of those who are 40 high.
    assert find_doubled(give_beside(0, 1, size=0.4), give_beside(0, 2, 4, size=0.4)) == {}


def test_each_kind_is_said_in_a_sentence() -> None:
    far = STANDING + np.array([300, 0])
    tracks = tracks_of(
        *(give(0, 1), give(7, 1, MIRRORED), give(14, 1)),
        *(give(0, 2, BESIDE), give(7, 2, far), give(14, 2, BESIDE)),
        *(give(0, 3, far), give(7, 3, BESIDE), give(14, 3, far)),
        *(give(0, 4), give(28, 4)),
    )
    warnings = label_warnings(tracks, Skeleton(SKELETON.keypoint_names, (), 'rat'), (500, 200))
    assert [warning.text for warning in warnings] == [
        'left and right of rat 1 in frame 7 seem to be swapped, judging by the labels before and '
        'after: check them before you go on',
        'rat 2 and rat 3 in frame 7 seem to be swapped, judging by the labels before and after: '
        'check them before you go on',
        'rat 1 and rat 4 in frame 0 lie on each other, as if one rat were labelled twice: if so, '
        'remove one of the two labels or, if one track continues the other (overlapping jobs of '
        'CVAT), give both the same number, otherwise they are propagated as separate tracks',
    ]
    assert [list(warning.places) for warning in warnings] == [
        [('rat 1 in frame 7', 7, 1)],
        [('rat 2 and rat 3 in frame 7', 7, 2)],
        [('rat 1 and rat 4 in frame 0', 0, 1)],
    ]


def test_whose_label_it_may_be_is_said_in_a_sentence() -> None:
    tracks = tracks_of(
        *(give(0, 1), give(14, 1)), *(give(0, 2, BESIDE), give(7, 2), give(14, 2, BESIDE))
    )
    assert label_warnings(tracks, SKELETON, (500, 200)) == [
        (
            'person 2 in frame 7 may be person 1, judging by the labels before and after: check '
            'them before you go on',
            [('person 2 in frame 7', 7, 2)],
        )
    ]


def test_each_place_that_a_sentence_names_is_given() -> None:
    twice = [give(frame, person) for frame in (7, 14) for person in (1, 2)]
    outside = [give(0, person, STANDING + 500 * (person + 1)) for person in range(3, 10)]
    warnings = label_warnings(tracks_of(*twice, *outside), SKELETON, (300, 200))
    assert [[place[1:] for place in warning.places] for warning in warnings] == [
        [(0, 3)] * 5,
        [(7, 1)],
    ]
    assert all(place.words in warning.text for warning in warnings for place in warning.places)


def test_names_with_braces_are_told_as_they_are() -> None:
    skeleton = Skeleton(('tip{0}', *SKELETON.keypoint_names[1:]), (), 'rat {x}')
    tracks = tracks_of(give(0, 1, STANDING - [45, 0], '20000'), give(7, 2), give(7, 3))
    texts = [warning.text for warning in label_warnings(tracks, skeleton, (40, 200))]
    assert 'tip{0} of rat {x} 2 in frame 7' in texts[0]
    assert 'as if one rat {x} were labelled twice' in texts[-1]
