"""Which runs of a study are done, with stand-ins for train, test and make_pseudo_labels."""

from __future__ import annotations

import fcntl
import json
import re
import signal
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmpose.registry import MODELS
from torch import nn

from research.study import commands
from research.study import study as study_module
from research.study.commands import Launcher
from research.study.study import PseudoLabels, StudyEntry
from research.study.study_runs import (
    RunSettings,
    TrainedEntry,
    count_parameters,
    held_out_losses,
    option_words,
    read_scalars,
)

TRAIN = """
import json, shutil, sys
from pathlib import Path

here = Path(__file__).parent
config, work_dir = sys.argv[1], Path(sys.argv[3])
place, entry, seed = '/'.join(work_dir.parts[-2:]), work_dir.parent.name, work_dir.name
kind = 'checkpoint'
if entry == 'timing':
    kind, entry, seed = 'timing', seed, '0'
with open(here / 'calls', 'a') as file:
    print('train', place, *sys.argv[6:], file=file)
if (here / f'fail_{entry}').exists():
    raise SystemExit('train.py: the disk is full')
work_dir.mkdir(parents=True, exist_ok=True)
own = here / f'{kind}_{entry}.pth'
shutil.copy(own if own.exists() else here / f'{kind}.pth', work_dir / 'iter_2.pth')
(work_dir / 'last_checkpoint').write_text(str(work_dir / 'iter_2.pth'))
log = work_dir / '1' / 'vis_data' / 'scalars.json'
log.parent.mkdir(parents=True, exist_ok=True)
losses = [(0, 8), (2, 8 - int(seed[-1]))]
log.write_text(''.join(json.dumps({'val/loss': v, 'step': s}) + chr(10) for s, v in losses))
"""

TEST = """
import json, sys
from pathlib import Path

config, checkpoint, out = sys.argv[1], Path(sys.argv[2]), sys.argv[6]
assert checkpoint.name == 'iter_2.pth'
entry, seed = checkpoint.parent.parent.name, checkpoint.parent.name
with open(Path(__file__).parent / 'calls', 'a') as file:
    print('test', f'{entry}/{seed}', *sys.argv[7:], file=file)
harder = 5 * len(sys.argv[8:])
value = len(entry) + 1 + int(seed[-1]) - harder
Path(out).write_text(json.dumps({'toy/AP': value, 'toy/other': None}))
"""

LABELS = """
import sys
from pathlib import Path

with open(Path(__file__).parents[1] / 'calls', 'a') as file:
    print('labels', *sys.argv[1:], file=file)
"""

CONFIG = """
model = dict(type='StudyToyModel', width={width})
train_cfg = dict(by_epoch=False, max_iters=2)
train_dataloader = dict(batch_size=4, dataset=dict(ann_file='train'))
"""

STUDY = """
title = 'Toys'
entries = [dict(name='a', config='a.py'), dict(name='bb', config='bb.py')]
seeds = (0, 1)
"""


@MODELS.register_module()
class StudyToyModel(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, 1)
        self.register_buffer('no_parameter', torch.zeros(7))


class Tools:
    """Stand-ins for the tools that a study calls, and the command that calls them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / 'tools' / 'misc').mkdir(parents=True)
        (folder / 'tools' / 'train.py').write_text(TRAIN)
        (folder / 'tools' / 'test.py').write_text(TEST)
        (folder / 'tools' / 'misc' / 'make_pseudo_labels.py').write_text(LABELS)
        self.save_checkpoint('checkpoint', [1.0, 2.5])
        for width, name in enumerate(('a', 'bb'), start=1):
            (folder / f'{name}.py').write_text(CONFIG.format(width=width))
        self.write_study(STUDY)
        self.main = import_module('research.tools.study').main

    def write_study(self, text: str) -> None:
        (self.folder / 'toy.py').write_text(text)

    def save_checkpoint(self, name: str, times: list[float], steps: int | None = None) -> None:
        """Write what training leaves: the time of every step."""
        buffer = HistoryBuffer(times, [1] * len(times))
        state = {
            'meta': {'iter': steps or len(times)},
            'message_hub': {'log_scalars': {'train/time': buffer}},
        }
        torch.save(state, self.folder / 'tools' / f'{name}.pth')

    def run(self, *arguments: str) -> int:
        return self.main(['toy.py', '--out-dir', 'out', *arguments])

    def calls(self) -> list[str]:
        """What the stand-ins were called for since the last time."""
        file = self.folder / 'tools' / 'calls'
        lines = file.read_text().splitlines() if file.exists() else []
        file.write_text('')
        return lines

    def measured(self) -> dict:
        return json.loads((self.folder / 'out' / 'study.json').read_text())


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tools]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, 'ROOT', tmp_path)
    monkeypatch.setattr(study_module, 'ROOT', tmp_path)
    monkeypatch.setattr(commands, 'POLL_SECONDS', 0.01)
    handler = signal.getsignal(signal.SIGTERM)
    yield Tools(tmp_path)
    signal.signal(signal.SIGTERM, handler)


def error_line(code: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_every_entry_is_trained_and_tested_with_every_seed(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.write_study(STUDY + "reference = 'a'")
    assert tools.run() == 0
    options = '--resume --no-validate'
    assert tools.calls() == [
        f'train a/seed0 {options}', 'test a/seed0', f'train bb/seed0 {options}', 'test bb/seed0',
        f'train a/seed1 {options}', 'test a/seed1', f'train bb/seed1 {options}', 'test bb/seed1',
    ]  # fmt: skip
    report = (tmp_path / 'out' / 'table.md').read_text()
    assert capsys.readouterr().out == report
    assert (tmp_path / 'out' / 'plot.png').is_file()
    measured = tools.measured()
    assert (measured['seeds'], measured['reference']) == ([0, 1], 'a')
    bb = measured['entries']['bb']
    test = bb['tests']['']
    # The stand-in gives 3 and 4, for 'a' 2 and 3.
    assert (test['metrics']['toy/AP']['mean'], test['metrics']['toy/other']) == (3.5, None)
    assert test['differences']['toy/AP']['mean'] == 1
    assert (bb['parameters'], measured['entries']['a']['parameters']) == (3, 2)
    assert (bb['runs']['1']['steps'], bb['runs']['1']['seconds']) == (2, 3.5)
    assert bb['seconds_per_step']['mean'] == 1.75
    assert bb['losses_before']['loss']['mean'] == 8
    assert bb['losses_after']['loss']['mean'] == 7.5


def test_every_checkpoint_is_tested_once_more_if_wanted(tools: Tools) -> None:
    assert tools.run('--seeds', '0') == 0
    tools.calls()
    assert tools.run('--seeds', '0', '--also-test', 'hard', 'model.prob=1', 'model.sigma=2') == 0
    options = '--cfg-options model.prob=1 model.sigma=2'
    assert tools.calls() == [f'test a/seed0 {options}', f'test bb/seed0 {options}']
    metrics = tools.measured()['entries']['bb']['runs']['0']['metrics']
    assert (metrics['']['toy/AP'], metrics['hard']['toy/AP']) == (3, -7)


def test_tests_of_the_study_take_the_place_of_the_configs_own(tools: Tools) -> None:
    tools.write_study(STUDY + "tests = [dict(name='T = 3', cfg_options={'model.interval': 3})]")
    assert tools.run('--seeds', '0', '--entries', 'a') == 0
    assert tools.calls()[1:] == ['test a/seed0 --cfg-options model.interval=3']


def test_options_of_a_test_that_change_nothing_are_refused_before_any_training(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tools.run('--seeds', '0', '--also-test', 'hard', 'modell.prob=1')
    assert 'modell.prob would change nothing' in error_line(code, capsys)
    assert tools.calls() == []


def test_a_test_with_other_options_than_before_is_refused(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tools.run('--seeds', '0', '--also-test', 'hard', 'model.prob=1') == 0
    tools.calls()
    code = tools.run('--seeds', '0', '--also-test', 'hard', 'model.prob=2')
    assert "out/runs/a holds results of another test 'hard'" in error_line(code, capsys)
    assert tools.calls() == []


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ('hard', '--also-test hard needs KEY=VALUE after it, got none'),
        ('hard prob', "--also-test hard needs KEY=VALUE after it, got ['prob']"),
        ('x k=1 --also-test x k=2', '--also-test x is given twice, give one another name'),
    ],
)
def test_unusable_tests_are_refused(
    tools: Tools, given: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tools.run('--also-test', *given.split())
    assert error_line(code, capsys) == f'study.py: {message}'
    assert tools.calls() == []


def test_what_is_done_is_not_done_again(tools: Tools) -> None:
    assert tools.run('--seeds', '0') == 0
    tools.calls()
    assert tools.run('--seeds', '0') == 0
    assert tools.calls() == []
    assert tools.run('--seeds', '0', '1') == 0
    done = [call.split()[1] for call in tools.calls()]
    assert done == ['a/seed1', 'a/seed1', 'bb/seed1', 'bb/seed1']


@pytest.mark.slow
@pytest.mark.parametrize(
    ('lost', 'again'),
    [('metrics.json', ['test']), ('training.json metrics.json', ['train', 'test'])],
)
def test_a_stopped_run_goes_on_where_it_was(tools: Tools, lost: str, again: list[str]) -> None:
    assert tools.run() == 0
    tools.calls()
    for name in lost.split():
        (tools.folder / 'out' / 'runs' / 'a' / 'seed1' / name).unlink()
    assert tools.run() == 0
    assert [call.split()[:2] for call in tools.calls()] == [[what, 'a/seed1'] for what in again]


def test_a_failed_run_is_named_and_the_finished_ones_stay(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    fail = tools.folder / 'tools' / 'fail_bb'
    fail.touch()
    assert error_line(tools.run(), capsys) == (
        'study.py: the training of bb with seed 0 failed (exit code 1: train.py: the disk is '
        'full), see out/runs/bb/seed0/train.log'
    )
    assert not (tools.folder / 'out' / 'table.md').exists()
    tools.calls()
    fail.unlink()
    assert tools.run() == 0
    assert [call.split()[1] for call in tools.calls()][:2] == ['bb/seed0', 'bb/seed0']


def test_runs_of_another_config_are_refused(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tools.run() == 0
    tools.calls()
    code = tools.run('--cfg-options', 'model.width=5')
    assert error_line(code, capsys) == (
        'study.py: out/runs/a holds runs of another config (model.width was 1, now is 5), '
        'give another --out-dir or remove that folder'
    )
    assert 'study_settings.train_options' in error_line(tools.run('--amp'), capsys)
    (tools.folder / 'bb.py').write_text(CONFIG.format(width=2) + 'load_from = "x.pth"')
    assert '(load_from was not set, now is' in error_line(tools.run(), capsys)
    assert tools.calls() == []


def test_a_config_that_says_the_same_in_other_words_is_the_same(tools: Tools) -> None:
    assert tools.run() == 0
    tools.calls()
    (tools.folder / 'a.py').write_text('w = 1\ndel w\n' + CONFIG.format(width='3 - 2'))
    assert tools.run() == 0
    assert tools.calls() == []


def test_options_reach_every_config(tools: Tools) -> None:
    assert tools.run('--cfg-options', 'model.width=9', 'train_dataloader.batch_size=2') == 0
    measured = tools.measured()
    assert measured['cfg_options'] == {'model.width': 9, 'train_dataloader.batch_size': 2}
    assert [entry['parameters'] for entry in measured['entries'].values()] == [10, 10]


def test_options_of_training_reach_every_training_and_no_test(tools: Tools) -> None:
    assert tools.run('--seeds', '0', '--entries', 'a', '--amp', '--auto-scale-lr') == 0
    assert tools.calls() == [
        'train a/seed0 --resume --no-validate --amp --auto-scale-lr',
        'test a/seed0',
    ]


def test_a_checkpoint_before_the_last_step_is_not_tested(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.save_checkpoint('checkpoint', [1.0])
    sentence = error_line(tools.run(), capsys)
    assert 'iter_2.pth is of step 1, expected one of the last step 2' in sentence
    assert [call.split()[0] for call in tools.calls()] == ['train']


# Entries that start from others


def test_an_entry_starts_from_the_checkpoint_of_another_one_of_its_seed(tools: Tools) -> None:
    tools.write_study(
        STUDY.replace("name='bb', ", "name='bb', load_from='a', ").replace(
            "config='a.py'", "config='a.py', tested=False"
        )
    )
    assert tools.run('--seeds', '1', '--jobs', '2') == 0
    assert [call.split()[:2] for call in tools.calls()] == [
        ['train', 'a/seed1'],
        ['train', 'bb/seed1'],
        ['test', 'bb/seed1'],
    ]
    cfg = Config.fromfile('out/runs/bb/seed1/start.py')
    assert cfg.load_from == str(Path('out/runs/a/seed1/iter_2.pth').resolve())
    assert cfg.model.width == 2
    assert list(tools.measured()['entries']) == ['bb']


def test_an_entry_is_taught_by_the_model_of_another_one_of_its_seed(tools: Tools) -> None:
    tools.write_study(STUDY.replace("name='bb', ", "name='bb', teacher='a', "))
    assert tools.run('--seeds', '1', '--jobs', '2') == 0
    runs = Path('out/runs').resolve()
    cfg = Config.fromfile('out/runs/bb/seed1/start.py')
    assert cfg.custom_hooks[-1] == {
        'type': 'HeatmapTeacherHook',
        'config': str(runs / 'a/config.py'),
        'checkpoint': str(runs / 'a/seed1/iter_2.pth'),
    }
    # The test needs no teacher.
    assert 'HeatmapTeacherHook' not in Path('out/runs/bb/config.py').read_text()


def test_pseudo_labels_are_made_by_the_entry_named_and_trained_on(tools: Tools) -> None:
    labels = "pseudo_labels=dict(of='a', labels='x', arguments=dict(interval=7, min_score=0.2))"
    tools.write_study(STUDY.replace("name='bb', ", f"name='bb', {labels}, "))
    assert tools.run('--seeds', '1') == 0
    calls = tools.calls()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    assert calls[2] == (
        'labels x --out out/runs/bb/seed1/pseudo --config out/runs/a/config.py '
        f'--checkpoint out/runs/a/seed1/iter_2.pth --device {device} --interval 7 --min-score 0.2'
    )
    assert calls[3].startswith('train bb/seed1')
    dataset = Config.fromfile('out/runs/bb/seed1/start.py').train_dataloader.dataset
    assert dataset.ann_file == str(Path('out/runs/bb/seed1/pseudo/annotations').resolve())


@pytest.mark.parametrize(
    ('before', 'now', 'change'),
    [
        ("load_from='a'", "load_from='c'", "load_from was 'a', now is 'c'"),
        ("load_from='a'", '', "load_from was 'a', now is not set"),
        ('', "teacher='a'", "teacher was not set, now is 'a'"),
        (
            "pseudo_labels=dict(of='a', labels='x', arguments=dict(interval=7))",
            "pseudo_labels=dict(of='a', labels='x', arguments=dict(interval=4))",
            'pseudo_labels.arguments.interval was 7, now is 4',
        ),
    ],
)
def test_runs_of_an_entry_that_took_something_else_from_others_are_refused(
    tools: Tools, before: str, now: str, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def write_study(taken: str) -> None:
        other = "dict(name='c', config='a.py', tested=False)"
        entry = f"dict(name='bb', config='bb.py', {taken})"
        tools.write_study(STUDY.replace("dict(name='bb', config='bb.py')", f'{other}, {entry}'))

    write_study(before)
    assert tools.run('--seeds', '0') == 0
    tools.calls()
    assert tools.run('--seeds', '0') == 0
    write_study(now)
    assert error_line(tools.run('--seeds', '0'), capsys) == (
        f'study.py: out/runs/bb holds runs of another config (study_settings.{change}), give '
        'another --out-dir or remove that folder'
    )
    assert tools.calls() == []


def test_an_entry_that_takes_nothing_from_others_is_stored_without_it(tools: Tools) -> None:
    tools.write_study(STUDY.replace("name='bb', ", "name='bb', teacher='a', "))
    assert tools.run('--seeds', '0') == 0
    alone, taught = (Config.fromfile(f'out/runs/{name}/config.py') for name in ('a', 'bb'))
    settings = {'processes': 1, 'train_options': []}
    assert alone.study_settings == settings
    assert taught.study_settings == {**settings, 'teacher': 'a'}


@pytest.mark.parametrize(('arguments', 'device'), [({}, 'cuda'), ({'device': 'cpu'}, 'cpu')])
def test_pseudo_labels_are_made_on_gpus_of_slurm_if_this_machine_has_none(
    arguments: dict[str, str], device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    settings = RunSettings(Launcher('slurm', 2, 'gpu'))

    def run(entry: StudyEntry, sources: dict[str, TrainedEntry]) -> TrainedEntry:
        config, folder = tmp_path / f'{entry.name}.py', tmp_path / entry.name
        return TrainedEntry(entry, (), config, None, 0, folder, settings, sources)

    source = run(StudyEntry('a', 'a.py'), {})
    source.folder.mkdir()
    source.training_file.write_text('{"checkpoint": "iter_2.pth"}')
    labels = PseudoLabels('a', 'x', arguments)
    command = next(run(StudyEntry('bb', 'bb.py', pseudo_labels=labels), {'a': source}).commands())
    words = command.arguments
    assert [word for before, word in pairwise(words) if before == '--device'] == [device]


# Budgets


def test_steps_change_every_schedule(tools: Tools) -> None:
    tools.save_checkpoint('checkpoint', [1.0], steps=50)
    (tools.folder / 'bb.py').write_text(CONFIG.format(width=2).replace('iters=2', 'iters=9'))
    assert tools.run('--seeds', '0', '--steps', '50') == 0
    runs = [entry['runs']['0'] for entry in tools.measured()['entries'].values()]
    assert [run['steps'] for run in runs] == [50, 50]


def test_seconds_give_every_entry_the_steps_that_fit(tools: Tools) -> None:
    # The first 20 steps do not count; then a takes 0.5 s and bb 0.25 s.
    for name, each in (('a', 0.5), ('bb', 0.25)):
        tools.save_checkpoint(f'timing_{name}', [9.0] * 20 + [each] * 40)
        tools.save_checkpoint(f'checkpoint_{name}', [each], steps=int(10 / each))
    assert tools.run('--seeds', '0', '--seconds', '10') == 0
    calls = [call.split()[:2] for call in tools.calls()]
    assert calls[:2] == [['train', 'timing/a'], ['train', 'timing/bb']]
    steps = [entry['runs']['0']['steps'] for entry in tools.measured()['entries'].values()]
    assert steps == [20, 40]
    assert tools.measured()['timing'] == {
        'a': {'seconds_per_step': 0.5, 'steps': 20},
        'bb': {'seconds_per_step': 0.25, 'steps': 40},
    }

    # A study that goes on takes the same steps, however fast the machine is now.
    for name in ('a', 'bb'):
        tools.save_checkpoint(f'timing_{name}', [1.0] * 60)
    assert tools.run('--seeds', '0', '1', '--seconds', '10') == 0
    assert not [call for call in tools.calls() if 'timing' in call]


def test_another_time_in_the_same_folder_is_refused(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.save_checkpoint('timing', [1.0] * 60)
    tools.save_checkpoint('checkpoint', [1.0], steps=5)
    assert tools.run('--seeds', '0', '--seconds', '5') == 0
    sentence = error_line(tools.run('--seeds', '0', '--seconds', '6'), capsys)
    assert 'out holds runs of 5 s, got --seconds 6' in sentence


def test_a_time_without_a_step_is_refused(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    tools.save_checkpoint('timing', [3.0] * 60)
    assert 'a step of a takes 3 s' in error_line(tools.run('--seconds', '2'), capsys)


@pytest.mark.parametrize(
    ('entries', 'sentence'),
    [
        ("dict(name='a', config='none.py')", r'config \S*none\.py does not exist'),
        (
            "dict(name='a', config='a.py'), dict(name='long', config='long.py')",
            r'a: 2 max_iters of batch_size 4; long: 9 max_iters of batch_size 4',
        ),
        ("dict(name='x', config='typo.py')", r'of x: the runner: Typo is not in the \S+model'),
        ("dict(name='x', config='empty.py')", r'config of x has no model'),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_done(
    tools: Tools, entries: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CONFIG.format(width=1)
    (tools.folder / 'long.py').write_text(text.replace('max_iters=2', 'max_iters=9'))
    (tools.folder / 'typo.py').write_text(text.replace('StudyToyModel', 'Typo'))
    (tools.folder / 'empty.py').write_text('x = 1')
    tools.write_study(f"title = 'Toys'\nentries = [{entries}]")
    assert re.search(sentence, error_line(tools.run(), capsys))
    assert tools.calls() == []
    assert not (tools.folder / 'out').exists()


def test_own_budgets_may_differ_where_the_study_says_so(tools: Tools) -> None:
    (tools.folder / 'bb.py').write_text(CONFIG.format(width=2).replace('iters=2', 'iters=9'))
    tools.save_checkpoint('checkpoint_bb', [1.0] * 9)
    tools.write_study(STUDY + "budget = 'own'")
    assert tools.run('--seeds', '0') == 0
    steps = [entry['runs']['0']['steps'] for entry in tools.measured()['entries'].values()]
    assert steps == [2, 9]


def test_a_folder_in_use_is_refused(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, 'STOP_SECONDS', 0.05)
    (tools.folder / 'out').mkdir()
    with open(tools.folder / 'out' / '.lock', 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert 'out is in use by another study' in error_line(tools.run(), capsys)
    assert tools.run() == 0


# Values


def test_held_out_losses_of_an_interrupted_run(tmp_path: Path) -> None:
    logs = {
        '1': '{"val/loss": 9.0, "val/acc_pose": 0.1, "step": 0}\n{"loss": 5.0, "step": 1}\n'
        '{"val/loss": 4.0, "step": 2}\n{"val/lo',
        '2': '{"val/loss": 3.0, "step": 2}\n{"val/loss": NaN, "step": 4}\n',
    }
    for name, text in logs.items():
        folder = tmp_path / name / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text(text)
    assert held_out_losses(read_scalars(tmp_path)) == {
        0: {'loss': 9.0},
        2: {'loss': 3.0},
        4: {'loss': None},
    }


def test_modules_that_options_name_are_imported_before_models_are_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'own_model.py').write_text(
        'from mmpose.registry import MODELS\nfrom torch import nn\n\n'
        '@MODELS.register_module(force=True)\nclass OwnModel(nn.Linear):\n    pass\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    cfg = Config(dict(model=dict(type='OwnModel', in_features=2, out_features=3)))
    cfg.merge_from_dict({'custom_imports': dict(imports=['own_model'])})
    assert count_parameters(cfg, 'of own') == 2 * 3 + 3


def test_options_are_written_as_the_command_line_takes_them() -> None:
    options = {'a.b': 0.5, 'c': None, 'd': [1, (2, 3)], 'e': 'gt'}
    assert option_words(options) == ['a.b=0.5', 'c=None', 'd=[1,(2,3)]', 'e=gt']


def test_usage_errors_are_one_line(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tools.main([])
    assert error_line(int(caught.value.code or 0), capsys) == (
        'study.py: the following arguments are required: STUDY, see --help'
    )
