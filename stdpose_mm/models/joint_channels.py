"""The channels of a model that belong to each joint, copied to a model with other joints.

The number of joints K decides the size of some axes of some weights. On such an axis every joint
has the same number of channels, and a joint's channels lie together, joint after joint; where an
axis comes from a concatenation, this holds for each of its parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmpose.registry import MODELS
from torch import nn

JointAxes = dict[str, dict[int, tuple[int, ...]]]
"""Weight -> axis that depends on K -> channels per joint of each concatenated part."""


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


def joint_axes(model: Mapping[str, Any]) -> JointAxes:
    """Find where the weights of a model depend on its number of joints.

    Args:
        model: Config of the model.
    """
    # Axes that grow with one more joint depend on the number of joints.
    with torch.device('meta'):
        two, three = (MODELS.build(with_num_joints(model, number)) for number in (2, 3))
    larger = three.state_dict()
    axes: JointAxes = {}
    for name, weight in two.state_dict().items():
        grown = [big - small for small, big in zip(weight.shape, larger[name].shape, strict=True)]
        found = {
            axis: _parts(name, axis, channels, grown[0])
            for axis, channels in enumerate(grown)
            if channels
        }
        if found:
            axes[name] = found
    return axes


def _parts(name: str, axis: int, channels: int, out_channels: int) -> tuple[int, ...]:
    if axis == 1 and name.endswith('tks.synthesize.0.0.weight'):
        # The merged maps, then the maps they were merged from.
        return out_channels, channels - out_channels
    if axis == 1 and name.endswith('head.patch_embed.weight'):
        # The masked maps, then the unmasked ones.
        return (1,) * channels
    return (channels,)


def copy_joints(
    source: nn.Module, target: nn.Module, axes: JointAxes, origins: Sequence[int]
) -> None:
    """Copy the weights of one model into a model that differs in its joints only.

    Args:
        source: Model to copy from.
        target: Model to copy to, with the same config except for the number of joints.
        axes: :func:`joint_axes` of that config.
        origins: For each joint of ``target`` the joint of ``source`` whose channels it takes;
            several joints may take the same one.
    """
    weights = source.state_dict()
    with torch.no_grad():
        for name, weight in target.state_dict().items():
            values = weights[name]
            for axis, parts in axes.get(name, {}).items():
                channels = _channels(values.shape[axis], parts, origins)
                values = values.index_select(axis, channels.to(values.device))
            weight.copy_(values)


def _channels(size: int, parts: tuple[int, ...], joints: Sequence[int]) -> torch.Tensor:
    """List the indices of the channels of ``joints`` on an axis of ``size`` channels."""
    num_joints = size // sum(parts)
    starts = num_joints * np.cumsum((0, *parts[:-1]))
    return torch.tensor(
        [
            start + joint * channels + channel
            for start, channels in zip(starts, parts, strict=True)
            for joint in joints
            for channel in range(channels)
        ],
        dtype=torch.long,
    )
