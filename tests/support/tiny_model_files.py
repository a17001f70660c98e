"""Config and checkpoint of a tiny model, as files."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS

from stdpose_mm.structures import Skeleton

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), ((0, 1), (0, 2)))

CONFIG = """
custom_imports = dict(imports=['stdpose_mm'], allow_failed_imports=False)
default_scope = 'mmpose'
codec = dict(type='BoundedUDPHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=1.0)
shared = dict(
    in_channels=32,
    out_channels=3,
    deconv_out_channels=(16, 16),
    deconv_kernel_sizes=(4, 4),
    loss=dict(type='KeypointMSELoss'),
    decoder=codec,
)
model = dict(
    type='STDPose',
    data_preprocessor=dict(
        type='WindowDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3, bgr_to_rgb=True
    ),
    backbone=dict(
        type='ViT',
        arch=dict(embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=64),
        img_size=(64, 48),
        patch_embed='conv_stem',
    ),
    frame_head=dict(type='FrameHead', **shared),
    neck=dict(
        type='STRE',
        tff=dict(type='TemporalFeatureFusion', embed_dims=32, num_heads=2, num_blocks=1),
        tks=dict(type='TemporalKeypointsSynthesis', num_joints=3, use_prior=True),
    ),
    head=dict(
        type='STDAHead',
        feature_size=(4, 3),
        num_heads=2,
        num_blocks=1,
        mask=dict(type='DynamicAwareMask', num_joints=3),
        **shared,
    ),
    test_cfg=dict(flip_test=True),
)
test_dataloader = dict(
    dataset=dict(
        type='GenericWindowDataset',
        task='estimation',
        pipeline=[
            dict(type='LoadWindow'),
            dict(type='GetBBoxCenterScale', padding=1.25),
            dict(type='WindowTopdownAffine', input_size=codec['input_size'], use_udp=True),
            dict(type='GenerateWindowTarget', encoder=codec, test_mode=True),
            dict(type='PackWindowInputs'),
        ],
    )
)
"""


def write_model_files(folder: Path) -> tuple[Path, Path]:
    """Write config and checkpoint of a tiny STDPose for three joints, with random weights."""
    config, checkpoint = folder / 'tiny.py', folder / 'tiny.pth'
    config.write_text(CONFIG)
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    metainfo = parse_pose_metainfo(SKELETON.to_metainfo('tiny'))
    torch.save({'meta': {'dataset_meta': metainfo}, 'state_dict': model.state_dict()}, checkpoint)
    return config, checkpoint
