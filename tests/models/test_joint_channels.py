"""Configs of models with another number of joints."""

from __future__ import annotations

from typing import Any

from mmengine.config import ConfigDict

from stdpose_mm.models.joint_channels import with_num_joints
from support.model_samples import build, tiny_cfg


def test_the_number_of_joints_is_set_everywhere() -> None:
    config = with_num_joints(tiny_cfg(mi=True), 5)
    found = [config.head.out_channels, config.frame_head.out_channels]
    found += [config.head.mask.num_joints, config.neck.tks.num_joints, config.mi_loss.num_joints]
    assert found == [5] * 5


def test_the_config_that_came_in_stays_as_it_was() -> None:
    config = ConfigDict(tiny_cfg())
    with_num_joints(config, 5)
    assert config.head.mask.num_joints == 15


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
