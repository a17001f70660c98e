"""Heatmaps drawn from the truth, with the errors of pose networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from research.training import simulated_networks
from research.training.simulated_networks import simulate_network
from stdpose_mm.labelling.propagation.auto.fusion_features import (
    CANDIDATES,
    MAP_STEPS,
    MAPS,
    SCALARS,
    VECTORS,
    FusionFeatures,
)

FRAMES, JOINTS = 9, 12
FIRST = MAPS.index('network_heatmap')


@pytest.fixture
def gap():
    """A gap with its truth: offsets of a few places of the maps from the centre."""
    rng = np.random.default_rng(0)
    scalars = np.zeros((FRAMES, JOINTS, len(SCALARS)), np.float32)
    scalars[0, :, SCALARS.index('is_left_end')] = 1
    scalars[-1, :, SCALARS.index('is_right_end')] = 1
    vectors = np.zeros((FRAMES, JOINTS, len(VECTORS), 2), np.float32)
    body = rng.uniform(-0.5, 0.5, (JOINTS, 2))
    vectors[:, :, VECTORS.index('from_middle')] = body
    evidence = FusionFeatures(
        centre=np.zeros((FRAMES, JOINTS, 2)),
        size=100.0,
        vectors=vectors,
        scalars=scalars,
        maps=np.full((FRAMES, JOINTS, len(MAP_STEPS), len(MAPS), 9, 9), 0.5, np.float16),
        base_weights=np.zeros((FRAMES, JOINTS, len(CANDIDATES)), np.float32),
        known=np.ones(JOINTS, bool),
        interior=np.arange(FRAMES) % (FRAMES - 1) > 0,
    )
    weights = np.broadcast_to(evidence.interior[:, None], (FRAMES, JOINTS))
    targets = rng.integers(-2, 3, (FRAMES, JOINTS, 2)) * MAP_STEPS[0] * weights[..., None]
    return evidence, targets.astype(np.float32), weights


def hits(evidence, targets, joints=slice(None)):
    """The share of near maps [F, K] that peak within a place of the truth."""
    near = evidence.maps[:, joints, 0, FIRST]
    peak = near.reshape(*near.shape[:2], -1).argmax(-1)
    place = np.stack([peak % 9 - 4, peak // 9 - 4], axis=-1) * MAP_STEPS[0]
    close = np.abs(place - targets[:, joints]).max(-1) < 1.5 * MAP_STEPS[0]
    return close & (near.max((-2, -1)) > 0.05)


@pytest.mark.parametrize(
    ('quality', 'least', 'most'), [(1.0, 0.97, 1), (0.6, 0.3, 0.9), (0.0, 0, 0.15)]
)
def test_quality_is_the_share_of_peaks_at_the_truth(gap, monkeypatch, quality, least, most):
    evidence, targets, weights = gap
    monkeypatch.setattr(simulated_networks, '_draw_quality', lambda rng: quality)
    shares = []
    for seed in range(20):
        result = simulate_network(evidence, targets, weights, np.random.default_rng(seed))
        shown = result.scalars[0, :, SCALARS.index('has_network_heatmap')] > 0
        shares.append(hits(result, targets, shown).mean())
    assert least <= np.mean(shares) <= most


def test_the_labelled_ends_tell_how_good_a_network_is(gap):
    """Over many networks, being right at the ends goes with being right in between."""
    evidence, targets, weights = gap
    ends, inside = [], []
    for seed in range(60):
        right = hits(
            simulate_network(evidence, targets, weights, np.random.default_rng(seed)), targets
        )
        ends.append(right[[0, -1]].mean())
        inside.append(right[1:-1].mean())
    assert np.corrcoef(ends, inside)[0, 1] > 0.8


def test_where_the_truth_is_unknown_no_peak_gives_a_place_away(gap, monkeypatch):
    evidence, targets, weights = gap
    monkeypatch.setattr(simulated_networks, '_draw_quality', lambda rng: 1.0)
    nothing = np.zeros_like(weights)
    hidden = replace(evidence, scalars=np.zeros_like(evidence.scalars))
    plain = simulate_network(hidden, targets, nothing, np.random.default_rng(5))
    moved = simulate_network(hidden, targets + 0.06, nothing, np.random.default_rng(5))
    np.testing.assert_allclose(plain.maps, moved.maps)
