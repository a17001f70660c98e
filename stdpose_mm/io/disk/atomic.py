"""Atomic writing: an output file is either complete or absent."""

from __future__ import annotations

import ctypes
import errno
import gzip
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from stdpose_mm.errors import InputError, os_error_text, system_errors_of

PathLike = str | os.PathLike[str]

ABANDONED_AFTER = 24 * 3600
"""Seconds without a change after which a temporary file counts as left behind by a killed run, on
disks where locks do not tell: another machine may write to a shared disk."""

_LOCAL_DISKS = ('btrfs', 'ext2', 'ext3', 'ext4', 'f2fs', 'overlay', 'tmpfs', 'xfs', 'zfs')
"""File systems of Linux that one machine uses, so that all locks on their files are known."""

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
"""Values of Linux for the system call ``renameat2``."""


@contextmanager
def atomic_path(path: PathLike, lasting: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which is renamed to ``path`` when the block succeeds.

    The folder is created if needed. The temporary name keeps the suffixes of ``path``, because some
    writers choose their format by it, and no other thread, process or machine uses it, so that
    several may write the same file: the last to finish wins. If the block raises, the temporary
    file is removed and an existing file at ``path`` stays as it was; in an ``InputError``, the
    temporary path is replaced by ``path``. If ``path`` is a symbolic link, its target is replaced.
    Mode and, where allowed, owner of an existing file are kept. A path that such a block has
    yielded is yielded again.

    Args:
        path: Path of the finished file.
        lasting: Whether the file has to survive a power failure.

    Yields:
        The path to write to.

    Raises:
        InputError: If ``path`` is a folder, a device or similar, is write-protected, or cannot be
            written, for example because the disk is full.
    """
    if finished_name(path) != Path(path).name:
        yield Path(path)
        return
    target = Path(os.path.realpath(path) if os.path.islink(path) else path)
    with system_errors_of(_not_written(target)):
        _require_replaceable(target)
    with _reserved(target, target, lambda file: file.touch(exist_ok=False)) as temporary:
        yield temporary
        if lasting:
            _flush(temporary)
        os.replace(temporary, target)
        if lasting:
            _flush(target.parent)


@contextmanager
def atomic_folder(path: PathLike) -> Iterator[Path]:
    """Yield a temporary folder, whose files are in the folder ``path`` when the block succeeds.

    Other files in an existing folder stay. A folder that is new, or holds only files that are
    written again, appears or is replaced in one step, so that a process that is killed at any
    moment leaves the old folder or the new one. Where the folder holds other files, is the current
    one or a mount point, and outside of Linux, the files of an existing folder are replaced one by
    one after all are written; a kill within these moments leaves old files beside new ones.

    Args:
        path: The folder; it is created if needed, with its parents.

    Yields:
        The folder to write to.

    Raises:
        InputError: If ``path`` is not a folder, or a file in it cannot be written or replaced.
    """
    target = Path(os.path.realpath(path))
    require_writable_folder(target)
    is_fixed = target == Path.cwd() or os.path.ismount(target)
    is_fixed |= target.is_dir() and not os.access(target.parent, os.W_OK)
    place = target / target.name if is_fixed else target
    with _reserved(target, place, Path.mkdir) as temporary:
        yield temporary
        _put_in_place(temporary, target)
        remove(temporary)
        _flush_disk(target.parent)


def _put_in_place(temporary: Path, target: Path) -> None:
    """Replace a folder by a temporary one, or move the files of this one to it."""
    new = {path.relative_to(temporary) for path in temporary.rglob('*')}
    names = sorted(name for name in new if not (temporary / name).is_dir())
    for name in names:
        with system_errors_of(_not_written(target / name)):
            _require_replaceable(target / name)
        copy_access(target / name, temporary / name)
    # At a power failure, no name may lead to a file whose content is not on the disk yet.
    _flush_disk(temporary)
    if all(path.relative_to(target) in new for path in target.rglob('*')):
        with suppress(OSError, AttributeError, TypeError):
            if target.is_dir():
                shutil.copystat(target, temporary)
            (_exchange if target.is_dir() and os.listdir(target) else os.rename)(temporary, target)
            return
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary / name, target / name)


def _exchange(first: Path, second: Path) -> None:
    """Exchange two folders in one step.

    Raises:
        OSError, AttributeError, TypeError: If the file system or the operating system cannot.
    """
    places = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second))
    if ctypes.CDLL(None, use_errno=True).renameat2(*places, _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), f'{first} cannot be exchanged')


@contextmanager
def _reserved(target: Path, place: Path, create: Callable[[Path], None]) -> Iterator[Path]:
    """Yield a temporary file or folder for ``target``, beside ``place``, that is locked.

    It is removed after an error, which then names ``target``.
    """
    temporary: Path | None = None
    try:
        with ExitStack() as lock:
            with system_errors_of(_not_written(target)):
                temporary = _reserve(place, create, lock)
            copy_access(target, temporary)
            yield temporary
    except BaseException as error:
        if temporary is None:
            raise
        remove(temporary)
        if isinstance(error, InputError) and str(temporary) in str(error):
            raise InputError(str(error).replace(str(temporary), str(target))) from None
        refused = _find_refusal(error, temporary)
        if refused is None:
            raise
        raise InputError(os_error_text(refused, _not_written(target))) from error


def _find_refusal(error: BaseException, temporary: Path) -> OSError | None:
    """Find the operating system's error about a temporary file that caused ``error``."""
    link: BaseException | None = error
    # PyTorch raises a RuntimeError if its writer fails.
    while isinstance(link, (OSError, RuntimeError)):
        if isinstance(link, OSError):
            # Writers that write atomically themselves use another temporary name.
            name = temporary.name if link.filename is None else os.fsdecode(link.filename)
            return link if temporary.name in name else None
        link = link.__cause__ or link.__context__
    return None


def _not_written(target: Path) -> str:
    return f'{target.parent / finished_name(target)} cannot be written'


def finished_name(path: PathLike) -> str:
    """Return the final name of a file; ``path`` may be its temporary path."""
    return re.sub(r'^\.[0-9]+\.partial\.', '', Path(path).name)


def require_writable(path: PathLike) -> None:
    """Check before long work that :func:`atomic_path` will succeed; create nothing.

    Raises:
        InputError: See :func:`atomic_path`.
    """
    target = Path(os.path.realpath(path))
    with system_errors_of(_not_written(target)):
        if os.fspath(path).endswith((os.sep, os.altsep or os.sep)):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        _require_replaceable(target)
        # Raises an error if the name is too long.
        _temporary_of(target, 0).is_file()
    _require_room(target, target.parent)


def require_writable_folder(path: PathLike) -> None:
    """Check before long work that files can be written to a folder; create nothing.

    Raises:
        InputError: If it is not a folder, or cannot be created or written to.
    """
    folder = Path(os.path.realpath(path))
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise InputError(f'{path} is a file, expected a folder to write to')
    _require_room(folder, folder)


def _require_room(target: Path, folder: Path) -> None:
    """Check that files can be created in ``folder``, or in its nearest existing parent."""
    with system_errors_of(_not_written(target)):
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        tempfile.TemporaryFile(dir=folder).close()


def _require_replaceable(target: Path) -> None:
    if target.is_dir():
        raise InputError(f'{target} is a folder, expected the path of a file to write')
    if target.exists() and not target.is_file():
        raise InputError(f'{target} is not a regular file, expected the path of a file to write')
    # Renaming would replace a write-protected file, which may be protected on purpose.
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def copy_access(target: Path, temporary: Path) -> None:
    """Give a new file or folder the mode and, where allowed, the owner of ``target``."""
    with suppress(FileNotFoundError):
        before = target.stat()
        if sys.platform != 'win32':
            with suppress(PermissionError):
                os.chown(temporary, before.st_uid, before.st_gid)
        # Not every disk has modes. A change of the owner may clear bits, so the mode is set last.
        with suppress(PermissionError):
            temporary.chmod(stat.S_IMODE(before.st_mode))


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    with _opened(path) as descriptor:
        if descriptor is None:
            return
        try:
            os.fsync(descriptor)
        except OSError:
            # Some disks cannot flush folders.
            if not path.is_dir():
                raise


def _flush_disk(path: Path) -> None:
    """Wait until all files of a disk are on it, which is faster than one by one."""
    with _opened(path) as descriptor, suppress(AttributeError, TypeError):
        if descriptor is not None:
            ctypes.CDLL(None).syncfs(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """Open a file or folder to flush or lock it; None if that is not allowed."""
    descriptor = None
    # Windows opens no folders, and flushes only files that may be written.
    with suppress(PermissionError):
        descriptor = os.open(path, os.O_RDWR if sys.platform == 'win32' else os.O_RDONLY)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _reserve(target: Path, create: Callable[[Path], None], lock: ExitStack) -> Path:
    """Create the empty temporary file or folder beside ``target``, under the first free name.

    Args:
        target: The finished file or folder.
        create: Creates an empty one; fails if it exists.
        lock: Receives the lock on it, which shows that its writer lives.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    numbers = count()
    while True:
        temporary = _temporary_of(target, next(numbers))
        try:
            create(temporary)
        except FileExistsError:
            _remove_abandoned(temporary)
            continue
        try:
            # Another process may have taken it for abandoned before it was locked.
            if lock.enter_context(_locked(temporary)) is not False:
                return temporary
        except BaseException:
            remove(temporary)
            raise
        lock.close()


@contextmanager
def _locked(path: Path) -> Iterator[bool | None]:
    """Lock a temporary file or folder.

    Yields:
        Whether this call has locked it: False if another one has, or has removed it; None if locks
        tell nothing on this disk.
    """
    is_locked = None
    with ExitStack() as files:
        if sys.platform == 'linux' and _disk_of(os.stat(path.parent).st_dev) in _LOCAL_DISKS:
            import fcntl

            # Other errors mean that this disk has no locks, or that the file cannot be opened.
            with suppress(OSError):
                try:
                    descriptor = files.enter_context(_opened(path))
                    if descriptor is not None:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        is_locked = os.path.samestat(os.fstat(descriptor), os.stat(path))
                except (BlockingIOError, FileNotFoundError):
                    is_locked = False
        yield is_locked


def _remove_abandoned(path: Path) -> None:
    """Remove a temporary file or folder that a killed run has left behind.

    On a disk of this machine, its writer lives if it is locked; on others, it counts as left behind
    after ``ABANDONED_AFTER``.
    """
    # Another thread, process or machine may finish it at this moment.
    with _locked(path) as is_free, suppress(FileNotFoundError):
        if is_free is None:
            is_free = time.time() - path.stat().st_mtime > ABANDONED_AFTER
        if is_free:
            remove(path)


@lru_cache
def _disk_of(device: int) -> str:
    """Return the type of the file system of a device; '' if it is unknown."""
    if sys.platform == 'linux':
        number = f'{os.major(device)}:{os.minor(device)}'
        with suppress(OSError):
            for line in Path('/proc/self/mountinfo').read_text().splitlines():
                fields, _, described = line.partition(' - ')
                if fields.split()[2] == number:
                    return described.split()[0]
    return ''


def remove_partial(folder: PathLike, since: float) -> None:
    """Remove temporary files in a folder that a killed run has left.

    Args:
        folder: The folder.
        since: Time (``time.time()``) after which files may belong to a run that still writes them.
    """
    for temporary in Path(folder).glob('.*.partial.*'):
        with suppress(OSError):
            if temporary.stat().st_mtime < since:
                remove(temporary)


def _temporary_of(target: Path, number: int) -> Path:
    return target.with_name(f'.{number}.partial.{finished_name(target)}')


def remove(path: Path) -> None:
    """Remove a file or a whole folder, which may be missing."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: PathLike, text: str) -> None:
    """Write ``text`` as UTF-8, atomically; gzipped if ``path`` ends in ``.gz``.

    Raises:
        InputError: If ``path`` cannot be written or ``text`` is not proper Unicode.
    """
    with atomic_path(path) as temporary, _unicode_errors_of(path):
        data = text.encode()
        # No modification time, so that equal labels give equal files.
        temporary.write_bytes(gzip.compress(data, mtime=0) if _is_zipped(path) else data)


def write_json(path: PathLike, data: Any, indent: int | None = None) -> None:
    """Write ``data`` as JSON (UTF-8, no NaN), atomically; gzipped if ``path`` ends in ``.gz``.

    Raises:
        ValueError: If ``data`` holds NaN or infinity, which JSON cannot represent.
    """
    write_text(path, json_text(data, indent))


def json_text(data: Any, indent: int | None = None) -> str:
    """Return the content of a JSON file; see :func:`write_json`."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent) + '\n'


def write_texts(path: PathLike, texts: Iterable[tuple[str, str]]) -> None:
    """Write text files (UTF-8) to a folder, see :func:`atomic_folder`.

    Args:
        path: The folder.
        texts: The path of each file in the folder, and its content.

    Raises:
        InputError: If a file cannot be written or a text is not proper Unicode.
    """
    with atomic_folder(path) as folder:
        for name, text in texts:
            file = folder / name
            file.parent.mkdir(exist_ok=True)
            with _unicode_errors_of(Path(path, name)):
                file.write_bytes(text.encode())


def write_json_object(path: PathLike, fields: Mapping[str, Any]) -> None:
    """Write a JSON object that may be too large for memory, with the result of :func:`write_json`.

    Args:
        path: Output file; gzipped if it ends in ``.gz``.
        fields: Name -> value. An iterator is written as a list, one value at a time; values of
            type bytes are JSON text already.

    Raises:
        InputError: If ``path`` cannot be written or a text is not proper Unicode.
        ValueError: If a value is NaN or infinity, which JSON cannot represent.
    """
    with atomic_path(path) as temporary, ExitStack() as files:
        out: Any = files.enter_context(open(temporary, 'wb'))
        if _is_zipped(path):
            out = files.enter_context(gzip.GzipFile('', 'wb', fileobj=out, mtime=0))
        with _unicode_errors_of(path):
            for number, (name, value) in enumerate(fields.items()):
                out.write((b', ' if number else b'{') + json_bytes(name) + b': ')
                out.writelines(_chunks(value))
        out.write(b'}\n')


def _chunks(value: Any) -> Iterator[bytes]:
    """Yield the JSON text of a value; an iterator is written value by value."""
    if not isinstance(value, Iterator):
        yield json_bytes(value)
        return
    yield b'['
    for number, item in enumerate(value):
        yield (b', ' if number else b'') + (item if isinstance(item, bytes) else json_bytes(item))
    yield b']'


def json_bytes(value: Any) -> bytes:
    """Return the JSON text of a value in UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _is_zipped(path: PathLike) -> bool:
    return Path(path).suffix == '.gz'


@contextmanager
def _unicode_errors_of(path: PathLike) -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError as error:
        bad = error.object[error.start : error.end]
        raise InputError(f'{path}: a name contains {bad!r}, which is not valid Unicode') from error
