"""A study of two entries, trained and tested by the repository's commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from research.tools import study as tool
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from support import warm_commands
from support.paths import ROOT

STUDY = """
title = 'Toys'
metrics = ['posetrack/AP', 'posetrack/PCK@0.1']
tests = [dict(name='T = 3', cfg_options={
    'test_dataloader.dataset.interval': 3, 'test_evaluator.given_interval': 3})]
entries = [dict(name='b, tiny', config='configs/stdpose_tiny_propagation_synthetic.py')]
"""


@pytest.mark.slow
def test_a_study_trains_tests_and_goes_on(tmp_path, monkeypatch, capsys):
    data = tmp_path / 'data'
    clips = ClipSettings(frames=8, width=128, height=96, people=(1, 1))
    write_dataset(data, train_videos=2, val_videos=1, settings=clips, workers=1)
    (tmp_path / 'toys.py').write_text(STUDY)
    calls = []

    def run_tool(name: str, options: Sequence[Any], folder: Path) -> None:
        calls.append(name)
        warm_commands.run(f'tools/{name}', *options, cwd=ROOT)

    monkeypatch.setattr(tool, 'run_tool', run_tool)
    arguments = [
        *(str(tmp_path / 'toys.py'), '--seeds', '3', '--out-dir', str(tmp_path / 'out')),
        *('--steps', '2', '--cfg-options', 'train_dataloader.batch_size=2'),
        *(f'{split}_dataloader.dataset.data_root={data}' for split in ('train', 'test')),
        f'test_evaluator.ann_file={data}/annotations/val',
    ]
    for _ in range(2):
        assert tool.main(arguments) == 0
    assert calls == ['train.py', 'test.py']
    values = json.loads((tmp_path / 'out/b_tiny/seed3/metrics_T_=_3.json').read_text())
    ap, pck = (f'{values[name]:.2f}' for name in ('posetrack/AP', 'posetrack/PCK@0.1'))
    row = f'| b, tiny | T = 3 | 2 of 2 | {ap} | {pck} |'
    assert row in capsys.readouterr().out
    assert row in (tmp_path / 'out/table.md').read_text()
    assert Config.fromfile(tmp_path / 'out/b_tiny/seed3/config.py').randomness.seed == 3

    assert tool.main([*arguments, 'model.head.num_blocks=1']) == 2
    assert 'is of runs with another config' in capsys.readouterr().err


def test_differences_are_those_of_the_same_seed():
    study = Config(dict(metrics=['x/AP'], reference='a'))
    metrics = {'a': {'': [{'x/AP': 1.0}, {'x/AP': 4.0}]}, 'b': {'': [{'x/AP': 3.0}, {'x/AP': 5.0}]}}
    *_, first, second = tool.table(study, {'a': '9', 'b': '9'}, metrics).splitlines()
    assert first == '| a |  | 9 | 2.50 ± 2.12 [1.00, 4.00] |  |'
    assert second == '| b |  | 9 | 4.00 ± 1.41 [3.00, 5.00] | +1.50 ± 0.71 [+1.00, +2.00] |'


def test_without_given_labels_the_metric_of_all_frames_has_the_plain_name():
    assert tool.value_of({'x/AP': 1.0, 'x/AP_all': 2.0}, 'x/AP_all') == 2
    assert tool.value_of({'x/AP': 1.0}, 'x/AP_all') == 1
