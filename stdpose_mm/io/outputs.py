"""Rules for all outputs: names and formats, checks before work begins, copies of edited files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.constants import FOLDER_FORMATS, FORMAT_PACKAGES, PROJECT_FILES, WRITE_FORMATS
from stdpose_mm.errors import InputError, require_choice, require_packages
from stdpose_mm.text import either

from .atomic import (
    PathLike,
    atomic_path,
    finished_name,
    remove,
    require_writable,
    require_writable_folder,
)
from .file_names import file_stem, require_suffix

Paths = PathLike | Sequence[PathLike] | None

DEFAULT_FORMAT = next(iter(WRITE_FORMATS))

JSON_SUFFIXES = ('.json', '.json.gz')


BACKUP_SUFFIX = '.bak'
"""Last suffix of a copy; no command reads such files as labels."""

_RECORD = 'files that were written'


@dataclass(frozen=True)
class Output:
    """A file, or a folder of files, that a command will write.

    Args:
        name: Name of the output on the command line, such as ``--out``.
        path: Path of the output; None if it was not requested.
        what: Kind of the content, such as 'a report'.
        suffixes: Allowed suffixes; empty for any name.
        is_folder: Whether the output is a folder; None if that depends on the inputs and on
            :func:`means_folder`.
        files: Patterns of the files that will be written to the folder.
    """

    name: str
    path: PathLike | None
    what: str = 'a file'
    suffixes: Sequence[str] = ()
    is_folder: bool | None = False
    files: Sequence[str] = ()


def guard_outputs(
    outputs: Iterable[Output],
    inputs: Mapping[str, Paths] | None = None,
    label_folders: Mapping[str, Paths] | None = None,
) -> None:
    """Refuse outputs that cannot be written or would overwrite an input.

    Nothing is created. Every command uses this function.

    Args:
        outputs: The outputs to be written.
        inputs: Name of an input -> its path or paths.
        label_folders: Name of an input -> its path or paths, where a path is a folder whose label
            files are all read, a text file that lists label files, or a single label file. No JSON
            output may be written to such a folder.

    Raises:
        InputError: If an output has a wrong suffix, is an input or another output (also through
            links), lies among the label files that are read, or cannot be written.
    """
    asked = [output for output in outputs if output.path is not None]
    folders = list(_each(label_folders or {}))
    _refuse_overwriting([*_each(inputs or {}), *folders, *_label_files_in(folders)], asked)
    for output in asked:
        assert output.path is not None
        name, is_folder = f'{output.name} {output.path}', output.is_folder
        if not is_folder and _ends_in(output.path, JSON_SUFFIXES):
            parent = os.path.dirname(os.path.realpath(output.path))
            for option, folder in folders:
                if os.path.isdir(folder) and _identity(folder) == parent:
                    raise InputError(
                        f'{name} would lie among the label files that are read from {option} '
                        f'{folder}, give another folder'
                    )
        if is_folder or (is_folder is None and means_folder(output.path)):
            require_writable_folder(output.path)
        else:
            require_writable(output.path)
        if output.suffixes:
            require_suffix(name, output.path, output.what, output.suffixes)


def refuse_input_folders(outputs: Mapping[str, Paths], inputs: Mapping[str, Paths]) -> None:
    """Refuse to write into an input folder: the next run would read the outputs as inputs.

    Args:
        outputs: Name of an output on the command line -> its folder.
        inputs: Name of an input -> its path or paths; paths of files are ignored.

    Raises:
        InputError: If an output folder is an input folder, also through links.
    """
    read = {_identity(path): name for name, path in _each(inputs) if os.path.isdir(path)}
    for output, path in _each(outputs):
        name = read.get(_identity(path))
        if name is not None:
            raise InputError(
                f'{output} {path} is the folder from which {name} are read, so the next run would '
                'read this output as an input, give another folder'
            )


def means_folder(path: PathLike, format: str | None = None) -> bool:
    """Tell whether an output path means a folder: it ends in a slash or is an existing folder.

    Args:
        path: The path as the user gave it; a :class:`~pathlib.Path` has lost its final slash.
        format: Format of the labels. If this format writes a video to a folder and the path ends
            like such a folder, it is the output of one video, not a folder for several.
    """
    if format in FOLDER_FORMATS and _ends_in(Path(path).name, WRITE_FORMATS[format]):
        return False
    return os.fspath(path).endswith((os.sep, os.altsep or os.sep)) or os.path.isdir(path)


def label_outputs(name: str, path: PathLike, format: str) -> list[Output]:
    """List the outputs that labels of a format are written to.

    Args:
        name: Name of the label file on the command line.
        path: The label file.
        format: Format of the label file.
    """
    if format in FOLDER_FORMATS:
        files = ('*.json', 'labels/*.txt', 'data.yaml')
        return [Output(name, path, is_folder=True, files=files)]
    outputs = [Output(name, path)]
    if format in PROJECT_FILES:
        outputs.append(Output(f'the project file of {name}', project_file(path, format)))
    return outputs


def project_file(path: PathLike, format: str) -> Path:
    """Return the path of the project file that is written next to labels of a format."""
    return Path(path).parent / f'{file_stem(path)}{PROJECT_FILES[format]}'


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
    files = {known: ends for known, ends in WRITE_FORMATS.items() if known not in FOLDER_FORMATS}
    endings = dict.fromkeys(suffix for known in files.values() for suffix in known)
    if format in FOLDER_FORMATS and not _ends_in(path, [*endings]):
        return format
    fitting = [known for known, suffixes in files.items() if _ends_in(path, suffixes)]
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
    if format in FORMAT_PACKAGES:
        require_packages(f'writing the format {format}', FORMAT_PACKAGES[format])
    return format


@contextmanager
def keep_edited(path: Path | None, cache_folder: Path | None) -> Iterator[list[str]]:
    """Copy a file or folder before the block replaces it, if the user may have edited it.

    The cache records the content of every file that was written in such a block; a file whose
    content has no record may hold a user's edits. No copy is kept if the file does not exist, or if
    the block raises or leaves the file unchanged.

    Args:
        path: The file or folder; None to do nothing.
        cache_folder: Folder of the cache; None if the cache is off, so that no file has a record.

    Yields:
        A list of notes for the user; if a copy is kept, a note is added after the block.

    Raises:
        InputError: If the file cannot be read or the copy cannot be written.
    """
    from .cache_folder import CacheFolder
    from .fingerprint import path_fingerprint

    notes: list[str] = []
    if path is None:
        yield notes
        return
    written: MutableMapping[str, Mapping[str, Any]] = {}
    if cache_folder is not None:
        written = CacheFolder(cache_folder).open(_RECORD, _RECORD, dict, dict)
    is_empty = path.is_dir() and not os.listdir(path)
    before = after = '' if is_empty else path_fingerprint(path)
    copy = None
    if before and before not in written:
        copy = _free_name(Path(os.path.realpath(path)))
        if path.is_dir():
            shutil.copytree(path, copy)
        else:
            with atomic_path(copy) as temporary:
                shutil.copy2(path, temporary)
    try:
        yield notes
        after = path_fingerprint(path)
    finally:
        if copy is not None and after == before:
            remove(copy)
    if after != before:
        written[after] = {'written': np.True_}
        if copy is not None:
            notes.append(
                f'{path} already existed and may have been edited, its old version is kept as '
                f'{copy}'
            )


def _free_name(path: Path) -> Path:
    """Return the first of ``labels.json.bak``, ``labels.json.2.bak``, ... that does not exist."""
    names = (f'{path.name}{"" if n == 1 else f".{n}"}{BACKUP_SUFFIX}' for n in count(1))
    return next(path.with_name(name) for name in names if not os.path.lexists(path.with_name(name)))


def _ends_in(path: PathLike, suffixes: Sequence[str]) -> bool:
    return os.fspath(path).lower().endswith(tuple(suffixes))


def _each(inputs: Mapping[str, Paths]) -> Iterator[tuple[str, PathLike]]:
    for name, paths in inputs.items():
        if isinstance(paths, (str, os.PathLike)):
            yield name, paths
        else:
            yield from ((name, path) for path in paths or ())


def _label_files_in(folders: Iterable[tuple[str, PathLike]]) -> Iterator[tuple[str, PathLike]]:
    """Yield the files of folders and lists of label files."""
    from .labels.label_files import listed_files

    for name, path in folders:
        if os.path.isdir(path):
            yield from ((name, file) for file in Path(path).iterdir() if file.is_file())
        elif _ends_in(path, ['.txt']) and os.path.isfile(path):
            yield from ((name, file) for file in listed_files(path))


def _refuse_overwriting(inputs: Sequence[tuple[str, PathLike]], outputs: Sequence[Output]) -> None:
    given = {_identity(path): name for name, path in inputs}
    taken: dict[str, str] = {}
    for output in outputs:
        assert output.path is not None
        replaced = [p for pattern in output.files for p in Path(output.path).glob(pattern)]
        for path in (output.path, *replaced):
            identity = _identity(path)
            if identity in given:
                kind = 'folder' if os.path.isdir(output.path) else 'file'
                raise InputError(
                    f'{output.name} {path} is also given as {given[identity]}, which would be '
                    f'overwritten, give another {kind}'
                )
            other = taken.setdefault(identity, output.name)
            if other != output.name and output.is_folder is not None:
                first, second = sorted((output.name, other))
                raise InputError(f'{first} and {second} are the same file {path}, give two files')


def _identity(path: PathLike) -> str:
    """Return a text that is equal for paths to one file, hard links included."""
    target = os.path.realpath(path)
    if not os.path.isfile(target):
        return target
    stat = os.stat(target)
    return f'{stat.st_dev}:{stat.st_ino}'
