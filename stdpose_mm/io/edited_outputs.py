"""Outputs that somebody has edited, of which a copy is kept when a command replaces them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from .atomic import atomic_path
from .cache_folder import CacheFolder
from .fingerprint import file_fingerprint

BACKUP_SUFFIX = '.bak'
"""Last suffix of a copy: no command reads files with it as labels."""

_RECORD = 'files that were written'


@dataclass
class FormerVersion:
    """Name the copy of a file that was replaced.

    Args:
        path: The copy; None if nothing had to be kept.
    """

    path: Path | None = None

    def describe(self, replaced: Path) -> list[str]:
        """Return a sentence on the copy, in a list that is empty if there is none."""
        if self.path is None:
            return []
        return [
            f'{replaced} was there before and may have been edited, its former version is kept as '
            f'{self.path}'
        ]


@contextmanager
def keep_edited(path: Path | None, cache_folder: Path | None) -> Iterator[FormerVersion]:
    """Keep a copy of a file that the block replaces, unless a command wrote it as it is.

    The cache records the content of every file that was written in such a block. A file without a
    record may hold somebody's work. Nothing is kept if the file does not exist, or the block
    leaves it as it was or raises.

    Args:
        path: The file; None if nothing is to be kept.
        cache_folder: Folder of the cache; None if it is turned off: then no file has a record.

    Yields:
        The copy, which is known when the block has ended.

    Raises:
        InputError: If the file cannot be read or the copy cannot be written.
    """
    former = FormerVersion()
    if path is None:
        yield former
        return
    written = None
    if cache_folder is not None:
        written = CacheFolder(cache_folder).open(_RECORD, _RECORD, dict, dict)
    before = file_fingerprint(path) if path.is_file() else None
    copy = None
    if before is not None and (written is None or before not in written):
        copy = _free_name(Path(os.path.realpath(path)))
        with atomic_path(copy) as temporary:
            shutil.copy2(path, temporary)
    try:
        yield former
        after = file_fingerprint(path)
    except BaseException:
        if copy is not None:
            copy.unlink(missing_ok=True)
        raise
    if copy is not None and after == before:
        copy.unlink(missing_ok=True)
    elif copy is not None:
        former.path = copy
    if written is not None and after != before:
        written[after] = {'written': np.True_}


def _free_name(path: Path) -> Path:
    """Return the first of ``labels.json.bak``, ``labels.json.2.bak``, ... that does not exist."""
    names = (f'{path.name}{"" if n == 1 else f".{n}"}{BACKUP_SUFFIX}' for n in count(1))
    return next(path.with_name(name) for name in names if not os.path.lexists(path.with_name(name)))
