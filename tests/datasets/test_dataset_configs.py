"""The base configs build, and browse_dataset draws what they see."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import stdpose_mm  # noqa: F401 - registers what the configs name
from support.paths import ROOT
from support.tiny_set import TinySet
from support.tools import load_tool

pytestmark = pytest.mark.slow

REPOSITORY = ROOT
BASE = REPOSITORY / 'configs' / '_base_'


def write_config(
    path: Path, tiny_set: TinySet, name: str = 'PoseTrack18', task: str = 'propagation'
) -> Path:
    bases = [str(BASE / 'datasets/windows.py'), str(BASE / 'pipelines/windows_128x96.py')]
    changes = (
        f'type="{name}WindowDataset", data_root={str(tiny_set.root)!r}, ann_file="annotations", '
        f'task={task!r}, held_out_share=0.25'  # video b
    )
    offset = task == 'propagation'
    path.write_text(
        f'_base_ = {bases}\n'
        f'train_dataloader = dict(dataset=dict({changes}, random_offset={offset}, '
        'pipeline=_base_.train_pipeline))\n'
        f'val_dataloader = dict(dataset=dict({changes}, pipeline=_base_.val_pipeline))\n'
    )
    return path


browse = load_tool('analysis_tools/browse_dataset').main


def assert_crops(path: Path, num_frames: int) -> None:
    """Three rows of crops, separated by white: the first has colours only of joints and limbs."""
    picture = cv2.imread(str(path))
    assert picture.shape[1] / picture.shape[0] == pytest.approx(num_frames * 0.75 / 3.17, rel=0.01)
    is_dark = (picture < 250).any(axis=-1)
    columns, rows = is_dark[picture.shape[0] // 5 :].mean(0) > 0.5, is_dark.mean(1) > 0.5
    assert [np.count_nonzero(np.diff(line.astype(int)) == 1) for line in (columns, rows)] == [
        num_frames,
        3,
    ]


def test_browse_draws_one_picture_per_window(tiny_set, tmp_path):
    config = write_config(tmp_path / 'config.py', tiny_set)
    assert browse([str(config), '--out-dir', str(tmp_path / 'out'), '--number', '2']) == 0
    pictures = sorted((tmp_path / 'out').iterdir())
    assert len(pictures) == 2
    assert_crops(pictures[0], 3)


@pytest.mark.parametrize('options', [{'num_frames': 5}, {'keys_per_sample': 3, 'crops': 'frame'}])
def test_browse_draws_all_frames_of_a_sample(tiny_set, tmp_path, options):
    config = write_config(tmp_path / 'config.py', tiny_set)
    out = tmp_path / 'out'
    changes = [f'train_dataloader.dataset.{name}={value}' for name, value in options.items()]
    arguments = [str(config), '--out-dir', str(out), '--number', '1', '--cfg-options', *changes]
    assert browse(arguments) == 0
    (picture,) = out.iterdir()
    assert_crops(picture, 5)


def test_browse_reports_missing_data_in_one_line(tiny_set, tmp_path, capsys):
    config = write_config(tmp_path / 'config.py', tiny_set)
    tiny_set.picture(3, 'b').unlink()
    assert browse([str(config), '--out-dir', str(tmp_path / 'out'), '--split', 'val']) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith('browse_dataset.py: ')
    assert '000003.jpg, which does not exist' in lines[0]
    assert not (tmp_path / 'out').exists()
