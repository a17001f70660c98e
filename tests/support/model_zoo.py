"""A model zoo of MMPose with one network, in a folder."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from stdpose_mm.io.disk.file_names import find_installed_config

from .mmpose_checkpoints import FAMILIES

NAME = 'tiny_coco-256x192'


def published_name(content: bytes) -> str:
    """Name weights as OpenMMLab's publishing script does."""
    return f'tiny-{hashlib.sha256(content).hexdigest()[:8]}_20230101.pth'


def install_zoo(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make MMPose look as if it had one network in its zoo; return the folder of fetched weights.

    Args:
        folder: Where the zoo is written, and weights are fetched to.
        url: Address of the network's weights.
        monkeypatch: Undoes it.
    """
    base = find_installed_config(FAMILIES['rtmpose'], [('mmpose', 'configs')])
    root = folder / 'mmpose/.mim'
    configs = root / 'configs/body_2d_keypoint/rtmpose/coco'
    configs.mkdir(parents=True)
    (root / 'configs/_base_').symlink_to(base.parents[3] / '_base_')
    (configs / f'{NAME}.py').write_text(f'_base_ = [{str(base)!r}]\n')
    (root / 'model-index.yml').write_text(f'Import:\n- {configs.relative_to(root)}/tiny.yml\n')
    (configs / 'tiny.yml').write_text(f"""
Models:
- Name: {NAME}
  Alias: [Tiny, small]
  Config: {configs.relative_to(root)}/{NAME}.py
  Metadata:
    Training Data: [COCO, MPII]
  Results:
  - Dataset: COCO
  Weights: {url}
""")
    find_spec = importlib.util.find_spec
    zoo = SimpleNamespace(submodule_search_locations=[str(folder / 'mmpose')])

    def find(name: str, *rest: str) -> object:
        return zoo if name == 'mmpose' else find_spec(name, *rest)

    monkeypatch.setattr(importlib.util, 'find_spec', find)
    monkeypatch.setenv('TORCH_HOME', str(folder / 'torch'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    return folder / 'torch/hub/checkpoints'
