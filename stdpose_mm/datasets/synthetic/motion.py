"""Motions: smooth joint-angle trajectories as Fourier series with individual tempo and style.

An action is a table of joint angles, each a mean and a few harmonics of the action's tempo. A
person performs one action, or fades from one into another, while turning and travelling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from .body import ANGLE_INDEX, ANGLES, limit_angles

FRAMES_PER_SECOND = 15.0
"""A low rate makes interpolation over a few frames fail, as it does on sports footage."""

Harmonic = tuple[int, float, float]
"""Order, amplitude (degrees), phase (cycles)."""


class Action:
    """One periodic action.

    Args:
        tempo: Repetitions per second.
        travel: Speed along the facing direction, metres per second.
        hop: Height of the flight phases, metres.
        hop_order, hop_phase: Flights per repetition, and when (cycles).
    """

    def __init__(
        self,
        tempo: float,
        travel: float = 0.0,
        hop: float = 0.0,
        hop_order: int = 1,
        hop_phase: float = 0.0,
    ) -> None:
        self.tempo = tempo
        self.travel = travel
        self.hop = hop
        self.hop_order = hop_order
        self.hop_phase = hop_phase
        self.mean = np.zeros(len(ANGLES))
        self.harmonics: list[tuple[int, int, float, float]] = []

    def set(self, name: str, mean: float, *harmonics: Harmonic) -> Action:
        """Give one joint angle its mean and harmonics (degrees)."""
        self.mean[ANGLE_INDEX[name]] = mean
        for order, amplitude, phase in harmonics:
            self.harmonics.append((ANGLE_INDEX[name], order, amplitude, phase))
        return self

    def both(self, name: str, mean: float, *harmonics: Harmonic, shift: float = 0.0) -> Action:
        """Give left and right the same; the right side lags by ``shift`` of the action's cycle."""
        self.set(f'left_{name}', mean, *harmonics)
        return self.set(
            f'right_{name}', mean, *((o, a, phase + shift * o) for o, a, phase in harmonics)
        )

    def restyle(self, rng: np.random.Generator) -> Action:
        """Make the action individual: tempo, amplitudes, phases and means vary."""
        self.tempo *= rng.uniform(1.0, 1.33)
        self.mean = self.mean + rng.normal(0, 4, len(ANGLES))
        amplitude = rng.uniform(0.8, 1.25)
        self.harmonics = [
            (
                i,
                order,
                size * amplitude * rng.uniform(0.8, 1.2),
                phase + rng.normal(0, 0.03),
            )
            for i, order, size, phase in self.harmonics
        ]
        return self

    def angles(self, times: np.ndarray) -> np.ndarray:
        """Compute the joint angles [N, len(ANGLES)] in radians at ``times`` (seconds)."""
        degrees = np.tile(self.mean, (len(times), 1))
        for i, order, amplitude, phase in self.harmonics:
            degrees[:, i] += amplitude * np.sin(2 * np.pi * (order * self.tempo * times + phase))
        return np.radians(degrees)

    def height(self, times: np.ndarray) -> np.ndarray:
        """Compute the height [N] in metres above the ground."""
        cycle = 2 * np.pi * (self.hop_order * self.tempo * times + self.hop_phase)
        return self.hop * np.maximum(np.sin(cycle), 0.0) ** 2


def _walk(rng: np.random.Generator) -> Action:
    action = Action(tempo=rng.uniform(0.8, 1.15), travel=rng.uniform(0.4, 1.1))
    action.both('hip_flex', 8, (1, 26, 0.0), shift=0.5)
    action.both('knee', 28, (1, 24, 0.35), (2, 6, 0.2), shift=0.5)
    action.both('ankle', 4, (1, 10, 0.6), shift=0.5)
    action.both('shoulder_flex', 3, (1, 26, 0.5), shift=0.5).both('shoulder_abduct', 8)
    action.both('elbow', 25, (1, 14, 0.5), shift=0.5)
    action.set('spine_twist', 0, (1, 7, 0.5)).set('sway', 0, (1, 3, 0.25))
    return action.set('lean', 4).set('neck_bend', 3, (2, 3, 0.0))


def _run(rng: np.random.Generator) -> Action:
    action = Action(
        tempo=rng.uniform(1.2, 1.6), travel=rng.uniform(0.7, 1.8), hop=0.08, hop_order=2
    )
    action.both('hip_flex', 22, (1, 42, 0.0), shift=0.5)
    action.both('knee', 58, (1, 42, 0.33), (2, 10, 0.2), shift=0.5)
    action.both('ankle', 8, (1, 15, 0.6), shift=0.5)
    action.both('shoulder_flex', 0, (1, 46, 0.5), shift=0.5).both('shoulder_abduct', 12)
    action.both('elbow', 85, (1, 18, 0.5), shift=0.5)
    return action.set('spine_twist', 0, (1, 12, 0.5)).set('lean', 12).set('neck_bend', -6)


def _jump(rng: np.random.Generator) -> Action:
    action = Action(
        tempo=rng.uniform(0.9, 1.3), travel=rng.uniform(0, 0.6), hop=rng.uniform(0.2, 0.45)
    )
    action.both('hip_flex', 38, (1, 34, 0.5)).both('knee', 52, (1, 44, 0.5))
    action.both('ankle', 5, (1, 18, 0.0)).set('spine_bend', 14, (1, 16, 0.5))
    action.both('shoulder_flex', 65, (1, 85, 0.05)).both('shoulder_abduct', 14, (1, 8, 0.1))
    return action.both('elbow', 35, (1, 25, 0.4)).set('lean', 12, (1, 14, 0.5))


def _jumping_jack(rng: np.random.Generator) -> Action:
    action = Action(tempo=rng.uniform(0.9, 1.3), hop=0.12, hop_order=2)
    action.both('shoulder_abduct', 80, (1, 72, 0.0)).both('elbow', 20, (1, 12, 0.5))
    action.both('hip_abduct', 16, (1, 15, 0.0)).both('knee', 18, (2, 12, 0.1))
    return action.both('hip_flex', 8, (2, 6, 0.1))


def _bend(rng: np.random.Generator) -> Action:
    action = Action(tempo=rng.uniform(0.45, 0.75))
    action.set('lean', 28, (1, 28, 0.0)).set('spine_bend', 32, (1, 32, 0.0))
    action.both('hip_flex', 38, (1, 34, 0.0)).both('knee', 26, (1, 18, 0.02))
    action.both('shoulder_flex', 55, (1, 40, -0.03), (2, 14, 0.1)).both('elbow', 22, (2, 15, 0.0))
    return action.set('neck_bend', 5, (1, 18, 0.5)).set('spine_twist', 0, (2, 12, 0.3))


def _wave(rng: np.random.Generator) -> Action:
    side, other = rng.permutation(['left', 'right'])
    action = Action(tempo=rng.uniform(0.8, 1.2))
    action.set(f'{side}_shoulder_abduct', 100, (1, 22, 0.1), (2, 14, 0.3))
    action.set(f'{side}_shoulder_flex', 20, (1, 18, 0.3))
    action.set(f'{side}_elbow', 70, (2, 42, 0.0)).set(f'{side}_shoulder_rotate', 0, (1, 35, 0.2))
    action.set(f'{other}_shoulder_abduct', 14, (1, 12, 0.0))
    action.set(f'{other}_elbow', 35, (1, 22, 0.3)).set('sway', 0, (1, 6, 0.0))
    action.set('spine_side', 0, (1, 10, 0.5)).set('neck_side', 0, (1, 10, 0.2))
    return action.both('knee', 14, (1, 10, 0.0), shift=0.5).both('hip_flex', 6, (1, 6, 0.0))


def _kick(rng: np.random.Generator) -> Action:
    side, other = rng.permutation(['left', 'right'])
    action = Action(tempo=rng.uniform(0.8, 1.2))
    action.set(f'{side}_hip_flex', 28, (1, 48, 0.0), (2, 10, 0.1))
    action.set(f'{side}_knee', 48, (1, 44, 0.42), (2, 12, 0.2)).set(f'{side}_ankle', 15)
    action.set(f'{side}_hip_abduct', 12, (1, 10, 0.0)).set('lean', -2, (1, 10, 0.5))
    action.set(f'{other}_hip_flex', 6, (1, 8, 0.5)).set(f'{other}_knee', 18, (1, 10, 0.2))
    action.set(f'{other}_shoulder_flex', 25, (1, 45, 0.0)).set('spine_twist', 0, (1, 18, 0.1))
    action.set(f'{side}_shoulder_flex', 5, (1, 40, 0.5)).both('shoulder_abduct', 30, (1, 15, 0.0))
    return action.both('elbow', 40, (1, 20, 0.3))


def _box(rng: np.random.Generator) -> Action:
    action = Action(tempo=rng.uniform(0.9, 1.4), hop=0.03, hop_order=2)
    action.both('shoulder_flex', 62, (1, 26, 0.0), shift=0.5).both('shoulder_abduct', 15)
    action.both('elbow', 82, (1, 58, 0.5), (2, 10, 0.1), shift=0.5)
    action.both('shoulder_rotate', -15, (1, 15, 0.2), shift=0.5)
    action.set('spine_twist', 0, (1, 24, 0.5)).set('lean', 8, (2, 4, 0.0))
    return action.both('hip_flex', 20, (2, 8, 0.1), shift=0.25).both('knee', 35, (2, 14, 0.1))


def _squat(rng: np.random.Generator) -> Action:
    action = Action(tempo=rng.uniform(0.6, 1.0))
    action.both('hip_flex', 52, (1, 46, 0.0)).both('knee', 60, (1, 52, 0.0))
    action.both('hip_abduct', 14, (1, 8, 0.0)).both('hip_rotate', 10).set('lean', 18, (1, 16, 0.0))
    action.both('ankle', -8, (1, 10, 0.5))
    return action.both('shoulder_flex', 45, (1, 42, 0.0)).both('elbow', 25, (1, 20, 0.5))


def _throw(rng: np.random.Generator) -> Action:
    side, other = rng.permutation(['left', 'right'])
    action = Action(tempo=rng.uniform(0.8, 1.2), travel=rng.uniform(0, 0.5))
    action.set(f'{side}_shoulder_flex', 70, (1, 72, 0.0), (2, 20, 0.3))
    action.set(f'{side}_shoulder_abduct', 40, (1, 25, 0.2))
    action.set(f'{side}_elbow', 65, (1, 52, 0.3), (2, 12, 0.0))
    action.set(f'{other}_shoulder_flex', 35, (1, 40, 0.5)).set(f'{other}_elbow', 35, (1, 20, 0.2))
    action.set('spine_twist', 0, (1, 32, 0.4)).set('lean', 6, (1, 12, 0.1))
    action.set('turn', 0, (1, 14, 0.4))
    return action.both('hip_flex', 14, (1, 18, 0.1), shift=0.5).both(
        'knee', 26, (1, 16, 0.4), shift=0.5
    )


def _swing(rng: np.random.Generator) -> Action:
    sign = rng.choice([-1.0, 1.0])
    action = Action(tempo=rng.uniform(0.6, 1.0))
    action.set('turn', 0, (1, 22 * sign, 0.0), (2, 6, 0.2))
    action.set('spine_twist', 0, (1, 38 * sign, 0.0)).set('spine_bend', 18, (2, 8, 0.0))
    action.both('shoulder_flex', 62, (2, 30, 0.25), (1, 16, 0.1)).both('shoulder_abduct', -4)
    action.both('elbow', 28, (1, 24, 0.0), shift=0.5).both('shoulder_rotate', -20)
    return action.both('knee', 26, (1, 12, 0.0), shift=0.5).both('hip_flex', 18, (2, 5, 0.0))


def _dance(rng: np.random.Generator) -> Action:
    action = Action(tempo=rng.uniform(0.7, 1.0), hop=rng.uniform(0, 0.1), hop_order=2)
    trunk = {
        'turn': (0, 30),
        'sway': (0, 8),
        'lean': (4, 8),
        'spine_bend': (6, 12),
        'spine_side': (0, 14),
        'spine_twist': (0, 18),
        'neck_bend': (0, 12),
        'neck_twist': (0, 20),
    }
    limbs = {
        'shoulder_flex': (45, 48),
        'shoulder_abduct': (50, 42),
        'shoulder_rotate': (0, 35),
        'elbow': (65, 38),
        'hip_flex': (18, 26),
        'hip_abduct': (10, 12),
        'hip_rotate': (5, 12),
        'knee': (32, 26),
        'ankle': (5, 12),
    }
    table = trunk | {
        f'{side}_{name}': row for side in ('left', 'right') for name, row in limbs.items()
    }
    for name, (mean, spread) in table.items():
        first, second = rng.uniform(0.3, 1.0, 2) * spread * (0.85, 0.45)
        action.set(name, mean, (1, first, rng.random()), (2, second, rng.random()))
    return action


ACTIONS: dict[str, tuple[float, Callable[[np.random.Generator], Action]]] = {
    'walk': (2.2, _walk),
    'run': (2.4, _run),
    'jump': (1.0, _jump),
    'jumping_jack': (0.6, _jumping_jack),
    'dance': (1.8, _dance),
    'bend': (0.8, _bend),
    'wave': (0.8, _wave),
    'kick': (1.4, _kick),
    'box': (0.8, _box),
    'squat': (0.9, _squat),
    'throw': (0.7, _throw),
    'swing': (0.7, _swing),
}
"""Action name -> (how often it is drawn, its maker)."""


@dataclass(frozen=True)
class Movement:
    """Motion of a person, sampled at N times.

    Args:
        angles: [N, len(ANGLES)] radians, within the anatomic limits.
        ground: [N, 2] place of the person on the ground, metres: x to the right, z towards the
            camera; (0, 0) at the middle of the clip.
        height: [N] metres of the lowest foot above the ground.
        actions: Names of the actions performed.
    """

    angles: np.ndarray
    ground: np.ndarray
    height: np.ndarray
    actions: tuple[str, ...]


def sample_movement(
    rng: np.random.Generator, times: np.ndarray, duration: float, bursts: float = 0.0
) -> Movement:
    """Draw what a person does in a clip.

    Args:
        rng: Source of all choices; how much is drawn does not depend on ``times``.
        times: [N] seconds, ascending.
        duration: Length of the clip in seconds.
        bursts: 0 for a constant tempo; at 1 it varies from nearly 0 to nearly double within about
            a second.
    """
    names = list(ACTIONS)
    weights = np.array([ACTIONS[name][0] for name in names])
    num_actions = 2 if rng.random() < 0.35 else 1
    chosen = [
        str(name)
        for name in rng.choice(names, num_actions, replace=False, p=weights / weights.sum())
    ]
    actions = [ACTIONS[name][1](rng).restyle(rng) for name in chosen]
    phase = rng.uniform(0, 4)
    change = duration * rng.uniform(0.3, 0.7)
    if num_actions == 2:
        second = _smooth_step((times - change) / rng.uniform(0.3, 0.5))
        share = np.stack([1 - second, second])
    else:
        share = np.ones((1, len(times)))
    steps = np.diff(times, prepend=times[0])
    pace, moments = np.ones(len(times)), times + phase
    if bursts:
        pace = 2 / (1 + np.exp(-3 * bursts * _drift(rng, times, duration, 1, 0.5)[:, 0]))
        moments = times[0] + np.cumsum(pace * steps) + phase
    angles = sum(w[:, None] * a.angles(moments) for w, a in zip(share, actions, strict=True))
    height = sum(w * a.height(moments) for w, a in zip(share, actions, strict=True))
    speed = sum(w * a.travel for w, a in zip(share, actions, strict=True))

    style = _drift(rng, times, duration, len(ANGLES), period=0.8)
    angles = angles + np.radians(3.0) * style
    yaw = rng.uniform(-np.pi, np.pi) + np.radians(25) * _drift(rng, times, duration, 1, 1.0)[:, 0]
    if rng.random() < 0.2:
        yaw = yaw + np.radians(rng.choice([-1, 1]) * rng.uniform(80, 220)) * (times - duration / 2)
    angles = limit_angles(angles)
    heading = yaw + angles[:, ANGLE_INDEX['turn']]
    angles[:, ANGLE_INDEX['turn']] = heading

    velocity = (speed * pace)[:, None] * np.stack([np.sin(yaw), np.cos(yaw)], axis=1)
    sway = 0.08 * _drift(rng, times, duration, 2, 1.0)
    ground = np.cumsum(velocity * steps[:, None], axis=0) + sway
    middle = [np.interp(duration / 2, times, ground[:, axis]) for axis in range(2)]
    return Movement(angles, ground - middle, height, tuple(chosen))


def _smooth_step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2)


def _drift(
    rng: np.random.Generator, times: np.ndarray, duration: float, channels: int, period: float
) -> np.ndarray:
    """Draw smooth curves [N, channels] of about unit size that change over ``period`` seconds."""
    num_knots = int(np.ceil(duration / period)) + 4
    knots = (np.arange(num_knots) - 1.5) * period
    return CubicSpline(knots, rng.normal(0, 1, (num_knots, channels)))(times)
