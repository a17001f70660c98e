"""MMPose's own command-line tools on our configs, which import the package by themselves."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import mmpose
import pytest

from support.paths import ROOT

pytestmark = pytest.mark.slow

CONFIG = ROOT / 'configs' / 'stdpose_tiny_synthetic.py'
MAX_ITERS = 2


def mmpose_tool(name: str) -> Path:
    """A script of the installed MMPose, which packs its tools as ``.mim/tools``."""
    return Path(mmpose.__file__).parent / '.mim' / 'tools' / name


def run(script: Path, *arguments: object, cwd: Path) -> None:
    """Run a command that must succeed."""
    environment = {
        **os.environ,
        'PYTHONPATH': str(ROOT),
        'OMP_NUM_THREADS': '1',
        'CUDA_VISIBLE_DEVICES': '',
    }
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_mmposes_training_tool_trains_and_validates(tmp_path: Path) -> None:
    tool = mmpose_tool('train.py')
    data, work_dir = tmp_path / 'data', tmp_path / 'training'
    run(
        ROOT / 'tools' / 'dataset_converters' / 'make_synthetic_posetrack.py',
        # The third of the training videos is held out.
        *(data, '--train-videos', 3, '--val-videos', 1, '--frames', 8, '--workers', 1),
        *('--width', 128, '--height', 96, '--people', 1, 1),
        cwd=tmp_path,
    )
    run(
        tool,
        *(CONFIG, '--work-dir', work_dir, '--cfg-options'),
        *(f'{split}_dataloader.dataset.data_root={data}' for split in ('train', 'val', 'test')),
        f'val_evaluator.ann_file={data}/annotations/train',
        f'test_evaluator.ann_file={data}/annotations/val',
        'train_dataloader.batch_size=2',
        f'train_cfg.max_iters={MAX_ITERS}',
        f'train_cfg.val_interval={MAX_ITERS}',
        f'default_hooks.checkpoint.interval={MAX_ITERS}',
        'default_hooks.logger.interval=1',
        'default_hooks.visualization.enable=True',
        'default_hooks.visualization.interval=1',
        cwd=tmp_path,
    )

    assert [*work_dir.glob('*/vis_data/vis_image/val_img_*.png')]
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [record['loss'] for record in records if 'loss' in record]
    assert len(losses) == MAX_ITERS
    assert all(map(math.isfinite, losses))
    assert [record['step'] for record in records if 'posetrack/AP' in record] == [MAX_ITERS]
    assert (work_dir / f'iter_{MAX_ITERS}.pth').is_file()
