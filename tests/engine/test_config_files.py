from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import MODELS

from stdpose_mm.engine.config_files import config_mistakes
from stdpose_mm.errors import InputError
from support import toy_training  # noqa: F401  registers ToyModel


def build_with(backbone: str | dict) -> None:
    with config_mistakes('mine.py'):
        MODELS.build(dict(type='STDPose', backbone=backbone, head=None))


def test_a_text_in_place_of_a_part_is_named() -> None:
    with pytest.raises(InputError, match=r"mine\.py: 'ResNet' stands where a dictionary"):
        build_with('ResNet')


@pytest.mark.skipif(find_spec('mmpretrain') is not None, reason='mmpretrain is installed')
def test_a_class_of_a_package_that_is_not_installed_says_so() -> None:
    with pytest.raises(InputError, match='registry because mmpretrain is not installed'):
        build_with(dict(type='mmpretrain.VisionTransformer'))


def test_a_backend_whose_package_is_not_installed_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'wandb', None)
    visualizer = dict(type='Visualizer', vis_backends=[dict(type='WandbVisBackend')])
    cfg = Config(
        dict(
            default_scope='mmpose',
            model=dict(type='ToyModel'),
            work_dir=str(tmp_path),
            visualizer=visualizer,
        )
    )
    with (
        pytest.raises(InputError, match=r'mine\.py: the runner: Please run "pip install wandb"'),
        config_mistakes('mine.py'),
    ):
        Runner.from_cfg(cfg)
