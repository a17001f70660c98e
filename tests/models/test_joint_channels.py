"""Configs of models with another number of joints."""

from __future__ import annotations

from mmengine.config import ConfigDict

from stdpose_mm.models.joint_channels import with_num_joints
from support.model_samples import build, tiny_cfg
from support.tiny_models import model_cfg, semantic_motion


def test_the_number_of_joints_is_set_everywhere():
    config = with_num_joints(tiny_cfg(mi=True), 5)
    found = [config.head.out_channels, config.frame_head.out_channels]
    found += [config.head.mask.num_joints, config.neck.tks.num_joints, config.mi_loss.num_joints]
    assert found == [5] * 5


def test_the_config_that_came_in_stays_as_it_was():
    config = ConfigDict(tiny_cfg())
    with_num_joints(config, 5)
    assert config.head.mask.num_joints == 15


def test_the_number_of_joints_of_the_second_system_is_set_everywhere():
    changes = semantic_motion(3, labels=True)
    config = with_num_joints(model_cfg(3, **changes), 5)
    heads = config.head, config.frame_head, config.neck.pose_decoder
    assert [head.out_channels for head in heads] == [5] * 3
    assert config.neck.pose_embed.num_joints == 5
    state = build(config).state_dict()
    assert state['neck.pose_embed.label.weight'].shape == (32, 5, 4, 4)
    assert state['neck.pose_decoder.final_layer.weight'].shape[0] == 5
