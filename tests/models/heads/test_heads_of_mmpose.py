"""Heads, necks and the data preprocessor of MMPose in window models: used, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from stdpose_mm.errors import InputError
from support.model_samples import NUM_JOINTS, build, tiny_cfg, window_batch

SIZE = dict(in_channels=128, out_channels=NUM_JOINTS)
DECONV = dict(**SIZE, deconv_out_channels=(8, 8), deconv_kernel_sizes=(4, 4))
SIMCC = dict(**SIZE, input_size=(96, 128), in_featuremap_size=(6, 8), simcc_split_ratio=2.0)
UNIT = dict(
    hidden_dims=16, s=16, expansion_factor=2, dropout_rate=0.0, drop_path=0.0, act_fn='SiLU',
    use_rel_bias=False, pos_enc=False,
)  # fmt: skip
COORDINATES = dict(in_channels=128, num_joints=NUM_JOINTS)
HEADS: dict[str, dict[str, Any]] = {
    'CPMHead': dict(**SIZE, num_stages=1),
    'HeatmapHead': SIZE,
    'RTMCCHead': dict(**SIMCC, gau_cfg=UNIT),
    'RegressionHead': COORDINATES,
    'SimCCHead': SIMCC,
    'ViPNASHead': SIZE,
}
NO_HEATMAPS = ('RTMCCHead', 'RegressionHead', 'SimCCHead')


@pytest.mark.parametrize('name', HEADS)
def test_as_head_it_is_refused_with_what_to_use(name):
    with pytest.raises(InputError) as error:
        build({**tiny_cfg(), 'head': dict(type=name, **HEADS[name])})
    sentence = str(error.value)
    assert sentence.startswith(f'the head {name} of MMPose reads a feature map, not the output of')
    assert "use STDPoseSingleSourceHead with source='fused_feature'" in sentence
    decodes_heatmaps = name in ('HeatmapHead', 'ViPNASHead')
    assert ('this package decodes heatmaps only' in sentence) != decodes_heatmaps


@pytest.mark.parametrize('name', NO_HEATMAPS)
def test_as_frame_head_it_is_refused_if_it_decodes_no_heatmaps(name):
    frame_head = dict(type=name, **HEADS[name])
    with pytest.raises(InputError, match=f'which {name} of MMPose does not, use STDPoseFrameHead'):
        build({**tiny_cfg(), 'frame_head': frame_head})


@pytest.mark.parametrize('source', ['fused_feature', 'frame_feature'])
def test_the_head_that_is_named_takes_its_arguments_and_heatmaphead_is_a_frame_head(source):
    head = dict(type='STDPoseSingleSourceHead', source=source, **DECONV)
    frame_head = dict(type='HeatmapHead', **DECONV)
    network = build({**tiny_cfg(), 'head': head, 'frame_head': frame_head}).train()
    losses = network(**network.data_preprocessor(window_batch(2), True), mode='loss')
    assert losses['loss_kpt'] > 0
    assert losses['loss_frame_kpt'] > 0


@pytest.mark.parametrize(
    ('part', 'settings', 'replacement'),
    [
        ('neck', dict(type='FeatureMapProcessor', scale_factor=2.0), 'STDPoseSTRE'),
        ('neck', dict(type='GlobalAveragePooling'), 'STDPoseSTRE'),
        # Without mean and std it would swap the left and the right frame in place of colours.
        (
            'data_preprocessor',
            dict(type='PoseDataPreprocessor', bgr_to_rgb=True),
            'WindowDataPreprocessor',
        ),
    ],
)
def test_what_knows_one_picture_only_is_refused(part, settings, replacement):
    sentence = f'^{settings["type"]} of MMPose is for single pictures, .*, use {replacement}$'
    with pytest.raises(InputError, match=sentence):
        build({**tiny_cfg(), part: settings})


def test_mmposes_estimator_takes_our_backbone_and_head():
    init_default_scope('mmpose')
    cfg = tiny_cfg()
    model = MODELS.build(
        dict(
            type='TopdownPoseEstimator',
            backbone=cfg['backbone'],
            head=dict(type='STDPoseFrameHead', **DECONV),
        )
    )
    inputs = window_batch(1)['inputs'][0][:1].float()
    assert model(inputs, None, mode='tensor').shape == (1, NUM_JOINTS, 32, 24)
