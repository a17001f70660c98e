from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.engine.config_files import read_config
from support.paths import CONFIGS

pytestmark = pytest.mark.slow

CONFIG = """
_base_ = '{base}'
arch = dict(_delete_=True, embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32)
narrow = dict(in_channels=16, deconv_out_channels=(8, 8))
model = dict(
    backbone=dict(arch=arch),
    neck=dict(tff=dict(embed_dims=16, num_heads=2, num_blocks=1)),
    frame_head=narrow,
    head=dict(num_heads=2, num_blocks=1, **narrow),
)
val_dataloader = dict(
    dataset=dict(data_root='{data}', ann_file='annotations/val', held_out_share=0.0)
)
"""
Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return import_module('research.tools.probe_parts')


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('probe')
    clip = ClipSettings(frames=9, width=96, height=80, people=(1, 1))
    write_dataset(folder / 'data', train_videos=0, val_videos=1, settings=clip, workers=1)
    path = folder / 'narrow.py'
    base = CONFIGS / 'stdpose_tiny_propagation_synthetic.py'
    path.write_text(CONFIG.format(base=base, data=folder / 'data'))
    return path


def test_tables_and_figures_are_written(
    tool: ModuleType, config: Path, tmp_path: Path, run_main: Run
) -> None:
    init_default_scope('mmpose')
    model = MODELS.build(read_config(config).model)
    checkpoint, out = tmp_path / 'weights.pth', tmp_path / 'probe.json'
    torch.save({'state_dict': model.state_dict()}, checkpoint)
    options = ['--batches', '1', '--batch-size', '2', '--out', out]
    code, printed, errors = run_main(tool.main, config, checkpoint, *options)
    assert (code, errors) == (0, [])
    fields = json.loads(out.read_text())
    assert fields['windows'] == 2
    assert fields['checkpoint'] == str(checkpoint)
    assert {part['name'] for part in fields['parts']} >= {'head.mask', 'given labels', 'prior map'}
    for name in fields['dead']:
        assert f'dead: {name} (' in printed


def test_options_of_the_config_are_overridden(
    tool: ModuleType, config: Path, run_main: Run
) -> None:
    options = ['--batches', '1', '--batch-size', '2', '--cfg-options', 'model.head.mask=None']
    code, printed, _ = run_main(tool.main, config, *options)
    assert code == 0
    assert 'head.mask' not in printed


def test_windows_of_a_dataset_within_another_are_read_with_all_labels(
    tool: ModuleType, config: Path
) -> None:
    init_default_scope('mmpose')
    cfg = read_config(config)
    plain = next(tool.read_batches(cfg, str(config), 1, 2))
    cfg.val_dataloader.dataset = dict(type='ConcatDataset', datasets=[cfg.val_dataloader.dataset])
    nested = next(tool.read_batches(cfg, str(config), 1, 2))
    for one, other in zip(plain['data_samples'], nested['data_samples'], strict=True):
        assert one.label_sources == other.label_sources
        assert None not in other.label_sources


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['nothing.pth'], 'checkpoint nothing.pth does not exist'),
        (['--out', 'probe.csv'], '--out'),
        (['--batches', '0'], '--batches'),
        (['--cfg-options', 'val_dataloader.dataset.data_root=nowhere'], 'nowhere'),
        (['--cfg-options', 'model.type=TopdownPoseEstimators'], 'TopdownPoseEstimators'),
    ],
)
def test_mistakes_are_one_line(
    tool: ModuleType, config: Path, run_main: Run, options: list[str], message: str
) -> None:
    code, _, errors = run_main(tool.main, config, *options)
    assert code == 2
    assert len(errors) == 1
    assert message in errors[0]


def test_weights_of_another_model_are_one_line(
    tool: ModuleType, config: Path, tmp_path: Path, run_main: Run
) -> None:
    checkpoint = tmp_path / 'other.pth'
    torch.save({'state_dict': {'layer.weight': torch.zeros(1)}}, checkpoint)
    code, _, errors = run_main(tool.main, config, checkpoint)
    assert code == 2
    (error,) = errors
    assert f'checkpoint {checkpoint} does not fit the model of the config' in error
