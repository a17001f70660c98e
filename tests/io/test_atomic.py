import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path, write_json, write_text
from stdpose_mm.io.atomic import require_writable
from support.platforms import posix


def test_the_file_appears_when_the_block_ends(tmp_path: Path):
    path = tmp_path / 'new' / 'out.mp4'
    with atomic_path(path) as temporary:
        temporary.write_text('done')
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, '.mp4')

    assert path.read_text() == 'done'
    assert list(path.parent.iterdir()) == [path]


def write_half(path: Path, fail: Callable[[], object]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text('half')
        fail()


def full_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_disk_of_pytorch() -> None:
    try:
        full_disk()
    except OSError as error:
        raise RuntimeError('PytorchStreamWriter failed') from error


def interrupted() -> None:
    raise KeyboardInterrupt


FULL = r'out\.json cannot be written: No space left on device'


@pytest.mark.parametrize(
    ('fail', 'error', 'message'),
    [
        (interrupted, KeyboardInterrupt, '^$'),
        (full_disk, InputError, FULL),
        (full_disk_of_pytorch, InputError, FULL),
        # An error of another file stays what it is.
        (lambda: Path('missing').read_bytes(), FileNotFoundError, 'missing'),
    ],
    ids=['interrupted', 'full disk', 'full disk of PyTorch', 'another file'],
)
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, fail, error, message):
    path = tmp_path / 'out.json'
    path.write_text('old')
    with pytest.raises(error, match=message):
        write_half(path, fail)
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_about_the_temporary_file_names_the_finished_one(tmp_path: Path):
    path = tmp_path / 'out.trc'
    with (
        pytest.raises(InputError) as caught,
        atomic_path(path) as outer,
        atomic_path(outer) as inner,
    ):
        raise InputError(f'{inner}: two frames are needed')
    assert str(caught.value) == f'{path}: two frames are needed'


@posix
def test_a_write_protected_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / 'labels.json'
    path.write_text('precious')
    path.chmod(0o444)
    # The administrator, as whom tests may run, may write everything.
    monkeypatch.setattr(os, 'access', lambda path, mode: bool(os.stat(path).st_mode & 0o200))
    sentence = r'labels\.json cannot be written: Permission denied'
    with pytest.raises(InputError, match=sentence):
        require_writable(path)
    with pytest.raises(InputError, match=sentence):
        write_json(path, {})
    assert path.read_text() == 'precious'


def test_json_is_plain_utf8(tmp_path: Path):
    write_json(tmp_path / 'a.json', {'名': 1.5})
    assert (tmp_path / 'a.json').read_bytes() == '{"名": 1.5}\n'.encode()


@pytest.mark.parametrize(
    ('write', 'content', 'message'),
    [
        (write_json, [float('nan')], 'not JSON compliant'),
        (write_text, 'half a character \ud800', 'not valid Unicode'),
    ],
)
def test_what_no_file_can_hold_is_not_written(tmp_path: Path, write, content, message: str):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / 'a.json', content)
    assert not list(tmp_path.iterdir())


def test_asking_whether_a_file_can_be_written_leaves_none(tmp_path: Path):
    require_writable(tmp_path / 'new' / 'out.json')
    assert not list(tmp_path.rglob('*'))
    (tmp_path / 'file').touch()
    for path, words in (
        (tmp_path / 'file' / 'out.json', 'cannot be written'),
        (tmp_path, 'folder'),
    ):
        for ask in (require_writable, lambda path: write_json(path, {})):
            with pytest.raises(InputError, match=words):
                ask(path)


@posix
def test_names_that_are_too_long_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match='File name too long'):
        require_writable(tmp_path / ('x' * 251 + '.json'))


@pytest.mark.parametrize('name', ['.0.partial.out.json', '.4194305.partial.out.json'])
def test_a_file_that_another_machine_may_be_writing_stays(tmp_path: Path, name: str):
    """On this machine, no process has the second number."""
    others = tmp_path / name
    others.write_text('half')
    os.utime(others, (time.time() - 3600 * 23,) * 2)
    write_json(tmp_path / 'out.json', {})
    assert others.read_text() == 'half'
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_day_has_not_changed_is_removed(tmp_path: Path):
    """Whatever process has the number: in a container, the next run has that of the killed one."""
    left = tmp_path / '.0.partial.out.json'
    left.touch()
    os.utime(left, (time.time() - 3600 * 25,) * 2)
    write_json(tmp_path / 'out.json', {})
    assert list(tmp_path.iterdir()) == [tmp_path / 'out.json']


def test_a_file_that_is_written_twice_at_once_is_that_of_the_last_to_finish(tmp_path: Path):
    path = tmp_path / 'out.json'
    with atomic_path(path) as slow:
        slow.write_text('slow')
        with atomic_path(path) as fast:
            fast.write_text('fast')
        assert path.read_text() == 'fast'
    assert path.read_text() == 'slow'
    assert list(tmp_path.iterdir()) == [path]
