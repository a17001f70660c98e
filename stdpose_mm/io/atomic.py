"""Output files that are either complete or not there."""

from __future__ import annotations

import glob
import gzip
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stdpose_mm.errors import InputError

PathLike = str | os.PathLike[str]


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block succeeds.

    The folder is created if need be. The temporary name keeps the suffixes of ``path``, by which
    some writers choose their format. If the block raises, nothing is left behind and a file that
    was at ``path`` before is untouched. A symbolic link is written through.

    Args:
        path: Where the finished file shall lie.

    Yields:
        The path to write to.

    Raises:
        InputError: If ``path`` is a folder, a device or the like, or its folder cannot be written
            to.
    """
    if os.path.islink(path):
        path = os.path.realpath(path)
    temporary = _reserve(Path(path))
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def refuse_overwriting(
    inputs: Mapping[str, PathLike | None], outputs: Mapping[str, PathLike | None]
) -> None:
    """Refuse an output that is one of the inputs, or another output, by name or through links.

    Args:
        inputs: What an input is called -> its path; None, or what is no path, counts for nothing.
        outputs: What an output is called -> its path.

    Raises:
        InputError: If two of them are the same file.
    """
    taken = {_identity(path): name for name, path in inputs.items() if path is not None}
    for name, path in outputs.items():
        if path is None:
            continue
        other = taken.setdefault(_identity(path), name)
        if other in inputs:
            raise InputError(
                f'{name} {path} is given as {other} too, which would be overwritten, give another '
                'file'
            )
        if other != name:
            first, second = sorted((name, other))
            raise InputError(f'{first} and {second} are the same file {path}, give two')


def _identity(path: PathLike) -> str:
    """Return a text that is equal for paths to one file, hard links included."""
    target = os.path.realpath(path)
    if not os.path.isfile(target):
        return target
    stat = os.stat(target)
    return f'{stat.st_dev}:{stat.st_ino}'


def require_writable(path: PathLike) -> None:
    """Find out before long work whether :func:`atomic_path` will do; may create the folder.

    Raises:
        InputError: See :func:`atomic_path`.
    """
    _reserve(Path(path)).unlink(missing_ok=True)


def _reserve(target: Path) -> Path:
    """The empty temporary file beside ``target``."""
    if target.is_dir():
        raise InputError(f'{target} is a folder, expected the path of a file to write')
    if target.exists() and not target.is_file():
        raise InputError(f'{target} is no regular file, expected the path of a file to write')
    temporary = target.with_name(f'.{os.getpid()}.partial.{target.name}')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_behind(target)
        temporary.touch()
    except OSError as error:
        raise InputError(f'{target} cannot be written: {error.strerror or error}') from error
    return temporary


def _remove_left_behind(target: Path) -> None:
    """Remove temporary files of ``target`` whose processes were killed."""
    for path in target.parent.glob(f'.*.partial.{glob.escape(target.name)}'):
        process = path.name.split('.')[1]
        if process.isdecimal() and not _is_running(int(process)):
            path.unlink(missing_ok=True)


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
        # Without the time of writing, equal labels give equal files.
        data = gzip.compress(data, mtime=0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: PathLike, data: Any, indent: int | None = None) -> None:
    """Write ``data`` as JSON (UTF-8, no NaN), atomically; gzipped if ``path`` ends in ``.gz``.

    Raises:
        ValueError: If ``data`` holds NaN or infinity, which JSON does not know.
    """
    write_text(path, json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent) + '\n')
