"""A study by one command: two configs, killed on the way and started again."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from support import warm_commands
from support.paths import ROOT

pytestmark = pytest.mark.slow

BASE = ROOT / 'configs' / 'stdpose_tiny_synthetic.py'
WITHOUT_TKS = ROOT / 'research/configs/ablations/stdpose_tiny_propagation_synthetic_b_tff.py'
MAX_ITERS = 2
FORK_RUNS = 'from research.tests.forked_runs import fork_runs; fork_runs()'


def arguments(folder: Path) -> list[str]:
    """Write the data and a config with held-out losses; returns the command line."""
    data = folder / 'data'
    clips = ClipSettings(frames=8, width=128, height=96, people=(1, 1))
    # The third of the training videos is held out.
    write_dataset(data, train_videos=3, val_videos=1, settings=clips, workers=1)
    hook = "dict(type='HeldOutLossHook', interval=1)"
    config = folder / 'with_losses.py'
    imports = "custom_imports = dict(imports=['stdpose_mm', 'research.study'])"
    config.write_text(
        f"_base_ = '{BASE}'\n{imports}\ncustom_hooks = [*_base_.custom_hooks, {hook}]\n"
    )
    study = folder / 'toy.py'
    study.write_text(
        f"""title = 'Toys'
reference = 'with losses'
x_label = 'T'
tests = [dict(name='T = 3', x=3, cfg_options={{
    'test_dataloader.dataset.interval': 3, 'test_evaluator.given_interval': 3}})]
entries = [
    dict(name='with losses', config={str(config)!r}),
    dict(name='no labels', config={str(WITHOUT_TKS)!r}),
]
"""
    )
    return [
        *('research/tools/study.py', str(study)),
        *('--seeds', '3', '--out-dir', str(folder / 'out')),
        *('--steps', str(MAX_ITERS), '--cfg-options'),
        *(f'{split}_dataloader.dataset.data_root={data}' for split in ('train', 'val', 'test')),
        f'val_evaluator.ann_file={data}/annotations/train',
        f'test_evaluator.ann_file={data}/annotations/val',
        'train_dataloader.batch_size=2',
        'default_hooks.checkpoint.interval=1',
    ]


def test_a_killed_study_goes_on_and_compares(tmp_path: Path) -> None:
    command = arguments(tmp_path)
    runs = tmp_path / 'out' / 'runs'
    process = warm_commands.start(*command, cwd=tmp_path, first=FORK_RUNS)
    while not (done := list(runs.glob('*/seed*/metrics_T_=_3.json'))):
        assert process.is_running, 'the command ended before its first run'
        time.sleep(0.05)
    process.kill()
    assert process.wait().returncode == -signal.SIGKILL
    assert not (tmp_path / 'out' / 'table.md').exists()
    before = {file: file.stat().st_mtime_ns for file in done[0].parent.rglob('*')}

    again = warm_commands.start(*command, cwd=tmp_path, first=FORK_RUNS).wait()
    assert again.returncode == 0, again.stderr
    finished = f'{done[0].parents[1].name.replace("_", " ")} with seed {done[0].parent.name[4:]}'
    assert finished not in again.stderr
    assert {file: file.stat().st_mtime_ns for file in done[0].parent.rglob('*')} == before

    measured = json.loads((tmp_path / 'out' / 'study.json').read_text())['entries']
    assert list(measured) == ['with losses', 'no labels']
    for name, entry in measured.items():
        assert list(entry['runs']) == ['3']
        for seed, run in entry['runs'].items():
            folder = runs / name.replace(' ', '_') / f'seed{seed}'
            assert run['steps'] == MAX_ITERS
            assert run['seconds'] > 0
            metrics = json.loads((folder / 'metrics_T_=_3.json').read_text())
            assert run['metrics'] == {'T = 3': metrics}
            assert not list(folder.glob('best_*')), 'nothing is validated in training'
    assert measured['with losses']['parameters'] > measured['no labels']['parameters']
    assert measured['no labels']['runs']['3']['losses_after'] == {}
    for run in measured['with losses']['runs'].values():
        for losses in (run['losses_before'], run['losses_after']):
            parts = losses['loss_kpt'] + losses['loss_frame_kpt']
            assert losses['loss'] == pytest.approx(parts, rel=1e-5)
        assert run['losses_before'] != run['losses_after']

    table = (tmp_path / 'out' / 'table.md').read_text()
    assert again.stdout == table
    for heading in ('posetrack/AP', 'Difference to with losses', 'loss_frame_kpt'):
        assert heading in table
    assert (tmp_path / 'out' / 'plot.png').is_file()
