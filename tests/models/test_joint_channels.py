"""Channels of joints in weights, and their way into a model of other joints."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from samples import build, tiny_cfg

from stdpose_mm.models.joint_channels import copy_joints, joint_axes, with_num_joints
from stdpose_mm.models.structures import GivenLabels


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


@pytest.mark.parametrize('use_prior', [True, False])
def test_a_permuted_skeleton_gives_permuted_heatmaps(use_prior: bool) -> None:
    """The independent reference: the model itself, run on permuted maps."""
    config = with_num_joints(tiny_cfg(use_prior=use_prior), 4)
    source, target = build(config, seed=0).eval(), build(config, seed=1).eval()
    order = [2, 0, 3, 1]
    copy_joints(source, target, joint_axes(config), order)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 128, 8, 6, generator=generator)
    maps = torch.rand(2, 3, 4, 32, 24, generator=generator)
    given = GivenLabels(
        heatmaps=torch.rand(2, 2, 4, 32, 24, generator=generator),
        mask=torch.rand(2, 2, 4, generator=generator) < 0.5,
        prior=torch.rand(2, 4, 32, 24, generator=generator),
        position=torch.full((2,), 0.5),
    )
    permuted = GivenLabels(
        given.heatmaps[:, :, order], given.mask[:, :, order], given.prior[:, order], given.position
    )
    with torch.no_grad():
        expected = source.head(source.fuse(features, maps, given))
        got = target.head(target.fuse(features, maps[:, :, order], permuted))
        single = source.predict_frame_heatmaps(features)[:, :, order]
        assert torch.allclose(target.predict_frame_heatmaps(features), single, atol=1e-6)
    assert torch.allclose(got, expected[:, order], atol=1e-5)
    assert expected.std() > 0


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
