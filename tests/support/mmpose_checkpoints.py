"""Checkpoints of MMPose's installed configs with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

import stdpose_mm  # noqa: F401
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.io.disk.file_names import find_installed_config

FAMILIES = {
    'vitpose': 'td-hm_ViTPose-small_8xb64-210e_coco-256x192',
    'hrnet': 'td-hm_hrnet-w32_8xb64-210e_coco-256x192',
    'rtmpose': 'rtmpose-t_8xb256-420e_coco-256x192',
}
"""The smallest config of each family."""


def write_random_checkpoint(config: str, path: Path, **dataset_meta: Any) -> None:
    """Write the checkpoint of a training run with a config before its first step."""
    model = read_config(find_installed_config(config, [('mmpose', 'configs')]) or config).model
    model.backbone.pop('init_cfg', None)
    if model.backbone.type.endswith('.VisionTransformer'):
        # The same weights by the same names: tests/models has the proof.
        model.backbone = dict(type='ViT', arch=model.backbone.arch, img_size=(256, 192))
    init_default_scope('mmpose')
    torch.manual_seed(0)
    state_dict = MODELS.build(model).state_dict()
    torch.save({'state_dict': state_dict, 'meta': {'dataset_meta': dataset_meta}}, path)
