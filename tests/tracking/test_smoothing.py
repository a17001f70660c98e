from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.tracking.smoothing import (
    SMOOTHERS,
    OneEuro,
    SavitzkyGolay,
    TrackedPoses,
    build_smoother,
    smooth_tracks,
)


def poses(points, usable=None, size=100.0, first=0, track=0):
    """One person's poses [T, K, 2], a frame each."""
    points = np.asarray(points, float)
    usable = np.ones(points.shape[:2], bool) if usable is None else np.asarray(usable)
    return [
        TrackedPoses(
            first + t, np.array([track]), points[t, None], usable[t, None], np.array([size])
        )
        for t in range(len(points))
    ]


def run(smoother, frames):
    """[T, K, 2] of the only person."""
    return np.stack([smoothed[0] for smoothed in smoother(frames)])


@pytest.fixture(params=SMOOTHERS)
def smoother(request):
    return build_smoother(request.param, fps=25.0)


def test_what_rests_stays(smoother):
    points = np.tile([[[3.5, -2.0], [7.0, 1.0]]], (12, 1, 1))
    np.testing.assert_allclose(run(smoother, poses(points)), points, atol=1e-12)


def test_noise_becomes_less(smoother):
    rng = np.random.default_rng(0)
    points = 50 + rng.normal(0, 1, (200, 3, 2))
    smoothed = run(smoother, poses(points))
    assert smoothed.std(axis=0).max() < 0.8 * points.std(axis=0).min()
    jitter = np.abs(np.diff(points, n=2, axis=0)).mean()
    assert np.abs(np.diff(smoothed, n=2, axis=0)).mean() < 0.5 * jitter


@given(
    st.sampled_from([(5, 2), (7, 2), (9, 3), (3, 1), (5, 0)]),
    st.integers(9, 30),
    st.integers(0, 2**32 - 1),
)
def test_savitzky_golay_is_scipys(shape, length, seed):
    points = np.random.default_rng(seed).normal(0, 10, (length, 2, 2))
    smoothed = run(SavitzkyGolay(*shape), poses(points))
    np.testing.assert_allclose(smoothed, savgol_filter(points, *shape, axis=0), atol=1e-9)


@given(st.integers(1, 20), st.floats(-5, 5), st.floats(-0.5, 0.5))
def test_savitzky_golay_keeps_curves_of_its_order(length, speed, acceleration):
    t = np.arange(length)[:, None, None]
    points = 10 + speed * t + acceleration * t**2 + np.zeros((length, 1, 2))
    np.testing.assert_allclose(
        run(SavitzkyGolay(7, 2), poses(points)), points, rtol=1e-9, atol=1e-7
    )


def one_euro_by_hand(values, rates, min_cutoff, beta, size, speed_cutoff=1.0):
    """The published algorithm for one number, and the frame rate before each but the first one.

    Casiez et al., CHI 2012.
    """

    def alpha(cutoff):
        tau = 1 / (2 * np.pi * cutoff)
        return 1 / (1 + tau * fps)

    filtered, speed = [values[0]], 0.0
    for value, fps in zip(values[1:], rates, strict=True):
        raw = (value - filtered[-1]) * fps
        speed = alpha(speed_cutoff) * raw + (1 - alpha(speed_cutoff)) * speed
        share = alpha(min_cutoff + beta * abs(speed) / size)
        filtered.append(share * value + (1 - share) * filtered[-1])
    return filtered


@pytest.mark.parametrize('is_steady', [True, False])
def test_one_euro_is_the_published_one_and_goes_by_the_times_of_frames(is_steady):
    values = np.cumsum(np.random.default_rng(1).normal(0, 3, 40))
    points = np.zeros((40, 1, 2))
    points[:, 0, 0] = values
    seconds = np.random.default_rng(5).uniform(0.01, 0.2, 40).cumsum()
    time_of = None if is_steady else lambda n: seconds[n]
    smoothed = run(OneEuro(24.0, 1.5, 4.0, time_of=time_of), poses(points, size=80.0))
    rates = [24.0] * 39 if is_steady else 1 / np.diff(seconds)
    np.testing.assert_allclose(smoothed[:, 0, 0], one_euro_by_hand(values, rates, 1.5, 4.0, 80.0))
    np.testing.assert_array_equal(smoothed[:, 0, 1], 0)


def test_one_euro_lags_less_the_faster_a_joint_is():
    def lag(speed):
        points = np.zeros((150, 1, 2))
        points[:, 0, 0] = speed * np.arange(150)
        return (points - run(OneEuro(30.0), poses(points)))[-1, 0, 0] / speed

    # At rest the time constant is 30 / (2 pi) = 4.8 frames; 3 sizes a second add 30 Hz to 1 Hz:
    # 30 / (2 pi 31) = 0.15 frames.
    assert 4.0 < lag(0.001) < 4.8
    assert lag(10.0) == pytest.approx(0.15, abs=0.02)
    assert lag(0.001) > lag(1.0) > lag(10.0)


def test_one_euro_sees_no_future_and_size_is_its_unit():
    points = np.random.default_rng(2).normal(0, 5, (20, 2, 2)).cumsum(axis=0)
    whole = run(OneEuro(), poses(points))
    np.testing.assert_array_equal(run(OneEuro(), poses(points[:9])), whole[:9])
    larger = run(OneEuro(), poses(10 * points, size=1000.0))
    np.testing.assert_allclose(larger, 10 * whole)


def test_filters_turn_with_the_picture(smoother):
    points = np.random.default_rng(3).normal(0, 5, (20, 2, 2)).cumsum(axis=0)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(
        run(smoother, poses(points @ turn)), run(smoother, poses(points)) @ turn, atol=1e-9
    )


def test_nothing_reaches_across_a_gap(smoother):
    before, after = np.zeros((6, 1, 2)), np.full((6, 1, 2), 100.0)
    for frames in (
        # A frame that is not there, and one in which the person is not.
        [*poses(before), *poses(after, first=7)],
        [*poses(before), *poses(after[:1], first=6, track=5), *poses(after, first=7)],
    ):
        smoothed = np.concatenate(list(smoother(frames)))
        expected = np.concatenate([frame.keypoints for frame in frames])
        np.testing.assert_allclose(smoothed, expected, atol=1e-9)


def test_unusable_joints_stay_and_disturb_nobody(smoother):
    points = np.full((15, 2, 2), 10.0)
    points[7, 0] = 500
    usable = np.ones((15, 2), bool)
    usable[7, 0] = False
    np.testing.assert_allclose(run(smoother, poses(points, usable)), points, atol=1e-9)


def test_people_are_told_apart_by_their_ids_alone(smoother):
    both = np.random.default_rng(4).normal(0, 5, (2, 12, 3, 2))
    expected = np.stack([run(smoother, poses(points)) for points in both])
    orders = [[0, 1] if t % 2 else [1, 0] for t in range(12)]
    usable, sizes = np.ones((2, 3), bool), np.array([100.0, 100.0])
    together = [
        TrackedPoses(t, np.array([4, 9])[order], both[order, t], usable, sizes)
        for t, order in enumerate(orders)
    ]
    for t, smoothed in enumerate(smoother(together)):
        np.testing.assert_allclose(smoothed, expected[orders[t], t], atol=1e-9)


def test_empty_frames_pass(smoother):
    nobody = TrackedPoses(
        0, np.zeros(0, int), np.zeros((0, 3, 2)), np.zeros((0, 3), bool), np.zeros(0)
    )
    frames = [nobody, replace(nobody, frame_index=1), *poses(np.ones((1, 3, 2)), first=2)]
    assert [len(smoothed) for smoothed in smoother(frames)] == [0, 0, 1]
    assert list(smoother([])) == []


@pytest.mark.parametrize('score', [0.19, 0.2])
def test_a_filter_that_finds_no_joint_to_smooth_says_so(recwarn, smoother, score):
    points = 10.0 + np.arange(6)[:, None, None] % 2 * [1, 0]
    frames = poses(points, np.full((6, 1), score >= 0.2))
    smoothed = np.concatenate([*smooth_tracks(frames, smoother, 0.2)])
    assert (smoothed != points).any() == (score == 0.2)
    sentences = [str(one.message) for one in recwarn if one.category is InputWarning]
    assert len(sentences) == (score < 0.2)
    said = f'smoothing by {smoother} changed nothing: all joints of 6 poses score less than 0.2'
    assert all(sentence.startswith(said) for sentence in sentences)


def test_nobody_to_smooth_is_no_reason_to_warn(recwarn, smoother):
    assert list(smooth_tracks([], smoother, 0.2)) == []
    assert not recwarn.list


def test_an_unknown_filter_is_refused():
    with pytest.raises(InputError, match="one of one-euro, savitzky-golay, got 'median'"):
        build_smoother('median')


def test_the_name_says_the_settings():
    assert str(SavitzkyGolay(5, 1)) == 'savitzky-golay (window 5 frames, order 1)'
    assert str(OneEuro(25)) == 'one-euro (min_cutoff 1 Hz, beta 10, 25 frames/s)'
    assert '30 frames/s' in str(build_smoother('one-euro', None))
