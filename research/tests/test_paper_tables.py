"""Every row of the paper's tables of STDPose has the paper's form and ours, and builds."""

from __future__ import annotations

import copy
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, MODELS

from stdpose_mm.cli.propagate import main as run_propagate
from stdpose_mm.cli.runner_options import parse_config_options
from stdpose_mm.engine.config_files import read_config
from support.doc_blocks import blocks_of
from support.paths import ROOT
from support.small_configs import small_model_cfg

from .test_research_configs import STUDIES, entry_config, options_of

PARTS = {
    'a': set(),
    'b': {'tff'},
    'c': {'tks'},
    'd': {'tff', 'tks', 'stda'},
    'e': {'tff', 'tks', 'stda', 'dam'},
    'f': {'tff', 'tks', 'stda', 'dam', 'mi'},
}
"""Table 4, upper half."""

ROWS = {
    **{f'table1_posetrack{year}': ['STDPose'] for year in (17, 18, 21)},
    **{f'table2_posetrack{year}': ['STDPose'] for year in (17, 18, 21)},
    'table4_components_posetrack17': [f'({row})' for row in PARTS],
    'table4_intervals_posetrack17': ['STDPose'],
    'table5_posetrack17': ['k = 1.5, theta = 0.5'],
    'table6_posetrack17': ['224x168', '256x192', '384x288'],
}
"""Study of a table -> its rows of STDPose, those of Table 5 by one of its twenty."""


def entry_of(study: str, row: str, literal: bool) -> Any:
    entries = STUDIES[study].entries
    if study == 'table5_posetrack17':
        entries = STUDIES[f'{study}_literal' if literal else study].entries
        return next(entry for entry in entries if entry.name == row)
    if study == 'table4_components_posetrack17' and not literal:
        return next(entry for entry in entries if re.match(re.escape(row), entry.name))
    return next(entry for entry in entries if entry.name == row_name(study, row, literal))


def row_name(study: str, row: str, literal: bool) -> str:
    separator = ' ' if study.startswith('table4_components') else ', '
    return f'{row}{separator}literal' if literal else row


@pytest.mark.parametrize('literal', [False, True], ids=['ours', 'literal'])
@pytest.mark.parametrize(
    ('study', 'row'), [(study, row) for study, rows in ROWS.items() for row in rows]
)
def test_a_row_of_the_paper_builds(study, row, literal):
    init_default_scope('mmpose')
    cfg = entry_config(entry_of(study, row, literal))
    with torch.device('meta'):
        MODELS.build(small_model_cfg(cfg))
    target = next(
        step
        for step in cfg.train_dataloader.dataset.pipeline
        if step.type == 'GenerateWindowTarget'
    )
    assert (target.get('aux_label_prob', 1) == 0) == literal
    mask = cfg.model.head.get('mask')
    if mask is not None:
        assert (mask.normalization == 'softmax') == literal
    if cfg.model.get('mi_loss') is not None:
        assert (cfg.model.mi_loss.get('estimator') == 'literal') == literal
    assert cfg.model.backbone.arch == 'base'


@pytest.mark.parametrize('literal', [False, True], ids=['ours', 'literal'])
@pytest.mark.parametrize('row', PARTS)
def test_a_row_of_table_4_has_its_parts(row, literal):
    model = entry_config(entry_of('table4_components_posetrack17', f'({row})', literal)).model
    neck = model.neck or {}
    parts = {
        'tff': neck.get('tff') is not None,
        'tks': neck.get('tks') is not None,
        'stda': model.head.type == 'STDPoseSTDAHead',
        'dam': model.head.get('mask') is not None,
        'mi': model.get('mi_loss') is not None,
    }
    assert {name for name, is_there in parts.items() if is_there} == PARTS[row]


@pytest.mark.parametrize('literal', [False, True], ids=['ours', 'literal'])
def test_the_rows_of_table_5_differ_in_the_mask_alone(literal):
    init_default_scope('mmpose')
    models = []
    for theta in (0, 0.2, 0.5, 0.7):
        for k in (0.5, 1, 1.5, 2, 5):
            entry = entry_of('table5_posetrack17', f'k = {k}, theta = {theta}', literal)
            models.append(copy.deepcopy(entry_config(entry).model))
            mask = MODELS.build(models[-1].head.pop('mask'))
            assert (mask.slope, mask.threshold) == (k, theta)
    assert all(model == models[0] for model in models)


def test_the_intervals_of_table_4_are_tested_with_one_checkpoint():
    study = STUDIES['table4_intervals_posetrack17']
    intervals = [options_of({}, test)['test_evaluator.given_interval'] for test in study.tests]
    # The paper's are 15, 9, 7, 5, 3 and 2.
    assert {15, 9, 7, 5, 3, 2} <= {*intervals}
    assert [entry.name for entry in study.entries] == ['STDPose', 'STDPose, literal']


def key_frames(command: str, literal: bool) -> list[Any]:
    """The training samples of a call of train.py, or of the paper's form of its config."""
    _, config, *words = shlex.split(command)
    options = parse_config_options(words[words.index('--cfg-options') + 1 :])
    cfg = read_config(Path(config).stem + '_literal' * literal, options)
    windows = DATASETS.build(cfg.train_dataloader.dataset)
    return [windows.get_data_info(number) for number in range(len(windows))]


@pytest.mark.usefixtures('in_real_layouts')
def test_the_commands_of_table_3_fit_the_folders_of_posetrack17(tmp_path):
    (script,) = (
        block.text
        for block in blocks_of(ROOT / 'research' / 'docs' / 'studies.md')
        if block.text.startswith('T=7; W=work_dirs/table3')
    )
    propagation_dir = Path('work_dirs/table3_T7/propagation')
    propagation_dir.mkdir(parents=True)
    (propagation_dir / 'last_checkpoint').write_text('last.pth')
    record = 'python() { echo "$@" >> "$CALLS"; }; stdpose() { python "$@"; }'
    environment = {**os.environ, 'CALLS': str(tmp_path / 'calls')}
    subprocess.run(['bash', '-ec', f'{record}\n{script}'], check=True, env=environment)
    propagation, propagate, estimation = (tmp_path / 'calls').read_text().splitlines()

    for literal in (False, True):
        sparse = {sample['frame_index'] for sample in key_frames(propagation, literal)}
        assert sparse == {0, 7, 14}
    words = shlex.split(propagate)[1:]
    assert run_propagate([*words[: words.index('--method')], '--method', 'linear']) == 0
    for literal in (False, True):
        samples = key_frames(estimation, literal)
        sources = {sample['frame_index']: sample['label_sources'][1] for sample in samples}
        assert [frame for frame in sources if sources[frame] == 'given'] == [0, 7, 14]
        propagated = [frame for frame in sources if sources[frame] == 'propagated']
        assert propagated == [*range(1, 7), *range(8, 14)]
        assert all(Path(path).is_file() for sample in samples for path, _ in sample['frames'])
