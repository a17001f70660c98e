from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.labelling.review import (
    HiddenLabel,
    LabelAccuracy,
    Outlook,
    choose_hidden_labels,
    compare_hidden_labels,
    recalibrate,
    remaining_labels,
)
from stdpose_mm.structures import PersonLabel
from support.scored_videos import PAIR, POSE, given_at, scored_track, scored_video


def measured(
    right: int, wrong: int, score: float = 0.8, label: HiddenLabel | None = None
) -> LabelAccuracy:
    number = right + wrong
    errors = np.array([0.1] * right + [0.101] * wrong)
    label = label or HiddenLabel(0, 7, 14, 21)
    return LabelAccuracy([label], np.array(['nose'] * number), errors, np.full(number, score))


def tracks_of(*frames: int) -> dict[int, dict[int, PersonLabel]]:
    return dict(given_at(dict.fromkeys(frames, 0.0), 2000).tracks())


def places(hidden: list[list[HiddenLabel]]) -> list[list[tuple[int, int, int, int]]]:
    return [
        [(label.track_id, label.before, label.frame_index, label.after) for label in labels]
        for labels in hidden
    ]


def test_only_labels_between_two_others_are_hidden() -> None:
    hidden = choose_hidden_labels(tracks_of(3, 10, 20, 50), 100, 'video', 9)
    assert places(hidden) == [[(0, 3, 10, 20)], [(0, 10, 20, 50)]]


def test_people_are_hidden_together_in_a_frame_where_both_can_be() -> None:
    tracks = {4: tracks_of(0, 10, 20)[0], 6: tracks_of(10, 20)[0], 8: tracks_of(0, 10, 25)[0]}
    hidden = choose_hidden_labels(tracks, 30, 'video', 9)
    assert places(hidden) == [[(4, 0, 10, 20), (8, 0, 10, 25)]]


def test_nothing_is_hidden_across_an_absence() -> None:
    tracks = tracks_of(0, 10, 20, 30)
    tracks[0][15] = PersonLabel(15, POSE, np.zeros(2), 0)
    tracks[0] = dict(sorted(tracks[0].items()))
    assert not choose_hidden_labels(tracks, 40, 'video', 9)


def test_labels_of_few_joints_are_not_hidden() -> None:
    """Of three joints, two are enough: frame 20 leaves one to propagation, frame 10 two."""
    joints = np.array([[0.0, 0.0], [100.0, 0.0], [50.0, 80.0]])

    def label(frame: int, number: int) -> PersonLabel:
        is_given = np.arange(3) < number
        sources = np.where(is_given, 'given', 'propagated')
        return PersonLabel(frame, joints, 2 * is_given, 0, keypoint_sources=sources)

    track = {0: label(0, 3), 10: label(10, 1), 20: label(20, 2), 30: label(30, 0)}
    hidden = choose_hidden_labels({0: {**track, 40: label(40, 3)}}, 50, 'video', 9)
    assert places(hidden) == [[(0, 10, 20, 30)]]


def chosen_of(frames: list[int], most: int) -> list[int]:
    hidden = choose_hidden_labels(tracks_of(*frames), 2000, 'video', most)
    return [labels[0].frame_index for labels in hidden]


def test_only_usable_labels_are_hidden_and_no_more_are_asked_about_than_needed() -> None:
    asked: list[int] = []

    def is_late(label: HiddenLabel) -> bool:
        asked.append(label.frame_index)
        return label.frame_index >= 30

    frames = range(0, 1000, 10)
    hidden = choose_hidden_labels(tracks_of(*frames), 1000, 'video', 99, is_late)
    assert [labels[0].frame_index for labels in hidden] == [*range(30, 990, 10)]
    asked.clear()
    few = choose_hidden_labels(tracks_of(*frames), 1000, 'video', 4, is_late)
    assert len(few) == 4
    assert all(labels in hidden for labels in few)
    assert 4 <= len(asked) <= 4 + 2


@pytest.mark.parametrize('step', [1, 2, 7, 10, 15, 16])
def test_a_few_frames_are_spread_over_all(step: int) -> None:
    frames = [step * n for n in range(101)]
    found = chosen_of(frames, 10)
    assert len(found) == 10
    assert found == sorted(found)
    # In every quarter there are some of them.
    assert set(np.array(found) // (25 * step)) == {0, 1, 2, 3}
    assert not chosen_of(frames, 0)


def test_a_further_label_changes_one_of_the_frames_at_most() -> None:
    frames = list(range(0, 700, 7))
    before = {*chosen_of(frames, 10)}
    changes = [len(before - {*chosen_of(sorted([*frames, n]), 10)}) for n in range(1, 690, 7)]
    assert max(changes) == 1


def test_hiding_leaves_the_given_labels_alone() -> None:
    tracks = tracks_of(0, 9, 18)
    left = remaining_labels(tracks, [HiddenLabel(0, 0, 9, 18)])
    assert list(left[0]) == [0, 18]
    assert list(tracks[0]) == [0, 9, 18]


def test_errors_are_in_sizes_of_the_hidden_pose() -> None:
    """The mouse is 100 px long: 10 px are right, 20 px are wrong."""
    tracks = tracks_of(0, 10, 20)
    found = PersonLabel(
        10,
        POSE + np.array([[0.0, 10.0], [20.0, 0.0]]),
        np.array([2, 2]),
        0,
        scores=np.array([0.75, 0.5]),
        source='propagated',
    )
    result = compare_hidden_labels([HiddenLabel(0, 0, 10, 20)], tracks, [found], PAIR, 'auto')
    assert result.joints.tolist() == ['tail', 'nose']
    np.testing.assert_allclose(result.errors, [0.1, 0.2])
    assert result.right.tolist() == [True, False]
    assert result.scores.tolist() == [0.75, 0.5]


def test_joints_that_are_not_propagated_do_not_count() -> None:
    tracks = tracks_of(0, 10, 20)
    found = PersonLabel(
        10, POSE, np.array([2, 0]), 0, scores=np.array([0.75, 0.5]), source='propagated'
    )
    result = compare_hidden_labels([HiddenLabel(0, 0, 10, 20)], tracks, [found], PAIR, 'auto')
    assert result.joints.tolist() == ['tail']


def test_scores_of_a_method_without_pictures_come_from_the_other_labels() -> None:
    """A mouse that stands still between the others is expected right, whatever its score says."""
    tracks = tracks_of(0, 10, 20)
    found = PersonLabel(
        10, POSE, np.array([2, 2]), 0, scores=np.array([0.2, 0.2]), source='propagated'
    )
    hidden = [HiddenLabel(0, 0, 10, 20)]
    still = compare_hidden_labels(hidden, tracks, [found], PAIR, 'linear').scores
    assert (still > 0.9).all()
    far = dict(given_at({0: 0.0, 10: 150.0, 20: 300.0}, 100).tracks())
    assert (compare_hidden_labels(hidden, far, [found], PAIR, 'linear').scores < still).all()


def test_labels_of_which_no_joint_could_be_filled_in_count_for_nothing() -> None:
    nothing = measured(0, 0)
    assert LabelAccuracy.join([nothing]) is None
    joined = LabelAccuracy.join([nothing, measured(3, 1, label=HiddenLabel(1, 0, 5, 9))])
    assert joined is not None
    assert [label.track_id for label in joined.labels] == [1]
    assert len(joined.errors) == 4


@pytest.mark.parametrize(('right', 'wrong'), [(3, 1), (40, 0), (0, 5)])
def test_the_interval_holds_the_share_and_is_mirrored_for_errors(right: int, wrong: int) -> None:
    low, high = measured(right, wrong).interval_95
    assert low - 0.05 < right / (right + wrong) < high + 0.05
    assert measured(wrong, right).interval_95 == pytest.approx((1 - high, 1 - low))


def test_the_interval_of_many_joints_is_that_of_half_as_many_independent_ones() -> None:
    low, high = measured(9000, 1000).interval_95
    half = 1.96 * np.sqrt(0.9 * 0.1 / (0.5 * 10_000))
    assert (low, high) == pytest.approx((0.9 - half, 0.9 + half), abs=5e-4)


def test_the_shift_balances_what_was_measured_and_what_is_usual() -> None:
    """Where the derivative of the log posterior is zero: 0.5 (right - expected) = shift / 0.1."""
    result = measured(5, 15, score=0.8)
    shift = result.calibrator.offset
    expected = 20 / (1 + np.exp(-(np.log(4) + shift)))
    assert 0.5 * (5 - expected) == pytest.approx(shift / 0.1, abs=1e-3)
    assert result.calibrator.slope == 1


def test_many_joints_say_how_it_is() -> None:
    calibrator = measured(6000, 4000, score=0.8).calibrator
    assert calibrator(np.array(0.8)) == pytest.approx(0.6, abs=0.01)


def test_scores_that_hold_what_they_promise_stay() -> None:
    assert measured(80, 20, score=0.8).calibrator.offset == pytest.approx(0, abs=1e-3)


def test_a_calibrator_changes_propagated_joints_alone() -> None:
    labels = scored_video(scored_track([1, (0.8, 0.5), 1]))
    first, between, last = recalibrate(labels, ScoreCalibrator(offset=-np.log(4))).persons
    assert first.scores.tolist() == last.scores.tolist() == [1, 1]
    np.testing.assert_allclose(between.scores, [0.5, 0.2])


def test_the_description_counts_frames_and_names_the_worst_joints() -> None:
    other = HiddenLabel(3, 21, 28, 41)
    parts = [measured(20, 0, 0.9), measured(16, 4, 0.7, other)]
    text = LabelAccuracy.join(parts).describe()
    assert text.startswith('of the labels in 2 frames (14, 28), each hidden and filled in from ')
    # The median of 14 and 20 frames.
    assert 'labels 17 frames apart, 36 of 40 joints came out right: 90.0% [71.6, 97.9]' in text
    assert text.endswith('where 80.0% were expected; most often wrong: nose (4)')
    assert 'most often wrong' not in measured(3, 0).describe()


def measured_in(frames: int, joints: int) -> LabelAccuracy | None:
    """Hide labels in some frames, with so many joints in each."""
    labels = [HiddenLabel(0, n - 1, n, n + 1) for n in range(1, frames + 1)]
    return LabelAccuracy.join(measured(joints, 0, label=label) for label in labels)


FALLING = expit([-3.0, -3.4, -3.9])
"""Share of wrong joints now, and after one and two further labels."""


@pytest.mark.parametrize(
    ('target', 'needed', 'is_enough'),
    [
        # The log odds are 0.3 higher than expected, with a deviation of 0.6 for ten frames. Those
        # of a tenth are -2.20: certain from -3.10 on.
        (0.9, (0, 1), False),
        # Those of a twentieth are -2.94: possible from -2.64 on, and certain from -3.84 on.
        (0.95, (0, 2), False),
        # Those of a fiftieth are -3.89: possible from -3.59 on, and certain after no label.
        (0.98, (2, None), False),
        # Those of an eighth are -1.95: certain from -2.85 on.
        (0.875, (0, 0), True),
    ],
)
def test_enough_is_what_the_lower_bound_reaches(
    target: float, needed: tuple[int, int | None], is_enough: bool
) -> None:
    outlook = Outlook(FALLING, measured_in(10, 4), 12)
    assert outlook.right == pytest.approx(1 - expit([-2.1, -2.7, -3.3]))
    assert outlook.labels_needed(target) == needed
    assert outlook.is_enough(target) is is_enough


@pytest.mark.parametrize(
    ('frames', 'joints', 'num_labels', 'missing'),
    [
        # The first and the last of five labels cannot be hidden.
        (0, 0, 1, 4),
        (0, 0, 5, 0),
        (1, 15, 3, 2),
        # 20 joints are needed, and the next frames will have three, too.
        (3, 3, 5, 4),
        (3, 7, 5, 0),
    ],
)
def test_nothing_is_enough_before_labels_in_three_frames_were_hidden(
    frames: int, joints: int, num_labels: int, missing: int
) -> None:
    outlook = Outlook(np.array([1e-9]), measured_in(frames, joints), num_labels)
    assert outlook.labels_to_measure == missing
    is_known = frames == 3 and not missing
    assert outlook.is_enough(0.9) is is_known
    assert (outlook.right is None) is (outlook.labels_needed(0.9) is None) is not is_known


def test_what_is_given_as_a_whole_needs_no_measurement() -> None:
    outlook = Outlook(np.zeros(1), None, 1, is_complete=True)
    assert outlook.right == (1, 1, 1)
    assert outlook.is_enough(1)
    assert outlook.labels_needed(1) == (0, 0)
