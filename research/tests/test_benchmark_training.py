from __future__ import annotations

import re
from pathlib import Path

import pytest

from research.speed.training_speed import TrainingSpeed
from research.tools import benchmark_training
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from support.paths import ROOT

CONFIG = str(ROOT / 'configs' / 'stdpose_tiny_propagation_synthetic_appearance.py')


@pytest.fixture
def tool():
    return benchmark_training


def test_the_ratio_is_that_of_loader_to_model():
    speed = TrainingSpeed(batch_size=8, workers=1, batches=20, loader=300.0, model=40.0)
    assert speed.summary().splitlines() == [
        '20 batches of 8 samples',
        'loader alone (1 worker)  300.0 samples/s',
        'training step alone  40.0 samples/s',
        'ratio  7.50',
    ]


@pytest.mark.slow
def test_it_measures_a_config_on_generated_clips(tool, tmp_path: Path, capsys):
    clips = ClipSettings(frames=8, width=128, height=96, people=(1, 1))
    write_dataset(tmp_path, train_videos=1, val_videos=0, settings=clips, workers=1)
    options = ['train_dataloader.batch_size=2', f'train_dataloader.dataset.data_root={tmp_path}']
    assert tool.main([CONFIG, '--batches', '2', '--cfg-options', *options]) == 0
    found = re.search(
        r'2 batches of 2 samples\nloader alone \(1 worker\)  (\S+) samples/s\n'
        r'training step alone  (\S+) samples/s\nratio  \S+\n',
        capsys.readouterr().out,
    )
    assert found
    assert all(float(speed) > 0 for speed in found.groups())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere.py'], 'nowhere.py does not exist'),
        ([CONFIG, '--cfg-options', 'train_dataloader.dataset.data_root=no'], 'do not exist'),
    ],
)
def test_mistakes_are_one_line(tool, capsys, arguments, message):
    assert tool.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
