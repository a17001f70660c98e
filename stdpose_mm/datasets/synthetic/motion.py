"""Motions: smooth joint-angle trajectories as Fourier series with individual tempo and style.

An action (``actions.yaml``) is a table of joint angles, each a mean and a few harmonics of the
action's tempo. A person performs one action, or fades from one into another, while turning and
travelling.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.interpolate import CubicSpline

from .body import ANGLE_INDEX, ANGLES, limit_angles

FRAMES_PER_SECOND = 15.0
"""At this low rate, interpolation over a few frames fails as it does on sports footage."""

ACTIONS: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name('actions.yaml').read_text(encoding='utf-8')
)


@dataclass(frozen=True)
class Action:
    """One periodic action.

    Args:
        tempo: Number of repetitions per second.
        travel: Speed in the facing direction, metres per second.
        hop: Height of the flights, metres.
        flights: Number of flights per repetition.
        mean: [len(ANGLES)] degrees.
        waves: Index of the angle, order, amplitude (degrees) and phase (cycles) of each harmonic.
    """

    tempo: float
    travel: float
    hop: float
    flights: int
    mean: np.ndarray
    waves: list[tuple[int, int, float, float]]

    @classmethod
    def sample(cls, rng: np.random.Generator, name: str) -> Action:
        """Draw an individual performance of one of ``ACTIONS``."""
        fields = ACTIONS[name]
        angles = fields['angles']
        sides, sign = {'both': 'left'}, 1.0
        if any(angle['angle'].startswith('one ') for angle in angles):
            sides['one'], sides['other'] = rng.permutation(['left', 'right'])
        if any('mirrored' in angle for angle in angles):
            sign = rng.choice([-1.0, 1.0])
        ranges = [fields.get(key, 0.0) for key in ('tempo', 'travel', 'hop')]
        tempo, travel, hop = (rng.uniform(*v) if isinstance(v, list) else v for v in ranges)
        mean = np.zeros(len(ANGLES))
        waves: list[tuple[int, int, float, float]] = []

        def add(angle: str, degrees: float, of_angle: list[tuple[int, float, float]]) -> None:
            mean[ANGLE_INDEX[angle]] = degrees
            waves.extend((ANGLE_INDEX[angle], *wave) for wave in of_angle)

        for angle in angles:
            side, _, joint = angle['angle'].rpartition(' ')
            of_angle = [tuple(wave) for wave in angle.get('waves', ())]
            if 'mirrored' in angle:
                order, size, phase = angle['mirrored']
                of_angle.insert(0, (order, size * sign, phase))
            if 'spread' in angle:
                first, second = rng.uniform(0.3, 1.0, 2) * angle['spread'] * (0.85, 0.45)
                of_angle = [(1, first, rng.random()), (2, second, rng.random())]
            add(f'{sides[side]}_{joint}' if side else joint, angle['mean'], of_angle)
            if side == 'both':
                lag = angle.get('lag', 0.0)
                later = [(order, size, phase + lag * order) for order, size, phase in of_angle]
                add(f'right_{joint}', angle['mean'], later)
        tempo *= rng.uniform(1.0, 1.33)
        mean = mean + rng.normal(0, 4, len(ANGLES))
        amplitude = rng.uniform(0.8, 1.25)
        waves = [
            (i, order, size * amplitude * rng.uniform(0.8, 1.2), phase + rng.normal(0, 0.03))
            for i, order, size, phase in waves
        ]
        return cls(tempo, travel, hop, fields.get('flights', 1), mean, waves)

    def angles(self, times: np.ndarray) -> np.ndarray:
        """Compute the joint angles [N, len(ANGLES)] in radians at ``times`` (seconds)."""
        degrees = np.tile(self.mean, (len(times), 1))
        for i, order, amplitude, phase in self.waves:
            degrees[:, i] += amplitude * np.sin(2 * np.pi * (order * self.tempo * times + phase))
        return np.radians(degrees)

    def height(self, times: np.ndarray) -> np.ndarray:
        """Compute the height [N] in metres above the ground."""
        cycle = 2 * np.pi * (self.flights * self.tempo * times)
        return self.hop * np.maximum(np.sin(cycle), 0.0) ** 2


@dataclass(frozen=True)
class Movement:
    """Motion of a person, sampled at N times.

    Args:
        angles: [N, len(ANGLES)] radians, within the anatomical limits.
        ground: [N, 2] place of the person on the ground, metres: x to the right, z towards the
            camera; (0, 0) at the middle of the clip.
        height: [N] metres of the lowest foot above the ground.
    """

    angles: np.ndarray
    ground: np.ndarray
    height: np.ndarray


def sample_movement(
    rng: np.random.Generator, times: np.ndarray, duration: float, bursts: float = 0.0
) -> Movement:
    """Draw the movement of a person in a clip.

    Args:
        rng: Source of all choices; the number of draws does not depend on ``times``.
        times: [N] seconds, ascending.
        duration: Length of the clip in seconds.
        bursts: 0 for a constant tempo; at 1 the tempo varies between nearly 0 and nearly double
            within about a second.
    """
    names = list(ACTIONS)
    weights = np.array([ACTIONS[name]['weight'] for name in names])
    num_actions = 2 if rng.random() < 0.35 else 1
    drawn = rng.choice(names, num_actions, replace=False, p=weights / weights.sum())
    actions = [Action.sample(rng, str(name)) for name in drawn]
    phase = rng.uniform(0, 4)
    change = duration * rng.uniform(0.3, 0.7)
    share = np.ones((1, len(times)))
    if num_actions == 2:
        x = np.clip((times - change) / rng.uniform(0.3, 0.5), 0, 1)
        second = x**3 * (10 - 15 * x + 6 * x**2)
        share = np.stack([1 - second, second])
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
    return Movement(angles, ground - middle, height)


def _drift(
    rng: np.random.Generator, times: np.ndarray, duration: float, channels: int, period: float
) -> np.ndarray:
    """Draw smooth curves [N, channels] of about unit size that change over ``period`` seconds."""
    num_knots = int(np.ceil(duration / period)) + 4
    knots = (np.arange(num_knots) - 1.5) * period
    return CubicSpline(knots, rng.normal(0, 1, (num_knots, channels)))(times)
