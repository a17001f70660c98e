"""The weights of each neck and head before a training, on which its result depends."""

from __future__ import annotations

import pytest
import torch

from support.model_samples import build
from support.tiny_models import model_cfg, window_systems

FRAME_HEAD = model_cfg(3)['frame_head']
SINGLE = {**FRAME_HEAD, 'type': 'SingleSourceHead', 'source': 'fused_feature'}
SYSTEMS = {
    'per frame': {'head': FRAME_HEAD},
    'single feature': {'head': SINGLE},
    **window_systems(3, 3),
}
GOLDEN = {
    ('per frame', 'head'): 4.1190857,
    ('single feature', 'head'): 5.1759518,
    ('stdpose', 'neck'): -0.77051269,
    ('stdpose', 'head'): -22.867611,
    ('light', 'neck'): 0.43783195,
    ('light', 'head'): -14.218428,
    ('appearance', 'neck'): 11.675309,
    ('appearance', 'head'): 27.440702,
    ('semantic motion', 'neck'): 19.176521,
    ('semantic motion', 'head'): -0.71859362,
    ('semantic motion, labels', 'neck'): 22.216510,
    ('semantic motion, appearance', 'neck'): 23.516688,
    ('semantic motion, appearance', 'head'): 3.5566562,
}
"""System and part -> sum of its weights, drawn with the seed 0, each times the cosine of its
number. They are exact on every processor, but for the inverse error function of some."""


@pytest.mark.parametrize(('system', 'part'), GOLDEN)
def test_initial_weights(system, part):
    module = build(SYSTEMS[system][part])
    module.init_weights()
    values = torch.cat([value.detach().double().flatten() for value in module.parameters()])
    weights = torch.arange(len(values), dtype=torch.double).cos()
    assert float(values @ weights) == pytest.approx(GOLDEN[system, part], rel=1e-5)
