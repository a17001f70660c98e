"""Multiply-adds by part, against counts by hand."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config

import stdpose_mm  # noqa: F401 - registers what the configs name
from research.speed.complexity import (
    PARTS,
    measure_complexity,
    mmpose_complexity,
    per_frame_model,
    pose_work,
    work_table,
)
from stdpose_mm.errors import InputError
from support.paths import CONFIGS
from support.tiny_models import CODEC, light, model_cfg, pruned

JOINTS, DIMS, PLACES = 3, 32, 4 * 3
SIMPLE_DECODER = PLACES * DIMS * JOINTS * 9
"""Its 3x3 convolution, at the size of the feature."""


def config(**changes: Any) -> Config:
    cfg = model_cfg(JOINTS, **changes)
    for head in (cfg['head'], cfg['frame_head']):
        head.pop('loss', None)
    return Config(dict(model=cfg, codec=CODEC))


def test_decoders_are_counted_by_hand():
    parts = measure_complexity(config())
    classic = PLACES * DIMS * 16 * 16 + 4 * PLACES * 16 * 16 * 16 + 16 * PLACES * 16 * JOINTS
    assert parts['frame head'] == parts['final decoder'] == classic
    parts = measure_complexity(config(**light(JOINTS)))
    assert parts['frame head'] == SIMPLE_DECODER
    assert parts['final decoder'] == PLACES * DIMS * 8 * 16 + 16 * PLACES * 8 * JOINTS * 9


def test_the_light_fusion_is_counted_by_hand():
    parts = measure_complexity(config(**light(JOINTS)))
    keys_and_values = PLACES * DIMS * 2 * DIMS
    attention = 2 * PLACES * 3 * PLACES * DIMS
    query_and_output, feedforward = 2 * PLACES * DIMS * DIMS, 2 * PLACES * DIMS * 48
    of_window = attention + query_and_output + feedforward
    assert parts['features'] == keys_and_values + of_window


def test_every_part_takes_work():
    parts = measure_complexity(config())
    assert tuple(parts) == PARTS
    assert all(parts.values())


def test_mmposes_model_is_the_backbone_and_the_classic_decoder():
    own = measure_complexity(config())
    assert mmpose_complexity(config()) == {
        **dict.fromkeys(PARTS, 0),
        'backbone': own['backbone'],
        'final decoder': own['frame head'],
    }


def test_the_light_form_is_compared_with_the_classic_decoder():
    parts = mmpose_complexity(config(**light(JOINTS)))
    wide = PLACES * DIMS * 256 * 16 + 4 * PLACES * 256 * 256 * 16 + 16 * PLACES * 256 * JOINTS
    assert parts['final decoder'] == wide


def test_mmposes_own_form_of_the_simple_decoder():
    model = per_frame_model(config(**light(JOINTS)).model)
    assert model['neck'] == dict(type='FeatureMapProcessor', scale_factor=4.0, apply_relu=True)
    assert model['head']['final_layer'] == dict(kernel_size=3, padding=1)
    assert 'upsample' not in model['head']
    with pytest.raises(InputError, match='no frame_head'):
        per_frame_model(dict(backbone={}))


def test_in_place_of_the_sub_pixel_decoder_mmpose_has_the_classic_one():
    model = config(**light(JOINTS)).model
    model.frame_head.shuffle_channels = 8
    head = per_frame_model(model)['head']
    assert head['deconv_out_channels'] == (256, 256)
    assert 'shuffle_channels' not in head


def test_the_layers_after_pruning_are_counted_for_the_kept_tokens():
    def layer(tokens):
        return tokens * (4 * DIMS * DIMS + 2 * DIMS * 64) + 2 * tokens**2 * DIMS

    cfg = config(**pruned(JOINTS))
    kept = measure_complexity(cfg)['backbone']
    cfg.model.backbone.pruning = None
    whole = measure_complexity(cfg)['backbone']
    assert whole - kept == layer(PLACES) - layer(PLACES // 2)


def test_mmposes_backbone_computes_all_tokens():
    cfg = config(**pruned(JOINTS))
    reference = mmpose_complexity(cfg)
    cfg.model.backbone.pruning = None
    assert reference == mmpose_complexity(cfg)


def test_one_row_for_every_model_and_one_for_mmposes_on_the_same_backbone():
    rows = pose_work({'full': config(), 'again': config(), 'light': config(**light(JOINTS))})
    assert [row.model for row in rows] == [
        *('MMPose, backbone of full', 'full', 'again', 'MMPose, backbone of light', 'light'),
    ]
    reference, full = rows[:2]
    assert full.to_mmpose == full.all / reference.all
    table = work_table(rows).splitlines()
    assert table[2].startswith('| model | backbone | frame head |')
    assert len(table) == 4 + len(rows)


@pytest.mark.slow
@pytest.mark.parametrize('size', ['small', 'base'])
@pytest.mark.parametrize(('form', 'most'), [('light', 1.1), ('light_pruned', 0.7)])
def test_the_light_form_costs_at_most_so_much_of_mmposes_model(size, form, most):
    name = f'stdpose_{size}_propagation_posetrack17_{form}'
    rows = pose_work({name: Config.fromfile(CONFIGS / 'light' / f'{name}.py')})
    assert rows[-1].model == name
    assert rows[-1].to_mmpose < most
