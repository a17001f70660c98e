"""The configs of the repository, and models of theirs that are small enough for a test."""

from __future__ import annotations

import atexit
import copy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from mmengine.config import Config

from stdpose_mm.engine.config_files import config_files
from stdpose_mm.models.backbones.vit import ARCHITECTURES
from support.onnx_networks import OUTPUTS, write_network
from support.paths import CONFIGS, ROOT

ALIASES = {
    'stdpose_vit_posetrack17.py': 'stdpose_base_propagation_posetrack17.py',
    'stdpose_tiny_synthetic.py': 'stdpose_tiny_propagation_synthetic_appearance_kl.py',
}
NAMES = [
    name
    for path in config_files(ROOT)
    if (name := path.relative_to(CONFIGS).as_posix()) not in ALIASES
]


_read_file = Config._file2dict
_read_file_once = cache(_read_file)


def _copy_of_file(*arguments: Any, **options: Any) -> tuple[dict[str, Any], str, dict[str, Any]]:
    return copy.deepcopy(_read_file_once(*arguments, **options))


@cache
def read(name: str) -> Config:
    """Read a config of the repository; MMEngine would read its base files again for each one."""
    with patch.object(Config, '_file2dict', _copy_of_file):
        return Config.fromfile(CONFIGS / name)


def width_of(cfg: Config) -> int:
    """Return the width D that the backbone of a config gives."""
    if 'network' in cfg.model.backbone:
        return cfg.model.backbone.embed_dims
    arch = cfg.model.backbone.arch
    return (ARCHITECTURES[arch] if isinstance(arch, str) else arch)['embed_dims']


@cache
def small_network() -> str:
    """Return the path of an ONNX file, in place of one that a config expects from its user."""
    folder = TemporaryDirectory(prefix='network-')
    atexit.register(folder.cleanup)
    return write_network(Path(folder.name) / 'network.onnx')


def small_model_cfg(cfg: Config, width: int = 16) -> dict[str, Any]:
    """Return the config's model with one narrow block in each part.

    Only settings that equal the backbone's width become narrow, so those that do not fit it are
    still wrong afterwards.
    """
    model = copy.deepcopy(cfg.model)
    full_width = width_of(cfg)

    def shrink(node: Any) -> None:
        for key, value in node.items():
            if isinstance(value, dict):
                shrink(value)
            elif value == full_width and key in ('embed_dims', 'in_channels', 'feature_channels'):
                node[key] = width
            elif key == 'num_heads':
                node[key] = 2
            elif key == 'num_blocks':
                node[key] = 1
            elif key == 'deconv_out_channels' and value:
                node[key] = (4, 4)

    shrink(model)
    if 'network' in model.backbone:
        model.backbone.network = dict(type='OnnxNetwork', file=small_network(), outputs=OUTPUTS)
        return model
    # Tokens are pruned before the last layer.
    pruning = model.backbone.get('pruning') or {'after': 0}
    model.backbone.arch = dict(
        embed_dims=width, num_layers=pruning['after'] + 1, num_heads=2, feedforward_channels=width
    )
    return model


def write_shallow_config(path: Path, base: str) -> str:
    """Write the tiny config of a name with a backbone of one layer, for what takes long by layers.

    Returns:
        The path of the file, as text.
    """
    arch = {**ARCHITECTURES['tiny'], 'num_layers': 1}
    changed = {'backbone': {'arch': {'_delete_': True, **arch}}}
    path.write_text(f'_base_ = {str(CONFIGS / base)!r}\nmodel = {changed!r}\n')
    return str(path)


DETECTOR = """
model = dict(
    type='mmdet.RTMDet',
    backbone=dict(type='mmdet.CSPNeXt', deepen_factor=0.167, widen_factor=0.125),
    neck=dict(
        type='mmdet.CSPNeXtPAFPN', in_channels=[32, 64, 128], out_channels=32, num_csp_blocks=1
    ),
    bbox_head=dict(
        type='mmdet.RTMDetHead', num_classes=1, in_channels=32, feat_channels=32,
        anchor_generator=dict(type='mmdet.MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
        bbox_coder=dict(type='mmdet.DistancePointBBoxCoder'),
    ),
)
"""
"""A small detector of MMDetection, as the text of a config."""
