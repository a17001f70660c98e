"""Schedules of another length."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from research.training.schedules import set_iterations
from stdpose_mm.errors import InputError

WARM_UP = dict(type='LinearLR', begin=0, end=60, start_factor=0.02, by_epoch=False)
COSINE = dict(type='CosineAnnealingLR', begin=60, end=1800, T_max=1740, by_epoch=False)


def schedule(*schedulers: dict, max_iters: int = 1800) -> Config:
    copies = [dict(scheduler) for scheduler in schedulers]
    return Config(dict(train_cfg=dict(max_iters=max_iters), param_scheduler=copies))


@pytest.mark.parametrize(
    ('steps', 'warm_up_end'), [(7200, 60), (50, 25)], ids=['its length', 'half of the training']
)
def test_the_warm_up_keeps_its_length_but_takes_at_most_half(steps, warm_up_end):
    cfg = schedule(WARM_UP, COSINE)
    set_iterations(cfg, steps)
    assert cfg.train_cfg.max_iters == steps
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, warm_up_end)
    assert (cosine.begin, cosine.end, cosine.T_max) == (warm_up_end, steps, steps - warm_up_end)


def test_a_single_step_has_no_warm_up():
    cfg = schedule(WARM_UP, COSINE)
    set_iterations(cfg, 1)
    (cosine,) = cfg.param_scheduler
    assert (cosine.type, cosine.begin, cosine.end) == ('CosineAnnealingLR', 0, 1)


def test_milestones_and_phases_move_in_proportion():
    drop = dict(type='MultiStepLR', begin=0, end=1000, milestones=[600, 800], by_epoch=False)
    flat = dict(type='ConstantLR', begin=500, end=750, factor=0.5, by_epoch=False)
    cfg = schedule(drop, flat, max_iters=1000)
    set_iterations(cfg, 100)
    drop, flat = cfg.param_scheduler
    assert (drop.end, drop.milestones, flat.begin, flat.end) == (100, [60, 80], 50, 75)


@pytest.mark.parametrize(
    'cfg',
    [
        Config(dict(train_cfg=dict(by_epoch=True, max_epochs=20))),
        schedule(dict(type='MultiStepLR', end=20, milestones=[12], by_epoch=True)),
    ],
)
def test_epochs_are_refused(cfg):
    with pytest.raises(InputError, match=r'the config counts epochs, expected one that counts'):
        set_iterations(cfg, 10)
