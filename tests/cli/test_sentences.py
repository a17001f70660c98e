"""What the machine refuses is one line on stderr and exit code 2, whatever the command does."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import re
import signal
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tqdm import tqdm

from stdpose_mm.cli import convert, main, propagate
from stdpose_mm.cli.command import Command, with_sentences
from stdpose_mm.cli.env import EnvOptions
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.errors import InputError, InputWarning, explain_error
from stdpose_mm.io import atomic_path
from stdpose_mm.labelling.comparison.labelled_videos import open_video
from stdpose_mm.structures import VideoFrame, VideoLabels
from support.platforms import posix

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_help_gives_defaults_of_values_and_none_of_flags(monkeypatch):
    monkeypatch.setenv('COLUMNS', '200')
    text = propagate.main.make_parser().format_help()
    assert 'Number format of the model (float32)' in text
    assert '(True)' not in text


def raising(error: BaseException):
    def work(*_: object, **__: object) -> None:
        raise error

    return work


@pytest.mark.parametrize('verb', ['plan', 'convert', 'evaluate', 'cache', 'export'])
def test_ctrl_c_is_a_sentence_of_any_command(capsys, monkeypatch, verb):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CliParser, 'parse_args', interrupted)
    assert main.main([verb]) == 130
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ('', f'stdpose {verb}: interrupted\n')


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Signals as by default, which ``nohup`` and the like change."""
    names = ('SIGTERM', 'SIGHUP')
    before = {name: signal.signal(getattr(signal, name), signal.SIG_DFL) for name in names}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.usefixtures('default_signals')
@posix
@pytest.mark.parametrize(('name', 'code'), [('SIGTERM', 143), ('SIGHUP', 129)])
def test_signals_that_end_a_command_are_a_sentence(capsys, tmp_path, name, code):
    """Those of docker stop, Slurm and timeout, and of a closed terminal."""

    def work() -> None:
        with atomic_path(tmp_path / 'out.json') as temporary:
            temporary.write_text('half')
            for _ in range(2):
                os.kill(os.getpid(), getattr(signal, name))

    assert with_sentences('tool.py', partial(with_sentences, 'tool.py', work)) == code
    assert capsys.readouterr().err == 'tool.py: interrupted\n'
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(getattr(signal, name)) is signal.SIG_DFL


def test_names_in_files_do_not_control_the_terminal(run_main, tmp_path, movie, label_file):
    fields = json.loads(label_file.read_text())
    fields['categories'][0]['name'] = 'rat\x1b[2J\u202e'
    label_file.write_text(json.dumps(fields))
    arguments = [movie, label_file, '--method', 'linear', '--out', tmp_path / 'o.json']
    code, printed, _ = run_main(propagate.main, *arguments)
    assert (code, printed.isascii()) == (0, True)
    assert r'rat\x1b[2J\u202e' in printed
    (line,) = run_main(convert.main, label_file, tmp_path / 'x\x1b[2J.pdf')[2]
    assert r'x\x1b[2J.pdf is not a name for labels' in line


@posix
def test_a_signal_that_nohup_ignores_ends_nothing(capsys):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert with_sentences('tool.py', lambda: os.kill(os.getpid(), signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@posix
def test_a_worker_that_is_ended_says_nothing(capfd):
    fork = multiprocessing.get_context('fork')
    begun = fork.Event()

    def sleep() -> None:
        begun.set()
        time.sleep(60)

    def work() -> int:
        worker = fork.Process(target=sleep)
        worker.start()
        assert begun.wait(30)
        worker.terminate()
        worker.join(30)
        return worker.exitcode or 0

    assert with_sentences('tool.py', work) == -signal.SIGTERM
    assert capfd.readouterr().err == ''


@pytest.mark.parametrize(
    ('error', 'sentence'),
    [
        (
            PermissionError(errno.EACCES, 'Permission denied', 'a/b.json'),
            'a/b.json: Permission denied',
        ),
        (OSError(errno.ENAMETOOLONG, 'File name too long', b'abc'), 'abc: File name too long'),
        (
            NO_SPACE,
            'a file or the output of the command cannot be written: No space left on device',
        ),
        (OSError('8 requested and 2 written'), '8 requested and 2 written'),
        (
            MemoryError('Unable to allocate 9 GiB'),
            'there is not enough memory (Unable to allocate 9 GiB), process less at once',
        ),
    ],
)
def test_what_the_machine_refuses_is_a_sentence(capsys, error, sentence):
    assert with_sentences('tool.py', raising(error)) == 2
    assert capsys.readouterr().err == f'tool.py: {sentence}\n'


def test_the_sentence_has_a_line_of_its_own_after_a_bar(capsys):
    def work() -> None:
        for _ in tqdm(range(9)):
            raise InputError('clip.mp4 cannot be read')

    assert with_sentences('tool.py', work) == 2
    *_, last = re.split(r'[\r\n]+', capsys.readouterr().err.strip())
    assert last == 'tool.py: clip.mp4 cannot be read'


def test_an_error_behind_that_of_a_writer_is_told(capsys):
    wrapped = RuntimeError('writer failed')
    wrapped.__cause__ = NO_SPACE
    assert with_sentences('tool.py', raising(wrapped)) == 2
    assert 'No space left on device' in capsys.readouterr().err


@pytest.mark.parametrize('error', [KeyError('a'), RuntimeError('a'), ValueError('a')])
def test_a_bug_keeps_its_traceback(error):
    # An error that was dealt with before does not hide it.
    error.__context__ = NO_SPACE if not isinstance(error, RuntimeError) else None
    assert explain_error(error) is None
    with pytest.raises(type(error)):
        with_sentences('tool.py', raising(error))


def test_very_long_names_are_cut(capsys):
    assert with_sentences('tool.py', raising(InputError(f'{"x" * 10**6} is no label'))) == 2
    line = capsys.readouterr().err
    assert len(line) < 300
    assert line.endswith('xxx is no label\n')
    with pytest.raises(SystemExit):
        Command(EnvOptions, print, 'A tool.', 'tool.py')(['y' * 10**6])
    assert len(capsys.readouterr().err) < 400


def fill_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stdout be a full disk; not in a fixture, since pytest sets stdout after these."""
    file = Path('/dev/full').open('wb', buffering=0)  # noqa: SIM115
    monkeypatch.setattr('sys.stdout', io.TextIOWrapper(file, write_through=True))


@pytest.mark.parametrize('arguments', [['--help'], ['--version'], ['convert', '--help']])
def test_stdout_that_is_full_is_an_error(capsys, monkeypatch, arguments):
    fill_stdout(monkeypatch)
    assert main.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('cannot be written: No space left on device')


def test_stdout_in_ascii_shows_escapes(monkeypatch, tmp_path, label_file):
    label_file.write_text(label_file.read_text().replace('"clip', '"clíp'))
    data = io.BytesIO()
    monkeypatch.setattr('sys.stdout', io.TextIOWrapper(data, encoding='ascii'))
    assert convert.main([str(label_file), str(tmp_path / 'out.xml')]) == 0
    assert data.getvalue().startswith(b'cl\\xedp: 3 frames, 2 people, 6 given poses; ')


def test_a_frame_number_in_the_millions_is_refused(skeleton):
    labels = VideoLabels('clip', skeleton, (VideoFrame(0), VideoFrame(10_000_001)), ())
    with pytest.raises(
        InputError, match='list frame 10000001, expected frame numbers up to 10000000'
    ):
        open_video(labels, None, None, pictures_needed=False)


def test_a_warning_is_one_line_however_often_it_is_raised(capsys):
    def work():
        for text in ('a.avi is cut short', 'a.avi is cut short', 'b.avi is cut short'):
            warnings.warn(text, InputWarning, stacklevel=1)

    assert with_sentences('tool.py', work) == 0
    assert capsys.readouterr().err == ('tool.py: a.avi is cut short\ntool.py: b.avi is cut short\n')
