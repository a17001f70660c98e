"""Tiny models with random weights, whole and taken apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS

import stdpose_mm  # noqa: F401
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.structures import Skeleton

Files = tuple[Path, Path]
"""Config and checkpoint."""

JOINTS = ('head', 'left_hand', 'right_hand')
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


def stdpose_cfg(
    num_joints: int,
    codec: dict[str, Any],
    width: int,
    num_heads: int = 2,
    num_blocks: int = 1,
    deconv: tuple[int, int] = (16, 16),
    loss: dict[str, Any] | None = None,
    **backbone: Any,
) -> dict[str, Any]:
    """Return the config of an STDPose with all parts of the paper but mutual information.

    Args:
        num_joints: K.
        codec: Settings of the encoder of heatmaps.
        width: D of the features.
        num_heads: Attention heads of neck and head.
        num_blocks: Blocks of either.
        deconv: Channels of the decoders.
        loss: Settings of the losses of both heads.
        **backbone: Settings of the ViT.
    """
    shared = {
        'in_channels': width,
        'out_channels': num_joints,
        'deconv_out_channels': deconv,
        'deconv_kernel_sizes': (4, 4),
        'loss': loss or {'type': 'KeypointMSELoss'},
        'decoder': codec,
    }
    blocks = {'num_heads': num_heads, 'num_blocks': num_blocks}
    columns, rows = (side // 16 for side in codec['input_size'])
    return {
        'type': 'STDPose',
        'data_preprocessor': {
            'type': 'WindowDataPreprocessor',
            'mean': [123.0, 116.0, 103.0],
            'std': [58.0, 57.0, 56.0],
            'bgr_to_rgb': True,
        },
        'backbone': {'type': 'ViT', 'img_size': codec['input_size'][::-1], **backbone},
        'frame_head': {'type': 'FrameHead', **shared},
        'neck': {
            'type': 'STRE',
            'tff': {'type': 'TemporalFeatureFusion', 'embed_dims': width, **blocks},
            'tks': {'type': 'TemporalKeypointsSynthesis', 'num_joints': num_joints},
        },
        'head': {
            'type': 'STDAHead',
            'feature_size': (rows, columns),
            'mask': {'type': 'DynamicAwareMask', 'num_joints': num_joints},
            **blocks,
            **shared,
        },
        'test_cfg': {'flip_test': False},
    }


def model_cfg(num_joints: int, **changes: Any) -> dict[str, Any]:
    arch = {'embed_dims': 32, 'num_layers': 1, 'num_heads': 2, 'feedforward_channels': 64}
    cfg = stdpose_cfg(num_joints, CODEC, 32, arch=arch, patch_embed='conv_stem')
    cfg['neck']['tks']['use_prior'] = True
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


def appearance_synthesis(num_joints: int, width: int = 32, **changes: Any) -> dict[str, Any]:
    return {
        'type': 'AppearanceKeypointsSynthesis',
        'num_joints': num_joints,
        'correlation': {'type': 'AppearanceCorrelation', 'embed_dims': width},
        'use_prior': True,
        **changes,
    }


def semantic_motion(
    num_joints: int, labels: bool = False, base: dict[str, Any] | None = None, **neck: Any
) -> dict[str, Any]:
    """Return changes of a config for the second system.

    Args:
        num_joints: K.
        labels: Whether it takes labels.
        base: The config, by default ``model_cfg``.
        **neck: Changes of the neck.
    """
    cfg = base or model_cfg(num_joints)
    frame_head, stda = cfg['frame_head'], cfg['head']
    size = {'embed_dims': frame_head['in_channels'], 'num_heads': stda['num_heads']}
    embedding = {
        'type': 'GivenPoseEmbedding',
        'num_joints': num_joints,
        'embed_dims': size['embed_dims'],
        'use_prior': True,
    }
    fusion = {'type': 'SpatialMotionMutualLearning', 'num_blocks': stda['num_blocks'], **size}
    return {
        'type': 'SemanticMotionPose',
        'neck': {
            'type': 'MLSME',
            'feature_size': stda['feature_size'],
            'tube_ratio': 0.4,
            'tube_length': 2,
            'masked_frames': 1,
            'context_decoder': {'type': 'ContextDecoder', **size},
            'pose_decoder': frame_head,
            'pose_embed': embedding if labels else None,
            **size,
            **neck,
        },
        'head': {**frame_head, 'type': 'SpatialMotionHead', 'fusion': fusion},
    }


def semantic_motion_appearance(
    num_joints: int, base: dict[str, Any] | None = None, **neck: Any
) -> dict[str, Any]:
    """Return changes of a config for the second system beyond the paper, with labels."""
    width = (base or model_cfg(num_joints))['frame_head']['in_channels']
    tks = appearance_synthesis(num_joints, width)
    cfg = semantic_motion(num_joints, base=base, **{'tks': tks, 'residual': True, **neck})
    return {**cfg, 'head': {**cfg['head'], 'merged_channels': 48}}


def window_systems(num_joints: int, num_frames: int) -> dict[str, dict[str, Any]]:
    """Return changes of ``model_cfg`` for each system with windows of ``num_frames`` frames."""
    cfg = model_cfg(num_joints)
    stre, stda = cfg['neck'], cfg['head']
    tff, tks = ({**stre[part], 'num_frames': num_frames} for part in ('tff', 'tks'))
    head = {**stda, 'mask': {**stda['mask'], 'num_frames': num_frames}}
    appearance = appearance_synthesis(num_joints, num_frames=num_frames)
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


def random_model(cfg: dict[str, Any]) -> torch.nn.Module:
    """Return a model with weights large enough that its maps show every input."""
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                torch.nn.init.xavier_normal_(parameter, gain=1.5)
            elif name.endswith('bias'):
                torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def window_model(skeleton: Skeleton, **changes: Any) -> WindowModel:
    """Return :func:`random_model` of ``model_cfg`` with what surrounds it."""
    model = random_model(model_cfg(skeleton.num_keypoints, **changes))
    return WindowModel(model, PIPELINE, metainfo_of(skeleton))


def write_model_files(folder: Path, model: torch.nn.Module | None = None, **changes: Any) -> Files:
    """Write config and checkpoint of a tiny model for three joints.

    Args:
        folder: Where ``tiny.py`` and ``tiny.pth`` are written.
        model: The model, by default as it is initialised.
        **changes: Changes of ``model_cfg``.
    """
    files = folder / 'tiny.py', folder / 'tiny.pth'
    cfg = model_cfg(3, **{'test_cfg': {'flip_test': True}, **changes})
    data = {'type': 'GenericWindowDataset', 'task': 'estimation', 'pipeline': PIPELINE}
    files[0].write_text(
        "custom_imports = dict(imports=['stdpose_mm'], allow_failed_imports=False)\n"
        f"default_scope = 'mmpose'\nmodel = {cfg!r}\n"
        f'test_dataloader = dict(dataset={data!r})\n'
    )
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(cfg) if model is None else model
    meta = {'dataset_meta': metainfo_of(Skeleton(JOINTS, ((0, 1), (0, 2))))}
    torch.save({'meta': meta, 'state_dict': model.state_dict()}, files[1])
    return files


def moving_pictures(num_frames: int, width: int = 96, height: int = 80) -> np.ndarray:
    """Return smooth noise [F, H, W, 3] that drifts, different in every frame."""
    rng = np.random.default_rng(0)
    wide = torch.nn.functional.interpolate(
        torch.from_numpy(rng.uniform(0, 255, (1, 3, 12, 40))), (height, width + 3 * num_frames)
    )[0].permute(1, 2, 0)
    return np.stack(
        [wide[:, 3 * n : 3 * n + width].numpy().astype(np.uint8) for n in range(num_frames)]
    )
