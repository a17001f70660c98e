"""Checks of outputs before work begins: they can be written, and overwrite no input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stdpose_mm.constants import FOLDER_FORMATS, JSON_SUFFIXES, LABEL_FORMATS
from stdpose_mm.errors import InputError

from .atomic import PathLike, require_writable, require_writable_folder
from .file_names import has_suffix, require_suffix
from .outputs import means_folder, project_file

Paths = PathLike | Sequence[PathLike] | None


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
        if os.fspath(output.path) == '-':
            raise InputError(
                f'{name} would mean stdout, which gets no files: give the path of a file (./- for '
                'one of this name)'
            )
        if not is_folder and has_suffix(output.path, JSON_SUFFIXES):
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


def refuse_shared_outputs(
    outputs: Iterable[tuple[PathLike, Iterable[PathLike]]], advice: str
) -> None:
    """Refuse an output of two videos, also if the names differ only in upper and lower case.

    Args:
        outputs: Each video, and the paths of its outputs.
        advice: What to do, for the error.

    Raises:
        InputError: If two videos would be written to one file.
    """
    taken: dict[str, tuple[int, PathLike]] = {}
    for number, (video, paths) in enumerate(outputs):
        for path in paths:
            # Some file systems ignore case.
            first, other = taken.setdefault(_identity(path).casefold(), (number, video))
            if first != number:
                raise InputError(f'{other} and {video} would both be written to {path}, {advice}')


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
    if format in LABEL_FORMATS and LABEL_FORMATS[format].project_file:
        outputs.append(Output(f'the project file of {name}', project_file(path, format)))
    return outputs


def _each(inputs: Mapping[str, Paths]) -> Iterator[tuple[str, PathLike]]:
    for name, paths in inputs.items():
        if isinstance(paths, (str, os.PathLike)):
            yield name, paths
        else:
            yield from ((name, path) for path in paths or ())


def _label_files_in(folders: Iterable[tuple[str, PathLike]]) -> Iterator[tuple[str, PathLike]]:
    """Yield the files of folders and lists of label files."""
    from stdpose_mm.io.labels.label_files import listed_files

    for name, path in folders:
        if os.path.isdir(path):
            yield from ((name, file) for file in Path(path).iterdir() if file.is_file())
        elif has_suffix(path, ['.txt']) and os.path.isfile(path):
            yield from ((name, file) for file in listed_files(path))


def _refuse_overwriting(inputs: Sequence[tuple[str, PathLike]], outputs: Sequence[Output]) -> None:
    input_of = {_identity(path): name for name, path in inputs}
    taken: dict[str, str] = {}
    for output in outputs:
        assert output.path is not None
        replaced = [p for pattern in output.files for p in Path(output.path).glob(pattern)]
        for path in (output.path, *replaced):
            identity = _identity(path)
            if identity in input_of:
                kind = 'folder' if os.path.isdir(output.path) else 'file'
                raise InputError(
                    f'{output.name} {path} is also given as {input_of[identity]}, which would be '
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
