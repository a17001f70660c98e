from __future__ import annotations

import re

import pytest

from research.tools import benchmark_training
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from support.paths import ROOT

CONFIG = str(ROOT / 'configs' / 'stdpose_tiny_propagation_synthetic_appearance.py')


@pytest.fixture
def tool():
    return benchmark_training


@pytest.mark.slow
def test_it_measures_a_config_on_generated_clips(tool, tmp_path, capsys):
    clips = ClipSettings(frames=8, width=128, height=96, people=(1, 1))
    write_dataset(tmp_path, train_videos=1, val_videos=0, settings=clips, workers=1)
    options = ['train_dataloader.batch_size=2', f'train_dataloader.dataset.data_root={tmp_path}']
    assert tool.main([CONFIG, '--batches', '2', '--cfg-options', *options]) == 0
    speeds = re.search(
        r'2 batches of 2 samples\nloader alone \(1 worker\)  (\S+) samples/s\n'
        r'training step alone  (\S+) samples/s\nratio  \S+\n',
        capsys.readouterr().out,
    )
    assert speeds
    assert all(float(speed) > 0 for speed in speeds.groups())
