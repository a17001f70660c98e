"""Output files that are either complete or not there."""

from __future__ import annotations

import errno
import glob
import gzip
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from stdpose_mm.errors import InputError, os_error_text

PathLike = str | os.PathLike[str]

_MAX_NAME = 255
"""Maximum length of a file name in bytes."""

_MARK = re.compile(r'\.([0-9]+)(?:-[0-9]+)?\.partial\.')
"""How temporary names begin: with the process, and a number that no other file of it has."""

_LONGEST_MARK = len(f'.{2**22}-{2**32}.partial.')

_numbers = count()


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which is renamed to ``path`` when the block succeeds.

    The folder is created if need be. The temporary name keeps the suffixes of ``path``, by which
    some writers choose their format, and is another one every time: several threads may write the
    same file, which is that of the last to finish. If the block raises, nothing is left behind and
    a file that was at ``path`` before is untouched; an ``InputError`` that names the temporary path
    then names ``path``. A symbolic link is written through.

    Args:
        path: Path of the finished file.

    Yields:
        The path to write to.

    Raises:
        InputError: If ``path`` is a folder, a device or similar, is write-protected, or cannot be
            written, for example because the disk is full.
    """
    if os.path.islink(path):
        path = os.path.realpath(path)
    temporary = _reserve(Path(path))
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, InputError) and str(temporary) in str(error):
            raise InputError(str(error).replace(str(temporary), str(path))) from None
        refused = _find_refusal(error, temporary)
        if refused is None:
            raise
        raise _not_written(path, refused) from error


def _find_refusal(error: BaseException, temporary: Path) -> OSError | None:
    """Find the operating system's error about a temporary file that caused ``error``."""
    link: BaseException | None = error
    # PyTorch raises a RuntimeError where its writer was refused.
    while isinstance(link, (OSError, RuntimeError)):
        if isinstance(link, OSError):
            file = link.filename
            # Writers that write atomically themselves have another temporary name.
            ours = file is None or temporary.name in os.path.basename(os.fsdecode(file))
            return link if ours else None
        link = link.__cause__ or link.__context__
    return None


def _not_written(path: PathLike, error: OSError) -> InputError:
    path = Path(path).parent / finished_name(path)
    return InputError(os_error_text(error, f'{path} cannot be written'))


def finished_name(path: PathLike) -> str:
    """Return the name that a file will have, of which ``path`` may be the temporary one."""
    return re.sub(rf'^({_MARK.pattern})+', '', Path(path).name)


def require_writable(path: PathLike) -> None:
    """Check before long work that :func:`atomic_path` will succeed; creates nothing.

    Raises:
        InputError: See :func:`atomic_path`.
    """
    target = Path(os.path.realpath(path))
    try:
        if os.fspath(path).endswith(os.sep):
            raise _folder_error(path)
        _require_replaceable(target)
        # Also raises an error if the name is too long.
        _temporary_of(target).is_file()
    except OSError as error:
        raise _not_written(target, error) from error
    _require_room(target, target.parent)


def require_writable_folder(path: PathLike) -> None:
    """Check before long work that files can be written to a folder; creates nothing.

    Raises:
        InputError: If it is no folder, or it cannot be created or written to.
    """
    folder = Path(os.path.realpath(path))
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise InputError(f'{path} is a file, expected a folder to write to')
    _require_room(folder, folder)


def _require_room(target: Path, folder: Path) -> None:
    """Check that files can be created in ``folder``, or in its nearest existing parent."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _not_written(target, error) from error


def _folder_error(path: PathLike) -> InputError:
    return InputError(f'{path} is a folder, expected the path of a file to write')


def _require_replaceable(target: Path) -> None:
    if target.is_dir():
        raise _folder_error(target)
    if target.exists() and not target.is_file():
        raise InputError(f'{target} is no regular file, expected the path of a file to write')
    # Renaming another file to it would not ask, though somebody may have protected it on purpose.
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _reserve(target: Path) -> Path:
    """Create the empty temporary file beside ``target``."""
    try:
        _require_replaceable(target)
        temporary = _temporary_of(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        for path in left_behind(target):
            path.unlink(missing_ok=True)
        temporary.touch()
    except OSError as error:
        raise _not_written(target, error) from error
    return temporary


def _temporary_of(target: Path) -> Path:
    return target.with_name(f'.{os.getpid()}-{next(_numbers)}.partial.{_short_name(target)}')


def _short_name(target: Path) -> str:
    """Return the name of the target; if it is too long, its end and a digest."""
    room = _MAX_NAME - _LONGEST_MARK
    name = os.fsencode(target.name)
    if not room < len(name) <= _MAX_NAME:
        return target.name
    digest = hashlib.sha256(name).hexdigest()[:16]
    return f'{digest}{os.fsdecode(name[len(digest) - room :])}'


def left_behind(target: Path) -> list[Path]:
    """List the temporary files or folders of ``target`` that killed processes left behind."""
    found = []
    for path in target.parent.glob(f'.*.partial.{glob.escape(_short_name(target))}'):
        mark = _MARK.match(path.name)
        if mark is not None and not _is_running(int(mark[1])):
            found.append(path)
    return found


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_text(path: PathLike, text: str) -> None:
    """Write ``text`` as UTF-8, atomically; gzipped if ``path`` ends in ``.gz``.

    Raises:
        InputError: If ``path`` cannot be written or ``text`` is not proper Unicode.
    """
    try:
        data = text.encode('utf-8')
    except UnicodeEncodeError as error:
        bad = error.object[error.start : error.end]
        raise InputError(f'{path}: a name holds {bad!r}, which is no Unicode character') from error
    if Path(path).suffix == '.gz':
        # No modification time, so that equal labels give equal files.
        data = gzip.compress(data, mtime=0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: PathLike, data: Any, indent: int | None = None) -> None:
    """Write ``data`` as JSON (UTF-8, no NaN), atomically; gzipped if ``path`` ends in ``.gz``.

    Raises:
        ValueError: If ``data`` holds NaN or infinity, which JSON cannot represent.
    """
    write_text(path, json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent) + '\n')
