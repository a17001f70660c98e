"""The articulated body: bones keep their length, joints bend the right way and within limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.datasets.synthetic.body import (
    ANGLE_INDEX,
    ANGLES,
    LIMITS_DEGREES,
    BodyShape,
    PosedBody,
    limit_angles,
    pose_body,
)
from stdpose_mm.datasets.synthetic.motion import sample_movement

seeds = st.integers(0, 2**32 - 1)

# Pairs of points whose 3-D distance does not change with the pose.
BONES = (
    ('pelvis', 'spine'),
    ('spine', 'head_bottom'),
    ('head_bottom', 'head'),
    ('head', 'head_top'),
    ('head', 'nose'),
    *(
        (f'{side}_{a}', f'{side}_{b}')
        for side in ('left', 'right')
        for a, b in (
            ('shoulder', 'elbow'),
            ('elbow', 'wrist'),
            ('wrist', 'fingers'),
            ('hip', 'knee'),
            ('knee', 'ankle'),
            ('ankle', 'heel'),
            ('ankle', 'toes'),
        )
    ),
    ('left_hip', 'right_hip'),
)


def posed(**degrees: float) -> PosedBody:
    """An average body with the given joint angles, all others zero."""
    angles = np.zeros((1, len(ANGLES)))
    for name, value in degrees.items():
        angles[0, ANGLE_INDEX[name]] = np.radians(value)
    return pose_body(BodyShape.sample(np.random.default_rng(0)), angles)


def step(body: PosedBody, start: str, end: str) -> np.ndarray:
    """Unit vector from one point to another."""
    vector = (body.point(end) - body.point(start))[0]
    return vector / np.linalg.norm(vector)


def inner_angle(body: PosedBody, first: str, joint: str, last: str) -> np.ndarray:
    """[N] degrees by which the bones at a joint deviate from a straight line."""
    upper = body.point(joint) - body.point(first)
    lower = body.point(last) - body.point(joint)
    cosine = (upper * lower).sum(-1) / np.linalg.norm(upper, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine / np.linalg.norm(lower, axis=-1), -1, 1)))


@given(seeds)
def test_bones_keep_their_length_while_moving(seed):
    rng = np.random.default_rng(seed)
    shape = BodyShape.sample(rng)
    times = np.linspace(0, 2, 40)
    body = pose_body(shape, sample_movement(rng, times, 2.0).angles)
    for first, second in BONES:
        length = np.linalg.norm(body.point(first) - body.point(second), axis=1)
        np.testing.assert_allclose(length, length[0], rtol=1e-9, err_msg=f'{first}-{second}')


@given(seeds)
def test_elbows_and_knees_stay_within_anatomic_limits(seed):
    rng = np.random.default_rng(seed)
    times = np.linspace(0, 2, 40)
    body = pose_body(BodyShape.sample(rng), sample_movement(rng, times, 2.0).angles)
    for side in ('left', 'right'):
        elbow = inner_angle(body, f'{side}_shoulder', f'{side}_elbow', f'{side}_wrist')
        knee = inner_angle(body, f'{side}_hip', f'{side}_knee', f'{side}_ankle')
        assert elbow.min() >= 2 - 1e-6
        assert elbow.max() <= 145 + 1e-6
        assert knee.min() >= 2 - 1e-6
        assert knee.max() <= 140 + 1e-6


@given(st.lists(st.floats(-20, 20), min_size=len(ANGLES), max_size=len(ANGLES)))
def test_limited_angles_lie_in_their_range(values):
    degrees = np.degrees(limit_angles(np.array(values)))
    for name, value in zip(ANGLES, degrees, strict=True):
        low, high = LIMITS_DEGREES[name]
        assert low - 1e-9 <= value <= high + 1e-9, name


def test_angles_well_within_the_range_are_left_alone():
    angles = np.zeros(len(ANGLES))
    angles[ANGLE_INDEX['left_knee']] = np.radians(71)
    limited = np.degrees(limit_angles(angles))
    assert limited[ANGLE_INDEX['left_knee']] == pytest.approx(71, abs=0.01)


@pytest.mark.parametrize(
    ('pose', 'start', 'end', 'direction'),
    [
        ({}, 'left_shoulder', 'left_wrist', (0, -1, 0)),
        ({}, 'right_hip', 'right_ankle', (0, -1, 0)),
        ({'left_knee': 90}, 'left_knee', 'left_ankle', (0, 0, -1)),
        ({'right_elbow': 90}, 'right_elbow', 'right_wrist', (0, 0, 1)),
        ({'left_shoulder_abduct': 90}, 'left_shoulder', 'left_wrist', (1, 0, 0)),
        ({'right_shoulder_abduct': 90}, 'right_shoulder', 'right_wrist', (-1, 0, 0)),
    ],
)
def test_limbs_hang_down_and_bend_the_right_way(pose, start, end, direction):
    np.testing.assert_allclose(step(posed(**pose), start, end), direction, atol=1e-9)


def test_left_is_at_positive_x_and_the_nose_points_forward():
    body = posed()
    assert body.point('left_shoulder')[0, 0] > 0 > body.point('right_shoulder')[0, 0]
    assert body.point('nose')[0, 2] > body.point('head')[0, 2]


def test_a_quarter_turn_makes_the_person_face_positive_x():
    body = posed(turn=90)
    assert body.point('nose')[0, 0] > body.point('head')[0, 0] + 0.05


def test_lowest_foot_stands_near_the_ground():
    body = posed(left_hip_flex=60, left_knee=90)
    feet = [body.point(f'{s}_{p}')[0, 1] for s in ('left', 'right') for p in ('heel', 'toes')]
    assert abs(min(feet)) < 0.06
