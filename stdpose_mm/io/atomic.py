"""Atomic writing: an output file is either complete or absent."""

from __future__ import annotations

import errno
import glob
import gzip
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from stdpose_mm.errors import InputError, os_error_text, system_errors_of

PathLike = str | os.PathLike[str]

_MARK = re.compile(r'\.([0-9]+)(?:-[0-9]+)?\.partial\.')
"""Start of temporary names: the process id, and a number that is unique within the process."""

_numbers = count()


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which is renamed to ``path`` when the block succeeds.

    The folder is created if needed. The temporary name keeps the suffixes of ``path``, because some
    writers choose their format by it, and is different every time, so that several threads may
    write the same file: the last to finish wins. If the block raises, the temporary file is removed
    and an existing file at ``path`` stays as it was; in an ``InputError``, the temporary path is
    replaced by ``path``. If ``path`` is a symbolic link, its target is replaced.

    Args:
        path: Path of the finished file.

    Yields:
        The path to write to.

    Raises:
        InputError: If ``path`` is a folder, a device or similar, is write-protected, or cannot be
            written, for example because the disk is full.
    """
    target = Path(os.path.realpath(path) if os.path.islink(path) else path)
    temporary = _reserve(target)
    try:
        yield temporary
        os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
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
    return re.sub(rf'^({_MARK.pattern})+', '', Path(path).name)


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
        _temporary_of(target).is_file()
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


def _reserve(target: Path) -> Path:
    """Create the empty temporary file beside ``target``."""
    with system_errors_of(_not_written(target)):
        _require_replaceable(target)
        temporary = _temporary_of(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        for path in left_behind(target):
            path.unlink(missing_ok=True)
        temporary.touch()
        return temporary


def _temporary_of(target: Path) -> Path:
    return target.with_name(f'.{os.getpid()}-{next(_numbers)}.partial.{target.name}')


def left_behind(target: Path) -> list[Path]:
    """List the temporary files or folders of ``target`` that killed processes left behind."""
    found = target.parent.glob(f'.*.partial.{glob.escape(target.name)}')
    marked = ((path, _MARK.match(path.name)) for path in found)
    return [path for path, mark in marked if mark and not _is_in_use(path, int(mark[1]))]


def _is_in_use(path: Path, process: int) -> bool:
    if sys.platform == 'win32':
        # On Windows signal 0 is Ctrl-C and would end the process. Files that have not changed for a
        # day count as left behind.
        return time.time() - path.stat().st_mtime < 24 * 3600
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


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
    write_text(path, json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent) + '\n')


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
