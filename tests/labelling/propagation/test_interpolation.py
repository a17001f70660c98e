from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from stdpose_mm.labelling.propagation import propagate_frames, propagate_labels
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator, SplinePropagator


@pytest.fixture(scope='session')
def propagated(video, blank):
    def run(persons, num_frames, propagator_class=LinearPropagator):
        dense = propagate_labels(blank(num_frames), video(persons, num_frames), propagator_class())
        return {person.frame_index: person for person in dense.persons}

    return run


def test_joints_lie_on_the_line_between_two_labels(propagated, label):
    poses = propagated(
        [label(0, [[0, 0], [10, 0], [0, 8]]), label(4, [[8, 4], [10, 0], [0, 0]])], 5
    )
    np.testing.assert_allclose(poses[1].keypoints, [[2, 1], [10, 0], [0, 6]])
    np.testing.assert_allclose(poses[3].keypoints, [[6, 3], [10, 0], [0, 2]])


@pytest.mark.parametrize('propagator_class', [LinearPropagator, SplinePropagator])
def test_pose_stands_still_beyond_the_first_and_last_label(propagated, label, propagator_class):
    persons = [label(2, [[1, 1], [2, 2], [3, 3]]), label(4, [[5, 5], [6, 6], [7, 7]])]
    poses = propagated(persons, 7, propagator_class)
    np.testing.assert_array_equal(poses[0].keypoints, [[1, 1], [2, 2], [3, 3]])
    np.testing.assert_array_equal(poses[6].keypoints, [[5, 5], [6, 6], [7, 7]])


def test_a_joint_missing_in_one_label_is_interpolated_between_its_own_labels(propagated, label):
    poses = propagated(
        [
            label(0, [[0, 0], [0, 0], [1, 1]]),
            label(2, [[2, 0], [0, 0], [0, 0]], [2, 2, 0]),
            label(4, [[8, 0], [0, 0], [9, 5]]),
        ],
        5,
    )
    np.testing.assert_allclose(poses[1].keypoints, [[1, 0], [0, 0], [3, 2]])
    np.testing.assert_allclose(poses[3].keypoints, [[5, 0], [0, 0], [7, 4]])


def test_a_joint_that_is_never_labelled_stays_not_labelled(propagated, label):
    poses = propagated([label(0, [[3, 3], [4, 4], [0, 0]], [2, 2, 0])], 2)
    assert poses[1].visibility.tolist() == [2, 2, 0]
    assert poses[1].scores[2] == 0


def test_visibility_is_that_of_the_nearest_label(propagated, label):
    still = [[1, 1], [2, 2], [3, 3]]
    poses = propagated([label(0, still, [1, 2, 2]), label(5, still, [2, 2, 1])], 6)
    assert poses[2].visibility.tolist() == [1, 2, 2]
    assert poses[3].visibility.tolist() == [2, 2, 1]


def test_score_halves_with_every_seven_frames(propagated, label):
    poses = propagated([label(0, [[1, 1], [2, 2], [3, 3]])], 15)
    np.testing.assert_allclose(poses[7].scores, 0.5)
    np.testing.assert_allclose(poses[14].scores, 0.25)


def test_a_joint_that_turns_at_a_label_slows_down_there(propagated, label):
    """Slopes by hand: 0 at the turn (frame 4), 4 and -4 at the ends (parabola, capped by no rule).

    Between frames 0 and 4 the cubic with values 0, 8 and slopes 4, 0 is 8 - (t - 4)^2 / 2.
    """
    poses = propagated(
        [label(frame, [[0, y], [y, 0], [5, 5]]) for frame, y in ((0, 0), (4, 8), (8, 0))],
        9,
        SplinePropagator,
    )
    np.testing.assert_allclose(poses[2].keypoints, [[0, 6], [6, 0], [5, 5]])
    np.testing.assert_allclose(poses[5].keypoints, [[0, 7.5], [7.5, 0], [5, 5]])


def test_a_curve_of_a_joint_missing_in_one_label_passes_its_own_labels(propagated, label):
    poses = propagated(
        [
            label(0, [[0, 0], [0, 0], [1, 0]]),
            label(2, [[2, 0], [0, 0], [0, 0]], [2, 2, 0]),
            label(4, [[9, 0], [0, 0], [5, 0]]),
            label(6, [[9, 0], [0, 0], [9, 0]]),
        ],
        7,
        SplinePropagator,
    )
    expected = PchipInterpolator([0, 4, 6], [1, 5, 9])
    for frame in (1, 3, 5):
        assert poses[frame].keypoints[2, 0] == pytest.approx(expected(frame))


@given(
    frames=st.lists(st.integers(0, 40), min_size=2, max_size=8, unique=True).map(sorted),
    seed=st.integers(0, 10**6),
)
def test_is_the_curve_through_all_labels_and_overshoots_none(propagated, label, frames, seed):
    places = np.random.default_rng(seed).uniform(0, 100, (len(frames), 3, 2))
    persons = [label(frame, pose) for frame, pose in zip(frames, places, strict=True)]
    poses = propagated(persons, 41, SplinePropagator)
    curve = PchipInterpolator(frames, places)
    for frame in range(frames[0], frames[-1] + 1):
        np.testing.assert_allclose(poses[frame].keypoints, curve(frame), atol=1e-9)
        after = np.searchsorted(frames, frame).clip(1)
        ends = places[after - 1], places[after]
        assert (poses[frame].keypoints >= np.minimum(*ends) - 1e-9).all()
        assert (poses[frame].keypoints <= np.maximum(*ends) + 1e-9).all()


@pytest.mark.parametrize(
    ('propagator_class', 'redone'), [(LinearPropagator, [5, 7]), (SplinePropagator, [3, 5, 7, 9])]
)
def test_a_correction_redoes_the_gaps_whose_curve_it_bends(
    propagator_class, redone, label, skeleton, blank
):
    """Labels on frames 0, 2, ..., 12; the one on frame 6 is corrected."""
    asked = []

    class Watched(propagator_class):
        def propagate(self, frames, gaps, skeleton):
            asked.extend(gap.frames[0] for gap in gaps)
            return super().propagate(frames, gaps, skeleton)

    tracks = {0: {f: label(f, np.full((3, 2), f), bbox=[0, 0, 20, 20]) for f in range(0, 14, 2)}}
    cache = {}

    def run():
        list(propagate_frames(blank(13), tracks, skeleton, Watched(), cache))

    run()
    asked.clear()
    tracks[0][6] = label(6, np.full((3, 2), 7.0), bbox=[0, 0, 20, 20])
    run()
    assert asked == redone
