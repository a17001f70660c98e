"""MMPose's own command-line tools on our configs, which import the package by themselves."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import cv2
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


def run_tool(name: str, *words: object, cwd: Path) -> str:
    """Run a tool of MMPose; gives what it prints."""
    arguments = [*map(str, (mmpose_tool(name), *words))]
    return run_before_openmmlab(RUN.format(words=arguments), cwd=cwd).stdout


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated videos; the third of the training videos is held out."""
    folder = tmp_path_factory.mktemp('mmpose') / 'data'
    write_dataset(folder, 3, 1, ClipSettings(8, 128, 96, (1, 1)), workers=1)
    return folder


def test_mmposes_training_tool_trains_and_validates(data, tmp_path):
    work_dir = tmp_path / 'training'
    words = [
        *(CONFIG, '--work-dir', work_dir, '--amp', '--cfg-options'),
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
    run_tool('train.py', *words, cwd=tmp_path)

    assert [*work_dir.glob('*/vis_data/vis_image/val_img_*.png')]
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [record['loss'] for record in records if 'loss' in record]
    assert len(losses) == MAX_ITERS
    assert all(map(math.isfinite, losses))
    assert [record['step'] for record in records if 'posetrack/AP' in record] == [MAX_ITERS]
    assert (work_dir / f'iter_{MAX_ITERS}.pth').is_file()


def test_mmposes_browser_draws_key_frames_above_heatmaps(data, tmp_path):
    options = ('--output-dir', 'out', '--not-show', '--max-item-per-dataset', 2)
    changes = ('--cfg-options', f'train_dataloader.dataset.data_root={data}')
    run_tool('misc/browse_dataset.py', CONFIG, *options, *changes, cwd=tmp_path)
    shapes = [cv2.imread(str(path)).shape for path in (tmp_path / 'out').iterdir()]
    assert shapes == [(2 * 128, 96, 3)] * 2


def test_mmposes_counter_counts_both_heads(tmp_path):
    printed = run_tool(
        'analysis_tools/get_flops.py', CONFIG, '--input-shape', 128, 96, cwd=tmp_path
    )
    counts = dict(re.findall(r'^\|\s+(\S+)\s+\|[^|]*\|\s*([\d.]+[MG]) ', printed, re.MULTILINE))
    # By hand: 48 tokens of 34 maps, 4x4 pixels each, and 17 joints at 32x24 pixels of three frames.
    assert counts['head.patch_embed'] == f'{48 * 34 * 16 * 128 / 1e6:.3f}M'
    assert counts['frame_head.final_layer'] == f'{3 * 32 * 24 * 32 * 17 / 1e6:.3f}M'
