"""Channels of joints in weights, and their way into a model of other joints."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from stdpose_mm.models.joint_channels import copy_joints, joint_axes, with_num_joints
from stdpose_mm.models.structures import AuxiliaryLabels
from support.model_samples import appearance_cfg, build, tiny_cfg


def simple(cfg: dict[str, Any]) -> dict[str, Any]:
    """The model with the simple decoder in both heads."""
    decoder = {'upsample': 4, 'deconv_out_channels': None, 'deconv_kernel_sizes': None}
    return {**cfg, **{head: {**cfg[head], **decoder} for head in ('frame_head', 'head')}}


def test_the_number_of_joints_is_set_everywhere() -> None:
    config = with_num_joints(tiny_cfg(mi=True), 5)
    found = [config.head.out_channels, config.frame_head.out_channels]
    found += [config.head.mask.num_joints, config.neck.tks.num_joints, config.mi_loss.num_joints]
    assert found == [5] * 5


def test_the_config_that_came_in_stays_as_it_was() -> None:
    config = ConfigDict(tiny_cfg())
    with_num_joints(config, 5)
    assert config.head.mask.num_joints == 15


def test_axes_of_every_joint_dependent_weight() -> None:
    init_default_scope('mmpose')
    axes = joint_axes(tiny_cfg(use_prior=True))
    expected = {
        'frame_head.final_layer.weight': {0: (1,)},
        'head.final_layer.bias': {0: (1,)},
        'head.mask.compress.weight': {1: (1,)},
        'head.patch_embed.weight': {1: (1, 1)},
        'neck.tks.merge_time.0.0.weight': {0: (4,)},
        'neck.tks.merge_time.1.1.running_mean': {0: (2,)},
        'neck.tks.merge_joints.0.weight': {0: (2,), 1: (2,)},
        'neck.tks.synthesize.0.0.weight': {0: (2,), 1: (2, 4)},
        'neck.tks.synthesize.1.weight': {0: (1,), 1: (2,)},
    }
    assert {name: axes[name] for name in expected} == expected
    assert not any(name.startswith('backbone') for name in axes)


@pytest.mark.slow
@pytest.mark.parametrize(
    'cfg', [tiny_cfg(use_prior=True), tiny_cfg(), appearance_cfg(), simple(appearance_cfg())]
)
def test_a_permuted_skeleton_gives_permuted_heatmaps(cfg: dict[str, Any]) -> None:
    """The independent reference: the model itself, run on permuted maps."""
    config = with_num_joints(cfg, 4)
    source, target = build(config, seed=0).eval(), build(config, seed=1).eval()
    order = [2, 0, 3, 1]
    copy_joints(source, target, joint_axes(config), order)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 128, 8, 6, generator=generator)
    maps = torch.rand(2, 3, 4, 32, 24, generator=generator)
    given = AuxiliaryLabels(
        heatmaps=torch.rand(2, 2, 4, 32, 24, generator=generator),
        mask=torch.rand(2, 2, 4, generator=generator) < 0.5,
        prior=torch.rand(2, 4, 32, 24, generator=generator),
        position=torch.full((2,), 0.5),
    )
    permuted = AuxiliaryLabels(
        given.heatmaps[:, :, order], given.mask[:, :, order], given.prior[:, order], given.position
    )
    with torch.no_grad():
        expected = source.head(source.fuse(features, maps, given))
        got = target.head(target.fuse(features, maps[:, :, order], permuted))
        single = source.predict_frame_heatmaps(features)[:, :, order]
        assert torch.allclose(target.predict_frame_heatmaps(features), single, atol=1e-6)
    assert torch.allclose(got, expected[:, order], atol=1e-5)
    assert expected.std() > 0


def second_cfg(num_joints: int = 15) -> ConfigDict:
    """The second system, which takes labels and decodes hidden frames."""
    return with_num_joints(tiny_cfg(**semantic_motion()), num_joints)


def semantic_motion() -> dict[str, Any]:
    cfg = tiny_cfg()
    size = {'embed_dims': 128, 'num_heads': 4}
    embedding = {'num_joints': 15, 'embed_dims': 128, 'use_prior': True}
    return {
        'type': 'SemanticMotionPose',
        'neck': {
            'type': 'MLSME',
            'feature_size': (8, 6),
            'tube_ratio': 0.3,
            'masked_frames': 1,
            'context_decoder': {'type': 'ContextDecoder', **size},
            'pose_decoder': cfg['frame_head'],
            'pose_embed': {'type': 'GivenPoseEmbedding', **embedding},
            **size,
        },
        'head': {
            **cfg['frame_head'],
            'type': 'SpatialMotionHead',
            'fusion': {'type': 'SpatialMotionMutualLearning', **size},
        },
    }


def test_the_number_of_joints_of_the_second_system_is_set_everywhere() -> None:
    config = second_cfg(5)
    heads = config.head, config.frame_head, config.neck.pose_decoder
    assert [head.out_channels for head in heads] == [5] * 3
    assert config.neck.pose_embed.num_joints == 5
    state = build(config).state_dict()
    assert state['neck.pose_embed.label.weight'].shape == (128, 5, 4, 4)
    assert state['neck.pose_decoder.final_layer.weight'].shape[0] == 5


def test_axes_of_the_second_system_are_those_of_its_heads_and_of_given_poses() -> None:
    """Nothing else knows of joints: features, masks, attention and decoders of features."""
    init_default_scope('mmpose')
    heads = {
        f'{head}.final_layer.{kind}': {0: (1,)}
        for head in ('head', 'frame_head', 'neck.pose_decoder')
        for kind in ('weight', 'bias')
    }
    embedding = {f'neck.pose_embed.{maps}.weight': {1: (1,)} for maps in ('label', 'prior')}
    assert joint_axes(second_cfg()) == {**heads, **embedding}


@pytest.mark.slow
def test_copied_weights_of_the_second_system_by_hand() -> None:
    source, target = build(second_cfg(4), seed=0), build(second_cfg(3), seed=1)
    copy_joints(source, target, joint_axes(second_cfg()), [3, 0, 3])
    old, new = source.state_dict(), target.state_dict()
    for maps in ('label', 'prior'):
        name = f'neck.pose_embed.{maps}.weight'
        assert torch.equal(new[name], torch.stack([old[name][:, n] for n in (3, 0, 3)], dim=1))
    for head in ('head', 'frame_head', 'neck.pose_decoder'):
        for kind in ('weight', 'bias'):
            name = f'{head}.final_layer.{kind}'
            assert torch.equal(new[name], torch.stack([old[name][n] for n in (3, 0, 3)]))
    for name in ('neck.tube_token', 'neck.frame_embed', 'neck.context_decoder.project.weight'):
        assert torch.equal(new[name], old[name])


@pytest.mark.slow
def test_a_permuted_skeleton_gives_permuted_heatmaps_of_the_second_system() -> None:
    config = second_cfg(4)
    source, target = build(config, seed=0).eval(), build(config, seed=1).eval()
    for model in (source, target):
        # Heads start from empty maps.
        for head in (model.head, model.frame_head, model.neck.pose_decoder):
            torch.nn.init.normal_(head.final_layer.weight, std=0.1)
    order = [2, 0, 3, 1]
    copy_joints(source, target, joint_axes(config), order)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 128, 8, 6, generator=generator)
    given = AuxiliaryLabels(
        heatmaps=torch.rand(2, 2, 4, 32, 24, generator=generator),
        mask=torch.rand(2, 2, 4, generator=generator) < 0.5,
        prior=torch.rand(2, 4, 32, 24, generator=generator),
        position=torch.full((2,), 0.5),
    )
    permuted = AuxiliaryLabels(
        given.heatmaps[:, :, order], given.mask[:, :, order], given.prior[:, order], given.position
    )
    masks = source.neck.sample_masks(2)
    with torch.no_grad():
        expected = source.head(source.fuse(features, None, given))
        found = target.head(target.fuse(features, None, permuted))
        hidden = source.neck(features, None, given, masks).reconstruction.heatmaps
        found_hidden = target.neck(features, None, permuted, masks).reconstruction.heatmaps
        without = source.head(source.fuse(features, None))
    torch.testing.assert_close(found, expected[:, order], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found_hidden, hidden[:, order], atol=1e-5, rtol=1e-5)
    assert expected.std() > 0.01
    # So that the labels' weights are part of what is compared.
    assert not torch.allclose(expected, without, atol=1e-3)


def test_joints_may_share_an_origin() -> None:
    config = tiny_cfg()
    source, target = build(config, seed=0), build(with_num_joints(config, 3), seed=1)
    copy_joints(source, target, joint_axes(config), [7, 2, 7])
    final, old = target.head.final_layer.weight, source.head.final_layer.weight
    assert torch.equal(final, old[[7, 2, 7]])
    cross, old = (model.neck.tks.merge_joints[0].weight for model in (target, source))
    assert torch.equal(cross[:2, 2:4], old[14:16, 4:6])
    assert torch.equal(cross[2:4, 4:6], old[4:6, 14:16])
    assert torch.equal(target.backbone.pos_embed, source.backbone.pos_embed)
