"""Tiny models with random weights, whole and taken apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS

import stdpose_mm  # noqa: F401
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.structures import Skeleton

CODEC = {
    'type': 'BoundedUDPHeatmap',
    'input_size': (48, 64),
    'heatmap_size': (12, 16),
    'sigma': 1.0,
}
PIPELINE = [
    {'type': 'LoadWindow'},
    {'type': 'GetBBoxCenterScale', 'padding': 1.25},
    {'type': 'WindowTopdownAffine', 'input_size': CODEC['input_size'], 'use_udp': True},
    {'type': 'GenerateWindowTarget', 'encoder': CODEC, 'test_mode': True},
    {'type': 'PackWindowInputs'},
]


def metainfo_of(skeleton: Skeleton) -> dict[str, Any]:
    return parse_pose_metainfo(skeleton.to_metainfo('tiny'))


def model_cfg(num_joints: int, **changes: Any) -> dict[str, Any]:
    shared = {
        'in_channels': 32,
        'out_channels': num_joints,
        'deconv_out_channels': (16, 16),
        'deconv_kernel_sizes': (4, 4),
        'loss': {'type': 'KeypointMSELoss'},
        'decoder': CODEC,
    }
    cfg = {
        'type': 'STDPose',
        'data_preprocessor': {
            'type': 'WindowDataPreprocessor',
            'mean': [123.0, 116.0, 103.0],
            'std': [58.0, 57.0, 56.0],
            'bgr_to_rgb': True,
        },
        'backbone': {
            'type': 'ViT',
            'arch': {
                'embed_dims': 32,
                'num_layers': 1,
                'num_heads': 2,
                'feedforward_channels': 64,
            },
            'img_size': (64, 48),
            'patch_embed': 'conv_stem',
        },
        'frame_head': {'type': 'FrameHead', **shared},
        'neck': {
            'type': 'STRE',
            'tff': {
                'type': 'TemporalFeatureFusion',
                'embed_dims': 32,
                'num_heads': 2,
                'num_blocks': 1,
            },
            'tks': {
                'type': 'TemporalKeypointsSynthesis',
                'num_joints': num_joints,
                'use_prior': True,
            },
        },
        'head': {
            'type': 'STDAHead',
            'feature_size': (4, 3),
            'num_heads': 2,
            'num_blocks': 1,
            'mask': {'type': 'DynamicAwareMask', 'num_joints': num_joints},
            **shared,
        },
        'test_cfg': {'flip_test': False},
    }
    return {**cfg, **changes}


def light(num_joints: int, num_frames: int = 3) -> dict[str, Any]:
    """Return changes of ``model_cfg`` for its light form."""
    cfg = model_cfg(num_joints)
    simple = {'upsample': 4, 'deconv_out_channels': None, 'deconv_kernel_sizes': None}
    fusion = {
        'type': 'KeyFrameFusion',
        'embed_dims': 32,
        'num_heads': 2,
        'feedforward_channels': 48,
        'num_frames': num_frames,
    }
    mask = {**cfg['head']['mask'], 'num_frames': num_frames}
    head = {'mask': mask, 'feedforward_channels': 48, 'shuffle_channels': 8}
    return {
        'frame_head': {**cfg['frame_head'], **simple},
        'neck': {
            **cfg['neck'],
            'tff': fusion,
            'tks': {**cfg['neck']['tks'], 'num_frames': num_frames},
        },
        'head': {**cfg['head'], **simple, **head},
    }


def pruned(num_joints: int) -> dict[str, Any]:
    """Return changes of ``model_cfg`` for its light form with a backbone that prunes tokens."""
    backbone = model_cfg(num_joints)['backbone']
    return {
        **light(num_joints),
        'backbone': {
            **backbone,
            'arch': {**backbone['arch'], 'num_layers': 2},
            'pruning': {'after': 1, 'keep': 0.5},
        },
    }


def semantic_motion(num_joints: int, labels: bool = False, **neck: Any) -> dict[str, Any]:
    """Return changes of ``model_cfg`` for the second system; it takes labels with ``labels``."""
    cfg = model_cfg(num_joints)
    size = {'embed_dims': 32, 'num_heads': 2}
    embedding = {
        'type': 'GivenPoseEmbedding',
        'num_joints': num_joints,
        'embed_dims': 32,
        'use_prior': True,
    }
    frame_head = cfg['frame_head']
    return {
        'type': 'SemanticMotionPose',
        'neck': {
            'type': 'MLSME',
            'feature_size': (4, 3),
            'tube_ratio': 0.4,
            'tube_length': 2,
            'masked_frames': 1,
            'context_decoder': {'type': 'ContextDecoder', **size},
            'pose_decoder': frame_head,
            'pose_embed': embedding if labels else None,
            **size,
            **neck,
        },
        'head': {
            **frame_head,
            'type': 'SpatialMotionHead',
            'fusion': {'type': 'SpatialMotionMutualLearning', 'num_blocks': 1, **size},
        },
    }


def semantic_motion_appearance(num_joints: int, **neck: Any) -> dict[str, Any]:
    """Return changes of ``model_cfg`` for the second system beyond the paper, with labels."""
    tks = {
        'type': 'AppearanceKeypointsSynthesis',
        'num_joints': num_joints,
        'correlation': {'type': 'AppearanceCorrelation', 'embed_dims': 32},
        'use_prior': True,
    }
    cfg = semantic_motion(num_joints, tks=tks, residual=True, **neck)
    return {**cfg, 'head': {**cfg['head'], 'merged_channels': 48}}


def window_systems(num_joints: int, num_frames: int) -> dict[str, dict[str, Any]]:
    """Return changes of ``model_cfg`` for each system with windows of ``num_frames`` frames."""
    cfg = model_cfg(num_joints)
    stre, stda = cfg['neck'], cfg['head']
    tff, tks = ({**stre[part], 'num_frames': num_frames} for part in ('tff', 'tks'))
    head = {**stda, 'mask': {**stda['mask'], 'num_frames': num_frames}}
    appearance = {
        'type': 'AppearanceKeypointsSynthesis',
        'num_joints': num_joints,
        'correlation': {'type': 'AppearanceCorrelation', 'embed_dims': 32},
        'use_prior': True,
        'num_frames': num_frames,
    }
    return {
        'stdpose': {'neck': {**stre, 'tff': tff, 'tks': tks}, 'head': head},
        'light': light(num_joints, num_frames),
        'appearance': {
            'neck': {**stre, 'tff': {**tff, 'relative_time': True}, 'tks': appearance},
            'head': {**head, 'mask': {**head['mask'], 'normalization': 'mean'}},
        },
        'semantic motion': semantic_motion(num_joints, num_frames=num_frames),
        'semantic motion, labels': semantic_motion(num_joints, labels=True, num_frames=num_frames),
        'semantic motion, appearance': semantic_motion_appearance(
            num_joints, num_frames=num_frames
        ),
    }


def window_model(skeleton: Skeleton, **changes: Any) -> WindowModel:
    """Return the model with weights large enough that its maps show every input."""
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(model_cfg(skeleton.num_keypoints, **changes))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                torch.nn.init.xavier_normal_(parameter, gain=1.5)
            elif name.endswith('bias'):
                torch.nn.init.normal_(parameter, std=0.1)
    return WindowModel(model.eval(), PIPELINE, metainfo_of(skeleton))


def moving_pictures(num_frames: int, width: int = 96, height: int = 80) -> np.ndarray:
    """Return smooth noise [F, H, W, 3] that drifts, different in every frame."""
    rng = np.random.default_rng(0)
    wide = torch.nn.functional.interpolate(
        torch.from_numpy(rng.uniform(0, 255, (1, 3, 12, 40))), (height, width + 3 * num_frames)
    )[0].permute(1, 2, 0)
    return np.stack(
        [wide[:, 3 * n : 3 * n + width].numpy().astype(np.uint8) for n in range(num_frames)]
    )
