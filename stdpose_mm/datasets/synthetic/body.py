"""The articulated body: proportions, joint angles and their limits, forward kinematics.

Body frame: x towards the person's left, y up, z forward, metres, origin at the pelvis. All angles
are radians and zero in the neutral pose (upright, arms hanging, legs straight).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIDES = ('left', 'right')

_TRUNK_LIMITS = {
    'turn': (-180, 180),
    'lean': (-25, 70),
    'sway': (-20, 20),
    'spine_bend': (-25, 75),
    'spine_side': (-30, 30),
    'spine_twist': (-45, 45),
    'neck_bend': (-35, 45),
    'neck_side': (-30, 30),
    'neck_twist': (-65, 65),
}
_LIMB_LIMITS = {
    'shoulder_flex': (-50, 170),
    'shoulder_abduct': (-15, 165),
    'shoulder_rotate': (-80, 80),
    'elbow': (2, 145),
    'hip_flex': (-25, 115),
    'hip_abduct': (-15, 55),
    'hip_rotate': (-35, 35),
    'knee': (2, 140),
    'ankle': (-25, 35),
}
LIMITS_DEGREES: dict[str, tuple[float, float]] = {
    **_TRUNK_LIMITS,
    **{f'{side}_{name}': limits for side in SIDES for name, limits in _LIMB_LIMITS.items()},
}
"""Anatomical range of every joint angle; elbows and knees never bend backwards."""

ANGLES = tuple(LIMITS_DEGREES)
ANGLE_INDEX = {name: i for i, name in enumerate(ANGLES)}

_ARM = ('shoulder', 'elbow', 'wrist', 'fingers')
_LEG = ('hip', 'knee', 'ankle', 'heel', 'toes')
POINTS = (
    *('pelvis', 'spine', 'head_bottom', 'head', 'head_top', 'nose', 'hair'),
    *(f'{side}_{name}' for side in SIDES for name in (*_ARM, *_LEG)),
)
"""3-D points of a posed body: the labelled joints and further points to draw it."""
POINT_INDEX = {name: i for i, name in enumerate(POINTS)}


@dataclass(frozen=True)
class BodyShape:
    """Lengths of one person's bones and radii of its limbs, in metres."""

    hip_half: float
    shoulder_half: float
    lower_spine: float
    upper_spine: float
    neck: float
    head_half_height: float
    head_half_width: float
    upper_arm: float
    forearm: float
    hand: float
    thigh: float
    shank: float
    foot: float
    girth: float
    """Thickness of trunk and limbs relative to an average adult."""

    @property
    def height(self) -> float:
        """Standing height."""
        head = self.neck + 2 * self.head_half_height
        return self.thigh + self.shank + 0.08 + self.lower_spine + self.upper_spine + head

    @classmethod
    def sample(cls, rng: np.random.Generator) -> BodyShape:
        """Draw a body: adult or child, slim or heavy, with individual proportions."""
        child = rng.random() < 0.15
        size = rng.uniform(0.62, 0.82) if child else rng.uniform(0.9, 1.1)
        head = rng.uniform(0.92, 1.08) * (1.15 if child else 1.0) * size**0.4

        def vary(length: float, spread: float = 0.06) -> float:
            return float(length * size * np.clip(rng.normal(1, spread), 0.85, 1.15))

        return cls(
            hip_half=vary(0.105, 0.08),
            shoulder_half=vary(0.18, 0.08),
            lower_spine=vary(0.26),
            upper_spine=vary(0.25),
            neck=vary(0.1),
            head_half_height=0.118 * head,
            head_half_width=float(0.092 * head * rng.uniform(0.93, 1.07)),
            upper_arm=vary(0.29),
            forearm=vary(0.25),
            hand=vary(0.15),
            thigh=vary(0.43),
            shank=vary(0.42),
            foot=vary(0.19),
            girth=float(size * rng.uniform(0.82, 1.35)),
        )


def limit_angles(angles: np.ndarray) -> np.ndarray:
    """Compress joint angles smoothly into their anatomical range.

    The map is close to the identity well inside the range and never reaches its ends, so smooth
    trajectories stay smooth.

    Args:
        angles: [..., len(ANGLES)] radians.
    """
    low, high = np.radians(np.array([LIMITS_DEGREES[name] for name in ANGLES], dtype=float)).T
    middle, half = (low + high) / 2, (high - low) / 2
    relative = (angles - middle) / half
    return middle + half * relative / (1 + relative**8) ** 0.125


@dataclass(frozen=True)
class PosedBody:
    """A body in N poses.

    Args:
        points: [N, len(POINTS), 3] metres, the lowest foot within 6 cm of y = 0.
        trunk: [N, 3, 3] columns left, up, forward of the chest.
        head: [N, 3, 3] the same for the head.
    """

    points: np.ndarray
    trunk: np.ndarray
    head: np.ndarray

    def point(self, name: str) -> np.ndarray:
        """Return the trajectory [N, 3] of one point."""
        return self.points[:, POINT_INDEX[name]]


def pose_body(shape: BodyShape, angles: np.ndarray) -> PosedBody:
    """Compute the points of a body by forward kinematics.

    Args:
        shape: The body.
        angles: [N, len(ANGLES)] radians, within the anatomical range.
    """
    angle = {name: angles[:, i] for name, i in ANGLE_INDEX.items()}
    num = len(angles)
    points = np.zeros((num, len(POINTS), 3))

    def place(name: str, parent: str, rotation: np.ndarray, offset: Sequence[float]) -> None:
        points[:, POINT_INDEX[name]] = points[:, POINT_INDEX[parent]] + rotation @ np.array(offset)

    root = rotate_y(angle['turn']) @ rotate_z(angle['sway']) @ rotate_x(angle['lean'])
    half_bend = (
        rotate_y(angle['spine_twist'] / 2)
        @ rotate_z(angle['spine_side'] / 2)
        @ rotate_x(angle['spine_bend'] / 2)
    )
    lumbar = root @ half_bend
    chest = lumbar @ half_bend
    head = (
        chest
        @ rotate_y(angle['neck_twist'])
        @ rotate_z(angle['neck_side'])
        @ rotate_x(angle['neck_bend'])
    )
    tall, wide = shape.head_half_height, shape.head_half_width
    place('spine', 'pelvis', lumbar, (0, shape.lower_spine, 0))
    place('head_bottom', 'spine', chest, (0, shape.upper_spine, 0))
    place('head', 'head_bottom', head, (0, shape.neck + 0.8 * tall, 0.25 * wide))
    place('head_top', 'head', head, (0, 0.95 * tall, 0))
    place('nose', 'head', head, (0, -0.15 * tall, 1.12 * wide))
    place('hair', 'head', head, (0, -1.7 * tall, -1.1 * wide))
    for side, sign in (('left', 1.0), ('right', -1.0)):
        shoulder = (
            chest
            @ rotate_x(-angle[f'{side}_shoulder_flex'])
            @ rotate_z(sign * angle[f'{side}_shoulder_abduct'])
            @ rotate_y(sign * angle[f'{side}_shoulder_rotate'])
        )
        elbow = shoulder @ rotate_x(-angle[f'{side}_elbow'])
        place(f'{side}_shoulder', 'head_bottom', chest, (sign * shape.shoulder_half, -0.05, 0))
        place(f'{side}_elbow', f'{side}_shoulder', shoulder, (0, -shape.upper_arm, 0))
        place(f'{side}_wrist', f'{side}_elbow', elbow, (0, -shape.forearm, 0))
        place(f'{side}_fingers', f'{side}_wrist', elbow, (0, -shape.hand, 0))
        hip = (
            root
            @ rotate_x(-angle[f'{side}_hip_flex'])
            @ rotate_z(sign * angle[f'{side}_hip_abduct'])
            @ rotate_y(sign * angle[f'{side}_hip_rotate'])
        )
        knee = hip @ rotate_x(angle[f'{side}_knee'])
        ankle = knee @ rotate_x(angle[f'{side}_ankle'])
        place(f'{side}_hip', 'pelvis', root, (sign * shape.hip_half, 0, 0))
        place(f'{side}_knee', f'{side}_hip', hip, (0, -shape.thigh, 0))
        place(f'{side}_ankle', f'{side}_knee', knee, (0, -shape.shank, 0))
        place(f'{side}_heel', f'{side}_ankle', ankle, (0, -0.045, -0.035))
        place(f'{side}_toes', f'{side}_ankle', ankle, (0, -0.055, shape.foot - 0.05))
    feet = [POINT_INDEX[f'{side}_{end}'] for side in SIDES for end in ('heel', 'toes')]
    points[:, :, 1] -= _soft_minimum(points[:, feet, 1])[:, None]
    return PosedBody(points, chest, head)


def rotate_x(angle: np.ndarray) -> np.ndarray:
    """Build rotations [N, 3, 3] about x, from y towards z."""
    return _rotation(angle, 1, 2)


def rotate_y(angle: np.ndarray) -> np.ndarray:
    """Build rotations [N, 3, 3] about y, from z towards x."""
    return _rotation(angle, 2, 0)


def rotate_z(angle: np.ndarray) -> np.ndarray:
    """Build rotations [N, 3, 3] about z, from x towards y."""
    return _rotation(angle, 0, 1)


def _rotation(angle: np.ndarray, first: int, second: int) -> np.ndarray:
    rotation = np.tile(np.eye(3), (len(angle), 1, 1))
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation[:, first, first] = rotation[:, second, second] = cosine
    rotation[:, second, first] = sine
    rotation[:, first, second] = -sine
    return rotation


def _soft_minimum(heights: np.ndarray, sharpness: float = 25.0) -> np.ndarray:
    """Take the minimum over the last axis, without a kink where the lowest point changes."""
    low = heights.min(axis=-1, keepdims=True)
    mean = np.exp(-sharpness * (heights - low)).mean(axis=-1)
    return low[..., 0] - np.log(mean) / sharpness
