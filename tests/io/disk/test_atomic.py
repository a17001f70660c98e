import errno
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path, write_json, write_text
from stdpose_mm.io.disk import atomic
from stdpose_mm.io.disk.atomic import require_writable, write_texts
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
def test_a_file_that_another_machine_may_be_writing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    """On this machine, no process has the second number."""
    monkeypatch.setattr(atomic, '_disk_of', lambda device: 'nfs4')
    others = tmp_path / name
    others.write_text('half')
    os.utime(others, (time.time() - 3600 * 23,) * 2)
    write_json(tmp_path / 'out.json', {})
    assert others.read_text() == 'half'
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_day_has_not_changed_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever process has the number: in a container, the next run has that of the killed one."""
    monkeypatch.setattr(atomic, '_disk_of', lambda device: 'nfs4')
    left = tmp_path / '.0.partial.out.json'
    left.touch()
    os.utime(left, (time.time() - 3600 * 25,) * 2)
    write_json(tmp_path / 'out.json', {})
    assert list(tmp_path.iterdir()) == [tmp_path / 'out.json']


local_disk = pytest.mark.skipif(
    sys.platform != 'linux' or atomic._disk_of(os.stat('.').st_dev) not in atomic._LOCAL_DISKS,
    reason='locks tell who is alive on the disks of one machine only',
)


@local_disk
def test_what_a_killed_run_has_left_is_removed_at_once(tmp_path: Path):
    (tmp_path / '.0.partial.out.json').write_text('half')
    (tmp_path / '.0.partial.pictures').mkdir()
    (tmp_path / '.0.partial.pictures' / 'a.txt').write_text('half')
    write_json(tmp_path / 'out.json', {})
    write_texts(tmp_path / 'pictures', [('b.txt', 'whole')])
    assert {path.name for path in tmp_path.rglob('*')} == {'out.json', 'pictures', 'b.txt'}


@local_disk
def test_what_another_process_is_writing_stays(tmp_path: Path):
    code = (
        'import sys; from stdpose_mm.io import atomic_path\n'
        'with atomic_path(sys.argv[1]) as path: path.write_text("theirs"); input()'
    )
    with subprocess.Popen(
        [sys.executable, '-c', code, str(tmp_path / 'out.json')], stdin=subprocess.PIPE
    ) as writer:
        others = tmp_path / '.0.partial.out.json'
        while not (others.exists() and others.read_text()):
            time.sleep(0.01)
        os.utime(others, (0, 0))
        write_json(tmp_path / 'out.json', {})
        assert others.read_text() == 'theirs'
        writer.communicate(b'\n')
    assert (tmp_path / 'out.json').read_text() == 'theirs'
    assert list(tmp_path.iterdir()) == [tmp_path / 'out.json']


@local_disk
def test_a_disk_without_locks_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr('fcntl.flock', refuse)
    (tmp_path / '.0.partial.out.json').write_text('perhaps being written')
    write_json(tmp_path / 'out.json', {})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ['.0.partial.out.json', 'out.json']


@posix
@pytest.mark.parametrize('mode', [0o600, 0o640, 0o664])
def test_a_file_keeps_its_mode_also_while_it_is_written(tmp_path: Path, mode: int):
    path = tmp_path / 'patient.json'
    path.write_text('old')
    path.chmod(mode)
    with atomic_path(path) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == mode
        temporary.write_text('new')
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (mode, 'new')


@posix
def test_files_of_a_folder_and_the_folder_keep_their_modes(tmp_path: Path):
    folder = tmp_path / 'patient'
    folder.mkdir(0o700)
    (folder / 'a.txt').touch(0o600)
    write_texts(folder, [('a.txt', 'new')])
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / 'a.txt')] == [
        0o700,
        0o600,
    ]


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() != 0, reason='only root may')
def test_a_file_of_another_owner_stays_theirs(tmp_path: Path):
    path = tmp_path / 'theirs.json'
    path.touch()
    os.chown(path, 12345, 54321)
    write_json(path, {})
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


@posix
def test_content_and_name_are_on_the_disk_before_and_after_the_renaming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    events: list[str] = []
    flush, replace = os.fsync, os.replace

    def note_flush(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append('folder' if is_folder else f'file of {os.fstat(descriptor).st_size} bytes')
        flush(descriptor)

    def note_replace(source: Path, target: Path) -> None:
        events.append('renamed')
        replace(source, target)

    monkeypatch.setattr(os, 'fsync', note_flush)
    monkeypatch.setattr(os, 'replace', note_replace)
    write_text(tmp_path / 'a.txt', '12345')
    assert events == ['file of 5 bytes', 'renamed', 'folder']


def test_a_file_that_is_written_twice_at_once_is_that_of_the_last_to_finish(tmp_path: Path):
    path = tmp_path / 'out.json'
    with atomic_path(path) as slow:
        slow.write_text('slow')
        with atomic_path(path) as fast:
            fast.write_text('fast')
        assert path.read_text() == 'fast'
    assert path.read_text() == 'slow'
    assert list(tmp_path.iterdir()) == [path]
