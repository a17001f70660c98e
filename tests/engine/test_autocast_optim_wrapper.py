from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import nn

from stdpose_mm.engine import optim_wrappers
from stdpose_mm.engine.optim_wrappers import AutocastOptimWrapper


def _wrapper(model: nn.Module, **kwargs) -> AutocastOptimWrapper:
    return AutocastOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.5), **kwargs)


@pytest.mark.parametrize(('is_there', 'dtype'), [(True, torch.bfloat16), (False, torch.float32)])
def test_forward_runs_in_bfloat16_where_the_processor_has_it_and_weights_stay_float32(
    monkeypatch, is_there, dtype
):
    monkeypatch.setattr(optim_wrappers, 'is_bfloat16_faster', lambda _: is_there)
    model = nn.Linear(3, 1)
    wrapper = _wrapper(model)
    with wrapper.optim_context(model):
        output = model(torch.ones(2, 3))
    wrapper.update_params(output.float().sum())
    assert output.dtype == dtype
    assert model.weight.dtype == torch.float32


def test_gradients_accumulate_before_one_update():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    wrapper = _wrapper(model, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 2)
    weights = []
    for value in (2.0, 4.0):
        with wrapper.optim_context(model):
            loss = model(torch.tensor([[value]])).sum()
        wrapper.update_params(loss)
        weights.append(model.weight.item())
    assert weights == [1.0, 1.0 - 0.5 * (2.0 + 4.0) / 2]


@pytest.mark.parametrize(
    ('settings', 'kind'),
    [
        # What `--amp` of MMPose's train.py makes of a config in float32, and a tiny config's own.
        ({'type': 'AmpOptimWrapper', 'loss_scale': 'dynamic'}, AutocastOptimWrapper),
        ({'type': 'AmpOptimWrapper', 'dtype': 'bfloat16'}, AutocastOptimWrapper),
        ({'type': 'OptimWrapper'}, OptimWrapper),
    ],
)
def test_mixed_precision_on_a_cpu_is_in_bfloat16(settings, kind):
    init_default_scope('mmpose')
    cfg = {
        'constructor': 'ViTOptimWrapperConstructor',
        'optimizer': {'type': 'SGD', 'lr': 0.5},
        'accumulative_counts': 3,
        **settings,
    }
    wrapper = build_optim_wrapper(nn.Linear(3, 1), cfg)
    assert type(wrapper) is kind
    assert wrapper._accumulative_counts == 3
