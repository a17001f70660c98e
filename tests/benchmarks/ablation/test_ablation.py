"""Ablations: what their tables say, and which runs are done, with stand-ins for train and test."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmpose.registry import MODELS
from torch import nn

from stdpose_mm.benchmarks.ablation import ablation
from stdpose_mm.benchmarks.ablation.ablation import (
    Command,
    RunResult,
    Training,
    VariantResult,
    held_out_losses,
    read_scalars,
    run_commands,
)
from stdpose_mm.benchmarks.ablation.ablation_report import (
    ablation_fields,
    ablation_report,
    choose_metrics,
    spread,
)
from stdpose_mm.errors import InputError
from support.paths import ROOT

# Values


def run_result(
    metrics: dict[str, float | None],
    before: dict[str, float | None] | None = None,
    after: dict[str, float | None] | None = None,
    seconds: float | None = 30.0,
    memory: float | None = None,
) -> RunResult:
    training = Training('iter_60.pth', 60, seconds, memory, before or {}, after or {})
    return RunResult(training, metrics)


def variant(name: str, values: list[float | None], **training) -> VariantResult:
    runs = {seed: run_result({'toy/AP': ap}, **training) for seed, ap in enumerate(values)}
    return VariantResult(name, f'configs/{name}.py', 1234567, runs)


def rows(report: str) -> dict[str, list[str]]:
    """First cell -> other cells, of the last table that has such a row."""
    cells = [line.strip('| ').split(' | ') for line in report.splitlines() if line[:1] == '|']
    return {first: others for first, *others in cells}


def test_spread_is_that_of_a_sample() -> None:
    result = spread([10.0, 12.0, 17.0])
    assert result is not None
    assert (result.mean, result.low, result.high, result.number) == (13, 10, 17, 3)
    # Deviations -3, -1 and 4; divided by n - 1.
    assert result.std == pytest.approx(13**0.5)


def test_a_single_value_has_no_spread_and_none_no_mean() -> None:
    result = spread([None, 4.0])
    assert result is not None
    assert (result.mean, result.std, result.number) == (4, None, 1)
    assert spread([None]) is None


def test_table_of_means_spreads_and_ranges() -> None:
    report = ablation_report([variant('a', [10, 12, 17]), variant('b', [50, None, 52])], ['toy/AP'])
    assert rows(report)['config'] == ['toy/AP', 'parameters', 's per step']
    assert rows(report)['a'] == ['13.00 ± 3.61 [10.00, 17.00]', '1,234,567', '0.5 ± 0']
    assert rows(report)['b'][0] == '51.00 ± 1.41 [50.00, 52.00]'
    assert '60 training steps' in report
    assert 'Seeds: 0, 1, 2.' in report
    assert 'Difference' not in report
    assert 'held-out' not in report


def test_differences_are_between_runs_of_one_seed() -> None:
    results = [variant('a', [10, 12, 17]), variant('b', [11, 15, 16])]
    report = ablation_report(results, ['toy/AP'], reference='a')
    # +1, +3 and -1: the spread of the pairs, not that of the means.
    assert rows(report)['b'] == ['+1.00 ± 2.00 [-1.00, +3.00]']
    assert report.index('## Difference to a') < report.rindex('| b |')
    fields = ablation_fields(results, 'a')['configs']
    assert 'differences' not in fields['a']
    assert fields['b']['differences']['toy/AP'] == {
        'mean': 1, 'std': 2, 'low': -1, 'high': 3, 'number': 3,
    }  # fmt: skip


def test_a_pair_with_an_undefined_figure_does_not_count() -> None:
    results = [variant('a', [10, None, 17]), variant('b', [11, 15, None])]
    assert ablation_fields(results, 'a')['configs']['b']['differences']['toy/AP']['number'] == 1


def test_rows_are_in_the_order_given() -> None:
    results = [variant(name, [1, 2]) for name in ('z', 'a', 'm')]
    assert [name for name in rows(ablation_report(results, ['toy/AP'])) if len(name) == 1] == [
        *'zam'
    ]


def test_held_out_losses_stand_beside_their_start() -> None:
    results = [
        variant('a', [1, 2], before={'loss_kpt': 40.0}, after={'loss_kpt': 10.0}),
        variant('b', [1, 2]),
    ]
    report = ablation_report(results, ['toy/AP'])
    assert rows(report)['config'] == ['loss_kpt']
    assert rows(report)['a'] == ['40 ± 0 → 10 ± 0']
    assert rows(report)['b'] == ['-']
    fields = ablation_fields(results)['configs']['a']
    assert fields['losses_before']['loss_kpt']['mean'] == 40
    assert fields['losses_after']['loss_kpt']['mean'] == 10


def test_memory_is_shown_where_it_was_measured() -> None:
    report = ablation_report([variant('a', [1, 2], memory=812.0)], ['toy/AP'])
    assert rows(report)['config'][-1] == 'GPU memory, MB'
    assert rows(report)['a'][-1] == '812 ± 0'


def test_everything_measured_is_in_the_fields() -> None:
    result = variant('a', [10, 12, 17], before={'loss': 4.0}, after={'loss': 1.0})
    fields = ablation_fields([result])
    run = fields['configs']['a']['runs']['1']
    assert run['metrics'] == {'toy/AP': 12}
    assert (run['steps'], run['seconds'], run['seconds_per_step']) == (60, 30, 0.5)
    assert (run['losses_before'], run['losses_after']) == ({'loss': 4.0}, {'loss': 1.0})
    assert fields['configs']['a']['parameters'] == 1234567
    json.dumps(fields, allow_nan=False)


def test_default_metrics_are_those_people_quote() -> None:
    metrics = {'posetrack/AP': 1.0, 'posetrack/Head AP': 2.0, 'posetrack/PCK@0.1': 3.0}
    result = VariantResult('a', 'a.py', 1, {0: run_result(metrics)})
    assert choose_metrics([result]) == ['posetrack/AP', 'posetrack/PCK@0.1']
    assert choose_metrics([result], ['posetrack/Head AP']) == ['posetrack/Head AP']
    with pytest.raises(InputError, match=r'no run has the metric AP, choose from posetrack/AP, '):
        choose_metrics([result], ['AP'])


def test_of_other_metrics_all_are_shown() -> None:
    result = VariantResult('a', 'a.py', 1, {0: run_result({'toy/x': 1.0, 'toy/y': 2.0})})
    assert choose_metrics([result]) == ['toy/x', 'toy/y']


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


# Processes


def python(name: str, code: str, log: Path) -> Command:
    return Command(name, (sys.executable, '-S', '-c', code), log)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[object]:
    with open(tmp_path / '.lock', 'w') as file:
        yield file


def test_commands_of_one_sequence_follow_each_other(tmp_path: Path, lock) -> None:
    file = tmp_path / 'file'

    def work() -> Iterator[Command]:
        yield python('first', f'open({str(file)!r}, "w").write("1")', tmp_path / 'log')
        assert file.read_text() == '1'
        yield python('second', f'open({str(file)!r}, "a").write("2")', tmp_path / 'log')

    names: list[str] = []
    run_commands([work()], 2, names.append, lock)
    assert (names, file.read_text()) == (['first', 'second'], '12')


def test_two_jobs_run_at_a_time_and_one_does_not(tmp_path: Path, lock) -> None:
    # Each waits for the other one's file, for a second.
    code = (
        'import os, sys, time\n'
        'open({own!r}, "w").close()\n'
        'give_up = time.monotonic() + 1\n'
        'while not os.path.exists({other!r}) and time.monotonic() < give_up: time.sleep(0.01)\n'
        'open({result!r}, "w").write(str(os.path.exists({other!r})))\n'
    )
    met = {}
    for jobs in (2, 1):
        paths = {key: str(tmp_path / f'{jobs}{key}') for key in ('a', 'b', 'ra', 'rb')}
        works = []
        for own, other in ('ab', 'ba'):
            text = code.format(own=paths[own], other=paths[other], result=paths[f'r{own}'])
            works.append(iter([python(own, text, tmp_path / 'log')]))
        run_commands(works, jobs, lambda name: None, lock)
        met[jobs] = Path(paths['ra']).read_text()
    assert met == {2: 'True', 1: 'False'}


@pytest.mark.parametrize(
    ('code', 'how'),
    [
        ('print("train.py: no data"); raise SystemExit(2)', r'exit code 2: train\.py: no data'),
        ('import os; os.kill(os.getpid(), 9)', r'ended by signal 9: it printed nothing'),
    ],
)
def test_a_failure_is_one_sentence_and_ends_the_others(
    tmp_path: Path, lock, code: str, how: str
) -> None:
    pid = tmp_path / 'pid'
    sleeper = f'import os, time; open({str(pid)!r}, "w").write(str(os.getpid())); time.sleep(60)'
    wait = f'import os, time\nwhile not os.path.exists({str(pid)!r}): time.sleep(0.01)\n'
    works = [
        iter([python('training of a', sleeper, tmp_path / 'a.log')]),
        iter([python('training of b', wait + code, tmp_path / 'b.log')]),
        iter([python('training of c', '', tmp_path / 'c.log')]),
    ]
    with pytest.raises(InputError, match=rf'^the training of b failed \({how}\), see \S+b\.log$'):
        run_commands(works, 2, lambda name: None, lock)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert not (tmp_path / 'c.log').exists()


# Runs, with stand-ins for the tools

TRAIN = """
import json, shutil, sys
from pathlib import Path

here = Path(__file__).parent
config, work_dir, seed = sys.argv[1], Path(sys.argv[3]), sys.argv[5]
name = f'{Path(config).parent.name}{seed}'
with open(here / 'calls', 'a') as file:
    print('train', name, *sys.argv[6:], file=file)
if (here / f'fail_{name}').exists():
    raise SystemExit('train.py: the disk is full')
work_dir.mkdir(parents=True, exist_ok=True)
shutil.copy(here / 'checkpoint.pth', work_dir / 'iter_2.pth')
(work_dir / 'last_checkpoint').write_text(str(work_dir / 'iter_2.pth'))
log = work_dir / '1' / 'vis_data' / 'scalars.json'
log.parent.mkdir(parents=True, exist_ok=True)
losses = [(0, 8), (2, 8 - int(seed))]
log.write_text(''.join(json.dumps({'val/loss': v, 'step': s}) + chr(10) for s, v in losses))
"""

TEST = """
import json, sys
from pathlib import Path

config, checkpoint, out = sys.argv[1], Path(sys.argv[2]), sys.argv[6]
assert checkpoint.name == 'iter_2.pth'
name = f'{Path(config).parent.name}{checkpoint.parent.name[4:]}'
with open(Path(__file__).parent / 'calls', 'a') as file:
    print('test', name, *sys.argv[7:], file=file)
harder = 5 * len(sys.argv[8:])
Path(out).write_text(json.dumps({'toy/AP': len(name) + int(name[-1]) - harder, 'toy/other': None}))
"""

CONFIG = """
model = dict(type='AblationToyModel', width={width})
train_cfg = dict(by_epoch=False, max_iters=2)
train_dataloader = dict(batch_size=4)
"""


@MODELS.register_module()
class AblationToyModel(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, 1)
        self.register_buffer('no_parameter', torch.zeros(7))


class Tools:
    """Stand-ins for ``tools/train.py`` and ``tools/test.py``, and the command that uses them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / 'tools').mkdir()
        (folder / 'tools' / 'train.py').write_text(TRAIN)
        (folder / 'tools' / 'test.py').write_text(TEST)
        self.save_checkpoint(steps=2)
        for width, name in enumerate(('a', 'bb'), start=1):
            (folder / f'{name}.py').write_text(CONFIG.format(width=width))
        spec = importlib.util.spec_from_file_location(
            'tools_run_ablation', ROOT / 'tools' / 'analysis_tools' / 'run_ablation.py'
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.main: Callable[[list[str]], int] = module.main

    def save_checkpoint(self, steps: int) -> None:
        times = HistoryBuffer([1.0, 2.5], [1, 1])
        state = {'meta': {'iter': steps}, 'message_hub': {'log_scalars': {'train/time': times}}}
        torch.save(state, self.folder / 'tools' / 'checkpoint.pth')

    def run(self, *arguments: str, seeds: str = '0 1') -> int:
        configs = ['a.py', 'bb.py', '--seeds', *seeds.split(), '--out-dir', 'out']
        return self.main([*configs, *arguments])

    def calls(self) -> list[str]:
        """What the stand-ins were called for since the last time."""
        file = self.folder / 'tools' / 'calls'
        lines = file.read_text().splitlines() if file.exists() else []
        file.write_text('')
        return lines


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tools]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ablation, 'config_folder', lambda: tmp_path)
    monkeypatch.setattr(ablation, 'POLL_SECONDS', 0.01)
    handler = signal.getsignal(signal.SIGTERM)
    yield Tools(tmp_path)
    signal.signal(signal.SIGTERM, handler)


def error_line(code: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_every_config_is_trained_and_tested_with_every_seed(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tools.run('--reference', 'a') == 0
    options = '--resume --no-validate'
    assert tools.calls() == [
        f'train a0 {options}', 'test a0', f'train bb0 {options}', 'test bb0',
        f'train a1 {options}', 'test a1', f'train bb1 {options}', 'test bb1',
    ]  # fmt: skip
    report = (tmp_path / 'out' / 'table.md').read_text()
    assert capsys.readouterr().out == report
    measured = json.loads((tmp_path / 'out' / 'ablation.json').read_text())
    assert (measured['seeds'], measured['reference']) == ([0, 1], 'a')
    bb = measured['configs']['bb']
    # The stand-in gives 3 and 4, for 'a' 2 and 3.
    assert (bb['metrics']['toy/AP']['mean'], bb['metrics']['toy/other']) == (3.5, None)
    assert bb['differences']['toy/AP']['mean'] == 1
    assert (bb['parameters'], measured['configs']['a']['parameters']) == (3, 2)
    assert (bb['runs']['1']['steps'], bb['runs']['1']['seconds']) == (2, 3.5)
    assert bb['seconds_per_step']['mean'] == 1.75
    assert bb['losses_before']['loss']['mean'] == 8
    assert bb['losses_after']['loss']['mean'] == 7.5


def test_every_checkpoint_is_tested_once_more_if_wanted(tools: Tools) -> None:
    assert tools.run(seeds='0') == 0
    tools.calls()
    assert tools.run('--also-test', 'hard', 'data.prob=1', 'data.sigma=2', seeds='0') == 0
    options = '--cfg-options data.prob=1 data.sigma=2'
    assert tools.calls() == [f'test a0 {options}', f'test bb0 {options}']
    measured = json.loads(Path('out/ablation.json').read_text())
    metrics = measured['configs']['bb']['runs']['0']['metrics']
    assert (metrics['toy/AP'], metrics['hard/toy/AP']) == (3, -7)
    assert '| config | toy/AP | hard/toy/AP |' in Path('out/table.md').read_text()


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ('hard', '--also-test hard needs KEY=VALUE after it, got none'),
        ('hard prob', "--also-test hard needs KEY=VALUE after it, got ['prob']"),
        ('a/b k=1', '--also-test a/b: expected a name of letters, digits and _, then KEY=VALUE'),
        ('x k=1 --also-test x k=2', '--also-test x is there twice, name one otherwise'),
    ],
)
def test_unusable_tests_are_refused(
    tools: Tools, given: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tools.run('--also-test', *given.split())
    assert error_line(code, capsys) == f'run_ablation.py: {message}'
    assert tools.calls() == []


def test_what_is_done_is_not_done_again(tools: Tools) -> None:
    assert tools.run(seeds='0') == 0
    tools.calls()
    assert tools.run(seeds='0') == 0
    assert tools.calls() == []
    assert tools.run(seeds='0 1') == 0
    assert [call.split()[1] for call in tools.calls()] == ['a1', 'a1', 'bb1', 'bb1']


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
    assert [call.split()[:2] for call in tools.calls()] == [[what, 'a1'] for what in again]


def test_a_failed_run_is_named_and_the_finished_ones_stay(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    fail = tools.folder / 'tools' / 'fail_bb0'
    fail.touch()
    assert error_line(tools.run(), capsys) == (
        'run_ablation.py: the training of bb with seed 0 failed (exit code 1: train.py: the disk '
        'is full), see out/runs/bb/seed0/train.log'
    )
    assert not (tools.folder / 'out' / 'table.md').exists()
    tools.calls()
    fail.unlink()
    assert tools.run() == 0
    assert [call.split()[1] for call in tools.calls()][:2] == ['bb0', 'bb0']


def test_runs_of_another_config_are_refused(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tools.run() == 0
    tools.calls()
    code = tools.run('--cfg-options', 'model.width=5')
    assert error_line(code, capsys) == (
        'run_ablation.py: out/runs/a holds runs of another config (model.width was 1, now is 5), '
        'give another --out-dir or remove that folder'
    )
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
    measured = json.loads((tools.folder / 'out' / 'ablation.json').read_text())
    assert measured['cfg_options'] == {'model.width': 9, 'train_dataloader.batch_size': 2}
    assert [config['parameters'] for config in measured['configs'].values()] == [10, 10]


def test_a_checkpoint_before_the_last_step_is_not_tested(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.save_checkpoint(steps=1)
    sentence = error_line(tools.run(), capsys)
    assert 'iter_2.pth is of step 1, expected one of the last step 2' in sentence
    assert [call.split()[0] for call in tools.calls()] == ['train']


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['a.py', 'none.py'], r'config none\.py does not exist'),
        (['a.py', 'sub/a.py'], r'a\.py and sub/a\.py have one name'),
        (['a.py', '--reference', 'c'], r'--reference c is no config here, choose a'),
        (['a.py', 'long.py'], r'a: 2 max_iters of batch_size 4; long: 9 max_iters of batch_size 4'),
        (['typo.py'], r'config typo\.py: Typo is not in the \S+model'),
        (['empty.py'], r'empty\.py has no model'),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_done(
    tools: Tools, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tools.folder / 'sub').mkdir()
    text = CONFIG.format(width=1)
    (tools.folder / 'sub' / 'a.py').write_text(text)
    (tools.folder / 'long.py').write_text(text.replace('max_iters=2', 'max_iters=9'))
    (tools.folder / 'typo.py').write_text(text.replace('AblationToyModel', 'Typo'))
    (tools.folder / 'empty.py').write_text('x = 1')
    code = tools.main([*arguments, '--out-dir', 'out'])
    assert re.search(sentence, error_line(code, capsys))
    assert tools.calls() == []
    assert not (tools.folder / 'out').exists()


def test_a_folder_in_use_is_refused(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ablation, 'STOP_SECONDS', 0.05)
    (tools.folder / 'out').mkdir()
    with open(tools.folder / 'out' / '.lock', 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert 'out is in use by another ablation' in error_line(tools.run(), capsys)
    assert tools.run() == 0


def test_a_run_left_behind_keeps_the_folder_in_use(tmp_path: Path) -> None:
    """The lock is its child's, too: when this process is killed, another must not start."""
    with open(tmp_path / '.lock', 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        command = python('x', 'import time; time.sleep(60)', tmp_path / 'log')
        process = ablation._start(command, file)
    with open(tmp_path / '.lock', 'w') as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.kill()
        process.wait()
        give_up = time.monotonic() + 5
        while time.monotonic() < give_up:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
        else:
            pytest.fail('the lock outlives the process')


def test_what_was_started_ends_with_the_command(tmp_path: Path, lock) -> None:
    pid = tmp_path / 'pid'
    code = f'import os, time; open({str(pid)!r}, "w").write(str(os.getpid())); time.sleep(60)'

    def works() -> Iterator[Command]:
        yield python('sleeper', code, tmp_path / 'log')

    def interrupted() -> Iterator[Command]:
        while not pid.exists() or not pid.read_text():
            time.sleep(0.01)
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        run_commands([works(), interrupted()], 2, lambda name: None, lock)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_usage_errors_are_one_line(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tools.main(['a.py'])
    assert error_line(int(caught.value.code or 0), capsys) == (
        'run_ablation.py: the following arguments are required: --out-dir, see --help'
    )
