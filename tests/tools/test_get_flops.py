"""The multiply-adds that ``get_flops.py`` prints for each part of a model."""

from __future__ import annotations

import pytest

from support.paths import CONFIGS
from support.tools import load_tool

pytestmark = pytest.mark.slow

CLASSIC_HEAD = 16 * 12 * 16 * 768 * 256 + 32 * 24 * 16 * 256 * 256 + 64 * 48 * 256 * 17
"""ViTPose's decoder by hand: 4x4 deconvolutions of 768 to 256 channels at 16x12 and of 256 to 256
at 32x24 places, and a 1x1 convolution to 17 joints at 64x48 pixels."""


@pytest.mark.parametrize(
    ('config', 'part', 'multiply_adds'),
    [
        ('ablations/stdpose_base_estimation_posetrack17_a_backbone', 'head', CLASSIC_HEAD),
        ('stdpose_base_propagation_posetrack17', 'frame_head', 3 * CLASSIC_HEAD),
    ],
)
def test_heads_are_counted(config, part, multiply_adds, run_main):
    tool = load_tool('analysis_tools/get_flops')
    code, printed, errors = run_main(tool.main, CONFIGS / f'{config}.py')
    assert (code, errors) == (0, [])
    counts = {words[0]: float(words[1]) for words in map(str.split, printed.splitlines())}
    assert counts[part] == round(multiply_adds / 1e9, 3)
    *parts, total = counts.values()
    assert sum(parts) == pytest.approx(total, abs=0.003)
