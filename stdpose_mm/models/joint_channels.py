"""Adaptation of model configs to another number of joints."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from mmengine.config import ConfigDict


def with_num_joints(model: Mapping[str, Any], num_joints: int) -> ConfigDict:
    """Return the config of a model with another number of joints."""
    config = ConfigDict(deepcopy(dict(model)))
    _set_num_joints(config, num_joints)
    hidden_frames = (config.get('neck') or {}).get('pose_decoder')
    for head in (config.get('head'), config.get('frame_head'), hidden_frames):
        if head and 'out_channels' in head:
            head.out_channels = num_joints
            # This head reads the merged heatmaps themselves.
            if head.get('source') == 'merged_heatmaps':
                head.in_channels = num_joints
    return config


def _set_num_joints(config: ConfigDict, num_joints: int) -> None:
    for key, value in config.items():
        if key == 'num_joints':
            config[key] = num_joints
        elif isinstance(value, ConfigDict):
            _set_num_joints(value, num_joints)
