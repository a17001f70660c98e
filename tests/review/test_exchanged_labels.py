"""Labels in which sides or people are exchanged are found by their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.review import (
    ExchangedLabels,
    find_exchanged_labels,
    summarize_labels,
    word_exchanged,
    word_summary,
)
from stdpose_mm.structures import PersonLabel, Skeleton
from support.label_samples import tracks_of

SKELETON = Skeleton(('head', 'left_hip', 'right_hip', 'left_foot', 'right_foot'))
STANDING = np.array([[50, 10], [60, 50], [40, 50], [62, 90], [38, 90]], float)
MIRRORED = STANDING[[0, 2, 1, 4, 3]]
SPEED = np.array([1.0, 0.5])


def give(
    frame: int, track_id: int = 1, pose: np.ndarray = STANDING, visible: str = '22222'
) -> PersonLabel:
    """A label of somebody who walks to the lower right."""
    visibility = np.array([*visible], int)
    return PersonLabel(frame, pose + frame * SPEED, visibility, track_id=track_id)


def find(*labels: PersonLabel) -> list[ExchangedLabels]:
    return find_exchanged_labels(tracks_of(*labels), SKELETON)


def test_the_one_label_whose_sides_are_exchanged_is_found() -> None:
    labels = [give(0), give(7), give(14, pose=MIRRORED), give(20), give(28)]
    assert find(*labels) == [ExchangedLabels(14, (1,))]


def test_labels_that_fit_their_neighbours_are_none() -> None:
    assert find(*(give(frame) for frame in (0, 7, 14, 21))) == []
    # Who turns round stays turned.
    turned = [give(frame, pose=MIRRORED) for frame in (14, 21, 28)]
    assert find(give(0), give(7), *turned) == []


@pytest.mark.parametrize('visible', ['22200', '20202', '20000'])
def test_less_than_two_pairs_of_joints_tell_nothing(visible: str) -> None:
    assert find(give(0), give(7, pose=MIRRORED, visible=visible), give(14)) == []


def test_two_people_whose_numbers_are_exchanged_in_one_label_are_found() -> None:
    beside = STANDING + np.array([80, 0])
    labels = [give(frame, 2, beside) for frame in (0, 14)]
    labels += [give(frame, 5) for frame in (0, 14)]
    assert find(*labels, give(7, 5, beside), give(7, 2)) == [ExchangedLabels(7, (2, 5))]
    assert find(*labels, give(7, 2, beside), give(7, 5)) == []


@pytest.mark.parametrize(('visible', 'number'), [('22220', 1), ('22200', 0)])
def test_people_are_compared_by_four_joints_or_more(visible: str, number: int) -> None:
    beside = STANDING + np.array([80, 0])
    labels = [give(frame, 2, beside) for frame in (0, 14)]
    labels += [give(frame, 5) for frame in (0, 14)]
    exchanged = [give(7, 5, beside, visible), give(7, 2, visible=visible)]
    assert len(find(*labels, *exchanged)) == number


def test_a_right_label_just_before_or_after_an_exchanged_one_is_not_named() -> None:
    # The line to the exchanged label is almost there, and has left and right exchanged as well.
    labels = [give(0), give(13), give(14, pose=MIRRORED), give(15), give(28)]
    assert find(*labels) == [ExchangedLabels(14, (1,))]


def test_absence_next_to_a_label_tells_nothing() -> None:
    gone = give(14, visible='00000')
    assert find(give(0), give(7, pose=MIRRORED), gone, give(21)) == []


def test_it_is_said_before_poses_are_computed() -> None:
    tracks = tracks_of(give(0), give(7, pose=MIRRORED), give(14))
    text = word_summary(summarize_labels(tracks, SKELETON, 15, (200, 200)))
    assert (
        'note: left and right of person 1 in frame 7 seem to be exchanged, by the labels before '
        'and after: look at them before you go on'
    ) in text.splitlines()


def test_two_people_are_said_in_one_sentence() -> None:
    (sentence,) = word_exchanged([ExchangedLabels(7, (2, 5))], 'rat')
    assert sentence.startswith('rat 2 and rat 5 in frame 7 seem to be exchanged')
