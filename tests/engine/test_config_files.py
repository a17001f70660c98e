from __future__ import annotations

import sys

import pytest
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from mmpose.registry import MODELS

from stdpose_mm.engine.config_files import config_mistakes, read_config
from stdpose_mm.errors import InputError
from support import toy_training  # noqa: F401  registers ToyModel


def build_with(backbone: str | dict) -> None:
    with config_mistakes('mine.py'):
        MODELS.build(dict(type='STDPose', backbone=backbone, head=None))


def test_a_text_in_place_of_a_part_is_named():
    with pytest.raises(InputError, match=r"mine\.py: .* but got <class 'str'>"):
        build_with('ResNet')


def test_a_backend_whose_package_is_not_installed_says_what_to_install(tmp_path, monkeypatch):
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


def test_options_that_replace_an_entry_do_so_in_each_config_that_is_read(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("model = dict(head=dict(type='A', kernel=3))\n")
    options = ConfigDict({'model.head': dict(_delete_=True, type='B')})
    configs = [read_config(config, options) for _ in range(2)]
    assert [cfg.model.head for cfg in configs] == [dict(type='B')] * 2
