from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn

from stdpose_mm.errors import InputError
from support.model_samples import build, tiny_cfg
from support.paths import CONFIGS

LEARNING_RATE = 0.4


@pytest.fixture(scope='module')
def model() -> nn.Module:
    """A tiny STDPose: four blocks in its backbone."""
    return build(tiny_cfg())


def settings(model: nn.Module, rate: float, **custom_keys: Any) -> dict[str, dict[str, Any]]:
    """Parameter -> its group, with the base schedule's settings."""
    cfg = Config.fromfile(CONFIGS / '_base_' / 'schedules' / 'adamw.py').optim_wrapper
    cfg.optimizer.update(lr=LEARNING_RATE, weight_decay=0.1)
    cfg.paramwise_cfg.layer_decay_rate = rate
    cfg.paramwise_cfg.custom_keys.update(custom_keys)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = build_optim_wrapper(model, cfg).optimizer.param_groups
    return {names[id(parameter)]: group for group in groups for parameter in group['params']}


@pytest.mark.parametrize(
    ('name', 'rate'),
    [
        # 0.4 * 0.5 ** 5 before the four blocks, ** 4 ... ** 1 in them, ** 0 behind.
        ('backbone.pos_embed', 0.0125),
        ('backbone.patch_embed.projection.0.weight', 0.0125),
        ('backbone.layers.0.attn.qkv.weight', 0.025),
        ('backbone.layers.1.attn.proj.bias', 0.05),
        ('backbone.layers.3.ffn.layers.1.weight', 0.2),
        ('backbone.ln1.weight', 0.4),
        ('neck.tff.frame_embed', 0.4),
        ('head.pos_embed', 0.4),
        ('head.blocks.0.cross_attn.query.weight', 0.4),
    ],
)
def test_rate_of_a_layer(model, name, rate):
    assert settings(model, 0.5)[name]['lr'] == pytest.approx(rate)


def test_every_parameter_is_trained_once(model):
    assert set(settings(model, 0.5)) == {name for name, _ in model.named_parameters()}


def test_weight_decay_is_that_without_layer_decay(model):
    plain, decayed = settings(model, 1.0), settings(model, 0.5)
    assert {n: g['weight_decay'] for n, g in decayed.items()} == {
        n: g['weight_decay'] for n, g in plain.items()
    }
    assert decayed['backbone.pos_embed']['weight_decay'] == 0
    assert decayed['neck.tff.frame_embed']['weight_decay'] == 0
    assert decayed['backbone.layers.0.attn.qkv.weight']['weight_decay'] == 0.1


def test_the_backbone_is_frozen_as_the_docs_say(model):
    frozen = {name: {'lr_mult': 0.0} for name in ('backbone', 'backbone.pos_embed')}
    rates = {name: group['lr'] for name, group in settings(model, 0.5, **frozen).items()}
    assert {rate for name, rate in rates.items() if name.startswith('backbone.')} == {0}
    assert rates['head.pos_embed'] == rates['frame_head.final_layer.weight'] == LEARNING_RATE


@pytest.mark.parametrize('rate', [0, 1.5])
def test_a_rate_out_of_range_is_refused(model, rate):
    with pytest.raises(InputError, match=rf'at most 1, got {rate}'):
        settings(model, rate)
