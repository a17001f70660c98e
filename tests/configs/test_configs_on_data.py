"""Every config trains and is tested on data laid out as its real set."""

from __future__ import annotations

import pytest

import stdpose_mm  # noqa: F401 - registers what the configs name
from support.short_training import measure, train_once
from support.small_configs import NAMES, read

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('in_real_layouts')]


@pytest.mark.parametrize('name', NAMES)
def test_config_trains_and_is_tested(name):
    cfg = read(name).copy()
    model = train_once(cfg)
    assert not [name for name, value in model.named_parameters() if value.grad is None]
    if name.startswith('ablations/') and not name.endswith('_a_backbone.py'):
        # They differ from another config in the model alone, see `test_configs.py`.
        return
    metrics = measure(cfg, model)
    assert metrics
    validated = read(name).default_hooks.checkpoint.get('save_best')
    assert validated is None or validated in metrics
