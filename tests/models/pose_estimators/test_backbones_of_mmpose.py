"""The flagship with backbones of MMPose of other strides, changed as the page of configs says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from stdpose_mm.errors import InputError
from stdpose_mm.models.joint_channels import with_num_joints
from stdpose_mm.models.necks import AppearanceCorrelation
from support.model_samples import NUM_JOINTS, window_batch
from support.small_configs import read

HRNET = dict(
    stage1=dict(
        num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1,), num_channels=(8,)
    ),
    **{
        f'stage{n}': dict(
            num_modules=1,
            num_branches=n,
            block='BASIC',
            num_blocks=(1,) * n,
            num_channels=(32, 32, 32, 32)[:n],
        )
        for n in (2, 3, 4)
    },
)
# Backbone, its width, the grid of its features for 128x96 crops, and how often heads double it.
BACKBONES = {
    'ResNet': (dict(type='ResNet', depth=18), 512, (4, 3), 3),
    'HRNet': (dict(type='HRNet', extra=HRNET), 32, (32, 24), 0),
    'Swin': (
        dict(
            type='SwinTransformer', depths=(1, 1, 1, 1), embed_dims=16, num_heads=(1, 2, 2, 4),
            out_indices=(3,),
        ),
        *(128, (4, 3), 3),
    ),
}  # fmt: skip


def flagship(backbone: str) -> Any:
    """The model of the flagship with another backbone, and heads that are narrow."""
    settings, width, grid, doublings = BACKBONES[backbone]
    model = copy.deepcopy(read('stdpose_base_propagation_posetrack17.py')).model
    model.backbone = settings
    decoder = dict(
        in_channels=width,
        deconv_out_channels=(8,) * doublings or None,
        deconv_kernel_sizes=(4,) * doublings or None,
    )
    model.frame_head.update(decoder)
    model.head.update(decoder, feature_size=grid, patch_size=32 // grid[0], num_heads=4)
    model.neck.tff.update(embed_dims=width, num_heads=4)
    model.mi_loss.feature_channels = width
    return with_num_joints(model, NUM_JOINTS)


@pytest.mark.parametrize('backbone', BACKBONES)
def test_the_flagship_learns_with_a_backbone_of_another_stride(backbone):
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(flagship(backbone)).train()
    losses = model(**model.data_preprocessor(window_batch(2), True), mode='loss')
    information = {name: value for name, value in losses.items() if name.startswith('loss_mi')}
    assert len(information) == 6
    total, _ = model.parse_losses(losses)
    total.backward()
    gradients = [value.grad for value in model.backbone.parameters() if value.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert max(gradient.abs().max() for gradient in gradients) > 0
    assert information['loss_mi_label_feature'] > 0


def test_appearance_is_compared_at_the_stride_of_the_backbone():
    maps = torch.rand(1, 2, 3, 16, 8)
    features = torch.rand(1, 3, 4, 2, 1)
    similarity, _ = AppearanceCorrelation(4, upsample=8)(features[:, :2], features[:, 2], maps)
    assert similarity.shape == maps.shape
    with pytest.raises(InputError, match=r'\[8, 4\] \(height, width\) and the heatmaps \[16, 8\]'):
        AppearanceCorrelation(4)(features[:, :2], features[:, 2], maps)
