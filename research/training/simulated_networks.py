"""Heatmaps of simulated pose networks, from excellent to useless ones.

Pretrained networks fail on generated people. Their heatmaps are therefore simulated from the truth,
with the errors that networks make: the fuser learns to tell from the maps at the labelled ends,
where it knows the truth, how far to trust the others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtr

from stdpose_mm.labelling.propagation.auto.evidence_maps import DENSE_SIDE, MAP_STEPS, near_and_wide
from stdpose_mm.labelling.propagation.auto.fusion_features import (
    NETWORK_HEATMAPS,
    SCALARS,
    VECTORS,
    FusionFeatures,
)

_WIDTHS = (0.02, 0.08)
"""Standard deviation of a peak in pose sizes, of the finest and the coarsest network."""

_OFFSETS, _BIASES = (0.004, 0.07), (0.004, 0.05)
"""Standard deviations in pose sizes, for the best and the worst network, of the error that changes
with time, and of the constant error."""

_FAR = 0.5
"""Approximate largest distance of wrong positions in pose sizes."""

_HARD = 0.1
"""Error of the flow, in pose sizes, from which networks fail more often, too."""


def simulate_network(
    evidence: FusionFeatures, targets: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> FusionFeatures:
    """Give a gap the heatmaps of a simulated single-frame network of random quality.

    Args:
        evidence: Evidence of the gap; heatmaps of single-frame networks are replaced.
        targets: [F, K, 2] true offsets from the evidence's centre, in its pose sizes.
        weights: [F, K] bool: where the truth is known, besides the labelled ends.
        rng: Draws the network.
    """
    num_frames, num_joints = weights.shape
    ends = evidence.scalars[..., [SCALARS.index('is_left_end'), SCALARS.index('is_right_end')]]
    seen = weights | (ends > 0).any(axis=-1)
    quality = _draw_quality(rng)
    places, heights = _draw_peaks(evidence, np.where(weights[..., None], targets, 0), quality, rng)
    if quality == 0:
        _spoil(places, heights, rng)
    heights[~seen, :2] = 0
    width = _between(_WIDTHS, rng.uniform()) * np.exp(rng.normal(0, 0.2, (num_joints, 1)))
    dense = _render(places, heights, np.broadcast_to(width, (num_frames, num_joints, 1)))
    dense *= rng.uniform(0.4, 1.1)
    if rng.uniform() < 0.3:
        dense += rng.uniform(0, 0.1) * rng.uniform(0, 1, dense.shape).astype(np.float32)
    shown = rng.uniform(size=num_joints) >= rng.choice([0.0, 0.15, 0.5], p=[0.5, 0.35, 0.15])
    maps, scalars = evidence.maps.astype(np.float32), evidence.scalars.copy()
    seen_by = near_and_wide(dense.clip(0, 1)[:, :, None]) * shown[:, None, None, None, None]
    maps[:, :, :, NETWORK_HEATMAPS.maps] = seen_by
    scalars[..., NETWORK_HEATMAPS.flag] = shown
    return replace(evidence, maps=maps, scalars=scalars)


def _draw_quality(rng: np.random.Generator) -> float:
    """Draw a network's quality in 0..1: some are useless, some excellent, most in between."""
    kind = rng.uniform()
    if kind < 0.25:
        return 0.0
    if kind < 0.4:
        return float(rng.uniform(0.9, 1))
    return float(rng.uniform(0, 1))


def _draw_peaks(
    evidence: FusionFeatures, truth: np.ndarray, quality: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw offsets [F, K, 4, 2] from the centre and heights [F, K, 4] of the peaks of all maps.

    The four peaks are at the joint itself, at another joint (perhaps its mirror image), at a fixed
    position of the picture near the body, and at a constant offset from the joint, as if on another
    person.
    """
    shape = truth.shape[:2]
    num_frames, num_joints = shape
    memory = rng.uniform(0.3, 0.97)

    def wander(size: tuple[int, ...]) -> np.ndarray:
        """Draw noise of variance 1, correlated over time, [F, ...]."""
        steps = rng.normal(size=(num_frames, *size))
        steps[1:] *= np.sqrt(1 - memory**2)
        return lfilter([1], [1, -memory], steps, axis=0)

    trouble = rng.uniform(0.3, 1.7, (num_joints, 1))
    offset = _between(_OFFSETS, 1 - quality) * trouble * wander((num_joints, 2))
    bias = _between(_BIASES, 1 - quality) * trouble * rng.normal(size=(num_joints, 2))
    own = truth + offset + bias
    # True position of each joint, from the middle of the body.
    from_middle = evidence.vectors[:, :, VECTORS.index('from_middle')]
    other = rng.permutation(num_joints)
    at_other = from_middle[:, other] + own[:, other] - from_middle
    fixed = rng.uniform(-_FAR, _FAR, (1, num_joints, 2)) - from_middle
    beside = truth + rng.normal(0, _FAR / 2, (num_joints, 2)) + offset
    places = np.stack([own, at_other, fixed, beside], axis=2)

    hard = np.linalg.norm(truth, axis=-1) / _HARD
    failing = (1 - quality) ** 1.5 * trouble[:, 0] + rng.uniform(0, 0.3) * np.minimum(hard, 1)
    failing = np.clip(failing * (quality < 1), 0, 1)
    fails = ndtr(wander((num_joints,))) < failing
    if quality == 0:
        fails[:] = True
    lowest = rng.uniform(0.2, 0.9)
    steady = lowest + (1 - lowest) * ndtr(wander((num_joints,)))
    heights = np.zeros((*shape, 4))
    heights[..., 0] = steady * np.where(fails, rng.uniform(0, 0.4, shape) * (quality > 0), 1)
    # A joint is always attracted by the same wrong position; some failures leave the map empty.
    attracts = rng.uniform(size=(num_joints, 4)) < 0.5
    wrong = ndtr(wander((num_joints, 3))) * attracts[:, 1:]
    heights[..., 1:] = wrong * np.where(fails, 1, rng.uniform(0, 0.4))[..., None]
    return places, heights


def _spoil(places: np.ndarray, heights: np.ndarray, rng: np.random.Generator) -> None:
    """Let a useless network find other joints, or random positions, with high scores.

    Networks for other joints, or with wrong joint names, do the former, networks with random
    weights the latter. One network in three is not changed.
    """
    kind = rng.integers(3)
    if kind == 0:
        heights[..., 0] = 0
        heights[..., 1] = rng.uniform(0.4, 1, heights.shape[:2])
    elif kind == 1:
        count = int(rng.integers(1, 4))
        places[:, :, 1 : 1 + count] = rng.uniform(-_FAR, _FAR, (*places.shape[:2], count, 2))
        heights[..., 1 : 1 + count] = rng.uniform(0, 1, (*heights.shape[:2], count))


def _render(places: np.ndarray, heights: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Draw Gaussians [F, K, P] on the dense grid [F, K, side, side]; a cell gets their maximum."""
    grid = (np.arange(DENSE_SIDE) - DENSE_SIDE // 2) * MAP_STEPS[0]
    distance = (grid - places[..., None]) / width[..., None, None]
    along = np.exp(-0.5 * distance**2).astype(np.float32)
    x, y = along[..., 0, :], along[..., 1, :]
    peaks = heights[..., None, None].astype(np.float32) * y[..., :, None] * x[..., None, :]
    return peaks.max(axis=2)


def _between(limits: tuple[float, float], share: float) -> float:
    """Interpolate on a logarithmic scale."""
    low, high = limits
    return float(low * (high / low) ** share)
