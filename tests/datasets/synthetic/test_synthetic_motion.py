"""Trajectories are smooth and belong to the seed, not to the times they are sampled at."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.datasets.synthetic.body import ANGLE_INDEX, ANGLES, BodyShape, pose_body
from stdpose_mm.datasets.synthetic.motion import ACTIONS, FRAMES_PER_SECOND, Action, sample_movement


def action(**fields) -> Action:
    still = {'tempo': 1.0, 'travel': 0.0, 'hop': 0.0, 'flights': 1, 'waves': []}
    return Action(**{**still, 'mean': np.zeros(len(ANGLES)), **fields})


def test_action_is_a_fourier_series_of_its_tempo():
    knee = ANGLE_INDEX['left_knee']
    waves = [(knee, 1, 10, 0.25), (knee, 2, 4, 0.0)]
    moving = action(tempo=2.0, waves=waves).angles(np.array([0.0, 0.125, 0.25]))
    # 10 cos(2 pi 2 t) + 4 sin(2 pi 4 t) at t = 0, 1/8, 1/4 s.
    assert np.degrees(moving[:, knee]) == pytest.approx([10, 0, -10])


def test_right_side_lags_in_a_walk():
    waves = {
        i: phase for i, order, _, phase in Action.sample(np.random.default_rng(0), 'walk').waves
    }
    left, right = (waves[ANGLE_INDEX[f'{side}_hip_flex']] for side in ('left', 'right'))
    assert right - left == pytest.approx(0.5, abs=0.2)


def test_hop_never_goes_below_the_ground():
    heights = action(hop=0.3).height(np.linspace(0, 1, 101))
    assert heights.min() == 0
    assert heights.max() == pytest.approx(0.3)


@pytest.mark.parametrize('name', ACTIONS)
def test_every_action_moves_joints(name):
    angles = Action.sample(np.random.default_rng(0), name).angles(np.linspace(0, 2, 60))
    assert np.ptp(np.degrees(angles), axis=0).max() > 20


@pytest.mark.parametrize('seed', range(4))
def test_no_joint_jumps(seed):
    rng = np.random.default_rng(seed)
    fine = 20
    times = np.arange(30 * fine) / FRAMES_PER_SECOND / fine
    movement = sample_movement(rng, times, 30 / FRAMES_PER_SECOND)
    body = pose_body(BodyShape.sample(rng), movement.angles)
    speed = np.linalg.norm(np.diff(body.points, axis=0), axis=2) * FRAMES_PER_SECOND * fine
    # A jump would be a speed that grows with the sampling rate; 20 m/s is a professional's throw.
    assert speed.max() < 20
    travel = np.linalg.norm(np.diff(movement.ground, axis=0), axis=1) * FRAMES_PER_SECOND * fine
    assert travel.max() < 4


def test_trajectory_does_not_depend_on_where_it_is_sampled():
    coarse, fine = np.linspace(0, 2, 21), np.linspace(0, 2, 201)
    first = sample_movement(np.random.default_rng(5), coarse, 2.0)
    second = sample_movement(np.random.default_rng(5), fine, 2.0)
    np.testing.assert_allclose(first.angles, second.angles[::10], atol=1e-12)
