"""MMPose's own command-line tools on our configs, which import the package by themselves."""

from __future__ import annotations

import json
import math
from pathlib import Path

import mmpose
import pytest

from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from support.paths import ROOT
from support.warm_commands import run_before_openmmlab

pytestmark = pytest.mark.slow

CONFIG = ROOT / 'configs' / 'stdpose_tiny_synthetic.py'
MAX_ITERS = 2


def mmpose_tool(name: str) -> Path:
    """A script of the installed MMPose, which packs its tools as ``.mim/tools``."""
    return Path(mmpose.__file__).parent / '.mim' / 'tools' / name


RUN = """
import runpy, sys
sys.argv = {words}
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_mmposes_training_tool_trains_and_validates(tmp_path: Path) -> None:
    tool = mmpose_tool('train.py')
    data, work_dir = tmp_path / 'data', tmp_path / 'training'
    # The third of the training videos is held out.
    write_dataset(data, 3, 1, ClipSettings(8, 128, 96, (1, 1)), workers=1)
    words = [
        *(tool, CONFIG, '--work-dir', work_dir, '--cfg-options'),
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
    ]
    run_before_openmmlab(RUN.format(words=[*map(str, words)]), cwd=tmp_path)

    assert [*work_dir.glob('*/vis_data/vis_image/val_img_*.png')]
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [record['loss'] for record in records if 'loss' in record]
    assert len(losses) == MAX_ITERS
    assert all(map(math.isfinite, losses))
    assert [record['step'] for record in records if 'posetrack/AP' in record] == [MAX_ITERS]
    assert (work_dir / f'iter_{MAX_ITERS}.pth').is_file()
