"""Commands of a study: what is launched, and how failures and interruptions end it."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from research.study import commands
from research.study.commands import Command, Launcher, run_commands
from stdpose_mm.errors import InputError
from support.paths import ROOT

CONFIG, FOLDER = Path('out/runs/a/config.py'), Path('out/runs/a/seed0')


def shape(arguments: tuple[str, ...]) -> list[str]:
    """A command line with the tool's name alone in place of its path."""
    assert (ROOT / arguments[1]).is_file(), f'no {arguments[1]}'
    return [arguments[0], Path(arguments[1]).name, *arguments[2:]]


def test_one_process_is_started_by_this_python() -> None:
    launcher = Launcher()
    assert shape(launcher.train('a', CONFIG, FOLDER, ['--seed', '1'])) == [
        sys.executable, 'train.py', str(CONFIG), '--work-dir', str(FOLDER), '--seed', '1',
    ]  # fmt: skip
    assert launcher.environment() == {}


def test_torchrun_gets_the_number_of_processes_and_a_free_port() -> None:
    launcher = Launcher('pytorch', 4)
    assert shape(launcher.train('a', CONFIG, FOLDER, ['--seed', '1'])) == [
        'bash', 'dist_train.sh', str(CONFIG), '4', '--work-dir', str(FOLDER), '--seed', '1',
    ]  # fmt: skip
    assert shape(launcher.test('a', CONFIG, Path('x.pth'), ['--out', 'm.json'])) == [
        'bash', 'dist_test.sh', str(CONFIG), 'x.pth', '4', '--out', 'm.json',
    ]  # fmt: skip
    environment = launcher.environment()
    assert 1024 < int(environment['PORT']) < 65536
    assert environment['PATH'].startswith(str(Path(sys.executable).parent))


def test_slurm_gets_partition_job_and_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('GPUS_PER_NODE', raising=False)
    launcher = Launcher('slurm', 16, 'gpu')
    assert shape(launcher.train('a with seed 1', CONFIG, FOLDER, ['--seed', '1'])) == [
        'bash', 'slurm_train.sh', 'gpu', 'a_with_seed_1', str(CONFIG), str(FOLDER), '--seed', '1',
    ]  # fmt: skip
    environment = launcher.environment()
    assert (environment['GPUS'], environment['GPUS_PER_NODE']) == ('16', '8')


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (('none', 2), r'--gpus 2 needs --launcher pytorch or slurm'),
        (('slurm', 8), r'--launcher slurm and --partition need each other'),
        (('none', 1, 'gpu'), r'--launcher slurm and --partition need each other'),
    ],
)
def test_launchers_that_contradict_themselves_are_refused(given: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Launcher(*given)


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
    # Each waits for the other one's file: in vain, if it has to end before the other begins.
    code = (
        'import os, sys, time\n'
        'open({own!r}, "w").close()\n'
        'give_up = time.monotonic() + {patience}\n'
        'while not os.path.exists({other!r}) and time.monotonic() < give_up: time.sleep(0.01)\n'
        'open({result!r}, "w").write(str(os.path.exists({other!r})))\n'
    )
    met = {}
    for jobs in (2, 1):
        paths = {key: str(tmp_path / f'{jobs}{key}') for key in ('a', 'b', 'ra', 'rb')}
        works = []
        for own, other in ('ab', 'ba'):
            text = code.format(
                own=paths[own],
                other=paths[other],
                result=paths[f'r{own}'],
                patience=60 if jobs == 2 else 0.2,
            )
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
    sleeper = f'import os, time; open({str(pid)!r}, "w").write(str(os.getpid())); time.sleep(300)'
    # It is written after it is there.
    there = f'os.path.exists({str(pid)!r}) and os.path.getsize({str(pid)!r})'
    wait = f'import os, time\nwhile not ({there}): time.sleep(0.01)\n'
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


def test_a_run_left_behind_keeps_the_folder_in_use(tmp_path: Path) -> None:
    """The lock is its child's, too: when this process is killed, another must not start."""
    with open(tmp_path / '.lock', 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        command = python('x', 'import time; time.sleep(300)', tmp_path / 'log')
        process = commands._start(command, file)
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
    code = f'import os, time; open({str(pid)!r}, "w").write(str(os.getpid())); time.sleep(300)'

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
