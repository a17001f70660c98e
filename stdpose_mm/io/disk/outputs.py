"""Rules for all outputs: names, formats, and copies of edited files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.constants import FOLDER_FORMATS, LABEL_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError, note, require_choice, require_packages
from stdpose_mm.text import either

from .atomic import PathLike, atomic_path, copy_access, finished_name, remove
from .file_names import file_stem, has_suffix, require_suffix

DEFAULT_FORMAT = next(iter(WRITE_FORMATS))

BACKUP_SUFFIX = '.bak'
"""Last suffix of a copy; no command reads such files as labels."""

_RECORD = 'files that were written'


def means_folder(path: PathLike, format: str | None = None) -> bool:
    """Tell whether an output path means a folder: it ends in a slash or is an existing folder.

    Args:
        path: The path as the user gave it; a :class:`~pathlib.Path` has lost its final slash.
        format: Format of the labels. If this format writes a video to a folder and the path ends
            like such a folder, it is the output of one video, not a folder for several.
    """
    if format in FOLDER_FORMATS and has_suffix(Path(path).name, WRITE_FORMATS[format]):
        return False
    return os.fspath(path).endswith((os.sep, os.altsep or os.sep)) or os.path.isdir(path)


def project_file(path: PathLike, format: str) -> Path:
    """Return the path of the project file that is written next to labels of a format."""
    return Path(path).parent / f'{file_stem(path)}{LABEL_FORMATS[format].project_file}'


def changes_file(path: PathLike) -> Path:
    """Return the path of the list of changes beside a result that is written back."""
    return Path(path).parent / f'{file_stem(path)}_changes.csv'


def learned_network(path: PathLike, several: bool = False) -> Path:
    """Return the path of the network that ``--learn`` writes.

    Args:
        path: The label file, or a folder of label files.
        several: Whether ``path`` is a folder for several videos.
    """
    if several:
        return Path(path) / 'learned.onnx'
    return Path(path).parent / f'{file_stem(path)}.learned.onnx'


def report_video(page: PathLike) -> Path:
    """Return the path of the video of a report, for a video too long to embed in the page."""
    return Path(page).parent / f'{Path(page).stem}_overlay.mp4'


def choose_format(
    path: PathLike, format: str | None = None, name: str = '', option: str = 'the format'
) -> str:
    """Choose the format to write labels in: the requested one, else by the suffix.

    Args:
        path: The file to write. A name without a suffix fits every format.
        format: One of ``WRITE_FORMATS``; None for the format of the suffix, or ``DEFAULT_FORMAT``
            without a suffix.
        name: Name of the file on the command line, for errors.
        option: Name of the format option on the command line, for errors.

    Raises:
        InputError: If the format is unknown, the suffix belongs to other formats, or a package
            that the format needs is not installed.
    """
    if format is not None:
        require_choice('label format', format, WRITE_FORMATS)
    named = f'{name} {path}'.lstrip()
    files = {key: ends for key, ends in WRITE_FORMATS.items() if key not in FOLDER_FORMATS}
    endings = dict.fromkeys(suffix for ends in files.values() for suffix in ends)
    if format in FOLDER_FORMATS and not has_suffix(path, [*endings]):
        return format
    fitting = [key for key, suffixes in files.items() if has_suffix(path, suffixes)]
    # A temporary name has a suffix even if the finished name has none.
    if Path(finished_name(path)).suffix:
        require_suffix(named, path, 'labels', [*endings])
        if format is not None and format not in fitting:
            raise InputError(
                f'{named} does not fit {option} {format}, whose files end in '
                f'{either(WRITE_FORMATS[format])}: give such a name, or {option} '
                f'{either(fitting)}'
            )
    format = format or next(iter(fitting), DEFAULT_FORMAT)
    if LABEL_FORMATS[format].package:
        require_packages(f'writing the format {format}', LABEL_FORMATS[format].package)
    return format


@contextmanager
def keep_edited(
    cache_folder: Path | Callable[[], Path | None] | None, *paths: PathLike
) -> Iterator[None]:
    """Copy files or folders before the block replaces them, if the user may have edited them.

    The cache records the content of every file that was written in such a block; a file whose
    content has no record may hold a user's edits. A note names each copy. No copy is kept of a file
    that does not exist or that the block leaves unchanged.

    Args:
        cache_folder: Folder of the cache, or a function that chooses it once there is a file; None
            if the cache is off, so that no file has a record.
        paths: The files or folders.

    Raises:
        InputError: If a file cannot be read or a copy cannot be written.
    """
    files = [Path(path) for path in paths]
    before = [_content_of(file) for file in files]
    copies: list[Path | None] = []
    try:
        for file, content in zip(files, before, strict=True):
            is_edited = content != '' and content not in _written_files(cache_folder)
            copies.append(keep_copy(file) if is_edited else None)
        yield
    finally:
        for file, content, copy in zip(files, before, copies, strict=False):
            after = _content_of(file)
            is_new = after not in ('', content)
            if is_new:
                _written_files(cache_folder)[after] = {'written': np.True_}
            if copy is not None and is_new:
                note(
                    f'{file} already existed and may have been edited, its old version is kept as '
                    f'{copy}'
                )
            elif copy is not None:
                remove(copy)


def _content_of(path: Path) -> str:
    """Return the fingerprint of a file or folder; '' if it is missing or empty."""
    if not path.exists() or (path.is_dir() and not os.listdir(path)):
        return ''
    from stdpose_mm.io.fingerprint import path_fingerprint

    return path_fingerprint(path)


def _written_files(
    cache_folder: Path | Callable[[], Path | None] | None,
) -> MutableMapping[str, Mapping[str, Any]]:
    """Return the records of the files that commands have written."""
    from stdpose_mm.io.cache_folder import CacheFolder

    folder = cache_folder() if callable(cache_folder) else cache_folder
    if folder is None:
        return {}
    return CacheFolder(folder).open(_RECORD, _RECORD, dict, dict)


def keep_copy(path: Path) -> Path:
    """Copy a file or folder to a new name beside it, which ends in ``BACKUP_SUFFIX``.

    Returns:
        Path of the copy.

    Raises:
        InputError: If it cannot be read or the copy cannot be written.
    """
    copy = _free_name(Path(os.path.realpath(path)))
    if path.is_dir():
        shutil.copytree(path, copy, copy_function=_copy_file)
    else:
        with atomic_path(copy) as temporary:
            _copy_file(path, temporary)
    return copy


def _copy_file(source: PathLike, copy: PathLike) -> PathLike:
    """Copy a file, which nobody else may read meanwhile."""
    Path(copy).touch(0o600)
    copy_access(Path(source), Path(copy))
    return shutil.copy2(source, copy)


def _free_name(path: Path) -> Path:
    """Return the first of ``labels.json.bak``, ``labels.json.2.bak``, ... that does not exist."""
    names = (f'{path.name}{"" if n == 1 else f".{n}"}{BACKUP_SUFFIX}' for n in count(1))
    return next(path.with_name(name) for name in names if not os.path.lexists(path.with_name(name)))
