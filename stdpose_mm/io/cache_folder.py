"""Disk cache of finished parts of long work, shared by all runs; the package has no other cache.

A killed run resumes from its finished parts, and a run that is repeated with corrected labels
computes only what the corrections affect. The folder has a size limit: the least recently used
entries are removed first.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from platformdirs import user_cache_path

from stdpose_mm.errors import InputError, note

from .disk.atomic import ABANDONED_AFTER, PathLike, atomic_path, write_json
from .fingerprint import code_fingerprint, fingerprint

T = TypeVar('T')
Encode = Callable[[T], Mapping[str, Any]]
Decode = Callable[[dict[str, np.ndarray]], T]

FOLDER_VARIABLE, LIMIT_VARIABLE = 'STDPOSE_CACHE', 'STDPOSE_CACHE_GB'
"""Environment variables for the folder and its size limit."""

OFF = 'off'
"""Value in place of a folder that turns the cache off."""

DEFAULT_LIMIT_GB = 1.0

DESCRIPTION = 'about.json'
"""File in the folder of a context that names its video."""

_LEFT_BY_TRIMMING = 0.9
"""Share of the limit that stays filled after trimming, so that not every new entry trims again."""

_CHECKED_AFTER = 0.05
"""Share of the limit that is written, on average, between two scans of the whole folder."""

_DIGEST_SIZE = 16
"""Bytes of the digest at the end of a file, which NumPy ignores when it reads the file."""

_CONTEXT = re.compile(r'[0-9a-f]{32}')

_READING = threading.Lock()
"""Held while NumPy parses headers with ``ast``: some releases of Python 3.11 and 3.12 raise
SystemError if two threads do so at once (python/cpython#106905)."""


def choose_cache_folder(folder: str | None = None) -> Path | None:
    """Choose the cache folder.

    Args:
        folder: A folder, or 'off'; by default the value of the environment variable
            ``STDPOSE_CACHE``, else the user's cache folder on this platform (on Linux
            ``$XDG_CACHE_HOME/stdpose_mm`` or ``~/.cache/stdpose_mm``).

    Returns:
        The folder; None for 'off'.
    """
    chosen = folder or os.environ.get(FOLDER_VARIABLE)
    if chosen == OFF:
        return None
    return Path(chosen) if chosen else user_cache_path('stdpose_mm', appauthor=False)


def cache_limit() -> int:
    """Return the size limit of the folder in bytes: ``STDPOSE_CACHE_GB`` gigabytes, default 1.

    Raises:
        InputError: If the variable is not a positive number.
    """
    text = os.environ.get(LIMIT_VARIABLE) or str(DEFAULT_LIMIT_GB)
    with suppress(ValueError):
        if 0 < float(text) < float('inf'):
            return int(float(text) * 1e9)
    raise InputError(
        f'{LIMIT_VARIABLE} is {text!r}, expected a number of gigabytes above 0 such as 2.5'
    )


class CacheUsage(NamedTuple):
    """Usage of the cache by one video.

    Args:
        video: Name of the video.
        entries: Number of entries.
        size: Bytes in them.
        last_used: When an entry was last read or written, in seconds since 1970.
    """

    video: str
    entries: int
    size: int
    last_used: float


@dataclass(eq=False)
class ResultCache(MutableMapping[str, T]):
    """Results by key, each in its own file of named arrays, which ends in a digest.

    Several processes may use it at once. If a result cannot be written, it is not cached; a file
    that is not exactly what was written for its key is no result.

    Args:
        owner: The cache.
        folder: Folder of the files; created when the first result is stored.
        video: Name of the video, for display.
        encode: Converts a result to named arrays.
        decode: Converts the arrays back to a result.
    """

    owner: CacheFolder
    folder: Path
    video: str
    encode: Encode[T]
    decode: Decode[T]

    def __getitem__(self, key: str) -> T:
        try:
            content = self._path(key).read_bytes()
        except OSError:
            raise KeyError(key) from None
        data, digest = content[:-_DIGEST_SIZE], content[-_DIGEST_SIZE:]
        if digest != _digest(key, data):
            raise KeyError(key)
        with _READING, np.load(io.BytesIO(data)) as file:
            arrays = dict(file)
        result = self.decode(arrays)
        # The file may have been removed meanwhile, or belong to another user.
        with suppress(OSError):
            os.utime(self._path(key))
        return result

    def __setitem__(self, key: str, result: T) -> None:
        # Build it in memory: on a full disk, NumPy's zip file raises again when it is deleted.
        data = io.BytesIO()
        np.savez(data, **self.encode(result))
        data.write(_digest(key, data.getbuffer()))
        about = self.folder / DESCRIPTION
        try:
            if not about.exists():
                write_json(about, {'video': self.video})
            with atomic_path(self._path(key), lasting=False) as temporary:
                temporary.write_bytes(data.getbuffer())
        except (InputError, OSError) as error:
            # Stay silent if another process has just cleared the folder.
            if not isinstance(error.__cause__ or error, FileNotFoundError):
                self.owner.note_not_written(error)
        else:
            self.owner.note_written(data.tell())

    def __delitem__(self, key: str) -> None:
        self._path(key).unlink()

    def __iter__(self) -> Iterator[str]:
        # The unfinished files of killed runs start with a dot.
        return (path.stem for path in self.folder.glob('[!.]*.npz'))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, key: str) -> Path:
        return self.folder / f'{key}.npz'


def _digest(key: str, data: bytes | memoryview) -> bytes:
    """Compute the digest of a result's file and key."""
    hasher = blake2b(key.encode(), digest_size=_DIGEST_SIZE)
    hasher.update(data)
    return hasher.digest()


class CacheFolder:
    """A folder of results that several processes may use at once.

    The results of one context (a kind of result, and all that it depends on besides its key) lie
    in one subfolder, each in its own file. Other files are never touched.

    Args:
        folder: The folder; created when the first result is stored.
        limit: Size limit in bytes; by default :func:`cache_limit`.
    """

    def __init__(self, folder: PathLike, limit: int | None = None) -> None:
        self.folder = Path(folder)
        self.limit = cache_limit() if limit is None else limit
        # A private generator, unaffected by the seeds of a program.
        self._random = random.Random()

    def open(
        self, context: Any, video: str, encode: Encode[T], decode: Decode[T]
    ) -> ResultCache[T]:
        """Open the results of a context.

        Args:
            context: Everything that determines the results besides their keys and the code of this
                package: any value that :func:`~.fingerprint.fingerprint` takes.
            video: Name of the video, for display.
            encode: See :class:`ResultCache`.
            decode: See :class:`ResultCache`.
        """
        folder = self.folder / fingerprint(code_fingerprint(), context)
        return ResultCache(self, folder, video, encode, decode)

    def usage(self) -> list[CacheUsage]:
        """List the usage of the cache by video, the most recently used first."""
        by_video: dict[str, list[_Entry]] = {}
        for context in self._contexts():
            by_video.setdefault(_read_video(context), []).extend(_entries(context))
        usage = [
            CacheUsage(video, len(entries), sum(e.size for e in entries), max(entries).last_used)
            for video, entries in by_video.items()
            if entries
        ]
        return sorted(usage, key=lambda usage_of_video: -usage_of_video.last_used)

    def clear(self) -> int:
        """Remove all entries and return their number."""
        return self._shrink_to(0)

    def trim(self) -> int:
        """Remove the least recently used entries if the folder exceeds its limit.

        Returns:
            The number of removed entries.
        """
        return self._shrink_to(self.limit)

    def note_written(self, size: int) -> None:
        """Trim the folder at random, on average after ``_CHECKED_AFTER`` of the limit is written.

        A scan of all entries is slow. Its probability is proportional to ``size``, so that many
        short runs scan as often as one long run, without a shared counter.

        Args:
            size: Bytes that were written.
        """
        if self._random.random() * self.limit * _CHECKED_AFTER < size:
            self.trim()

    def note_not_written(self, error: Exception) -> None:
        """Note that results cannot be cached; the work continues."""
        cause = error.__cause__ or error
        reason = cause.strerror if isinstance(cause, OSError) else error
        what = f'finished work cannot be kept in {self.folder} ({reason})'
        note(f'{what}, set {FOLDER_VARIABLE} to another folder')

    def _contexts(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [path for path in self.folder.iterdir() if _CONTEXT.fullmatch(path.name)]

    def _shrink_to(self, limit: int) -> int:
        contexts = self._contexts()
        entries = sorted(entry for context in contexts for entry in _entries(context))
        size = sum(entry.size for entry in entries)
        if size <= limit and limit > 0:
            return 0
        removed = 0
        for entry in entries:
            if size <= _LEFT_BY_TRIMMING * limit:
                break
            # Another process may have removed the file, or may be reading it.
            with suppress(OSError):
                entry.path.unlink()
            size -= entry.size
            removed += 1
        for context in contexts:
            # Another process may have removed the folder, or may be writing to it.
            with suppress(OSError):
                # A killed run may have left an unfinished description.
                left = [*context.iterdir()]
                if all(path.name.endswith(DESCRIPTION) for path in left):
                    for path in left:
                        path.unlink()
                    context.rmdir()
        return removed


class _Entry(NamedTuple):
    last_used: float
    size: int
    path: Path


def _entries(context: Path) -> Iterator[_Entry]:
    """Find the entries of a context, and unfinished files that killed runs left behind."""
    with suppress(FileNotFoundError), os.scandir(context) as files:
        for file in files:
            if not file.name.endswith('.npz'):
                continue
            stat = file.stat()
            # Unfinished files are hidden; a recent one is still being written.
            if file.name.startswith('.') and time.time() - stat.st_mtime < ABANDONED_AFTER:
                continue
            yield _Entry(stat.st_mtime, stat.st_size, Path(file.path))


def _read_video(context: Path) -> str:
    try:
        return str(json.loads((context / DESCRIPTION).read_text('utf-8'))['video'])
    except (OSError, ValueError, KeyError, TypeError):
        return 'unknown'
