"""Names of files: safe ones from untrusted text, comparable ones, and their order.

A label file may come from an untrusted source. The name of its video becomes a file name in the
user's folder, never a path; and pictures are read only below the folder that the user chose.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

from stdpose_mm.errors import InputError

from .atomic import PathLike

ANYWHERE_VARIABLE = 'STDPOSE_PICTURES_ANYWHERE'
"""Environment variable: with the value 1, pictures and videos that label files name may lie
anywhere."""

_MAX_LENGTH = 150
"""Maximum bytes of a name; leaves room for a suffix and the prefix of a temporary file."""

_LEFTOVER_SUFFIXES = ('~', '.bak', '.crdownload', '.orig', '.part', '.swp', '.tmp')


def file_name(name: str) -> str:
    """Make a file name without a suffix from a name in a file.

    All characters but letters, digits and ``.=-_`` become ``_``, path separators included, and
    ``_.`` are stripped from both ends; a very long name ends in a digest of the whole name.

    Returns:
        The file name; '' if nothing is left of it.
    """
    short = re.sub(r'[^\w.=-]+', '_', name).strip('_.')
    data = short.encode('utf-8')
    if len(data) <= _MAX_LENGTH:
        return short
    digest = hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]
    return f'{data[: _MAX_LENGTH - 17].decode("utf-8", "ignore")}-{digest}'


def distinct_file_names(names: Iterable[str], what: str) -> dict[str, str]:
    """Make a distinct file name for each name.

    Args:
        names: The names.
        what: Kind of the named things, such as 'video', for the error.

    Returns:
        Name -> file name.

    Raises:
        InputError: If two names give the same file name, or one gives an empty file name.
    """
    of_file: dict[str, str] = {}
    for name in names:
        file = file_name(name)
        other = of_file.setdefault(file, name)
        if not file or other != name:
            like = '' if other == name else f' and {other!r} are alike as file names'
            raise InputError(
                f'the {what} name {name!r}{like or " is no name for a file"}, expected letters or '
                'digits of its own'
            )
    return {name: file for file, name in of_file.items()}


def composed(name: str) -> str:
    """Write each accented letter of a name as one character, to compare it with other names.

    Files from a Mac may have two for it, a letter and its accent, which look the same.
    """
    return unicodedata.normalize('NFC', name)


def natural_order(path: Path) -> tuple[Any, ...]:
    """Return a key by which names are sorted with their numbers as numbers, 9 before 10."""
    # Cameras and tools mix IMG_2.JPG with img_3.jpg.
    parts = re.split(r'([0-9]+)', path.name.casefold())
    # Only 0-9: int() refuses other digits, such as superscripts.
    return tuple(
        (int(part), part) if part[0] in '0123456789' else (-1, part) for part in parts if part
    )


def is_leftover(path: Path) -> bool:
    """Tell by its name whether a file in a folder is a leftover and not a label file.

    Leftovers are hidden files, such as unfinished files of a killed run or macOS metadata
    (``._clip.json``), an editor's backup (``clip.json~``) and an unfinished download
    (``clip.json.part``).
    """
    return path.name.startswith('.') or path.name.lower().endswith(_LEFTOVER_SUFFIXES)


def file_stem(path: PathLike) -> str:
    """Return the name of a label file without its suffix, zipped or not; other dots stay."""
    return Path(Path(path).name.removesuffix('.gz')).stem


def leaves_folder(name: str) -> bool:
    """Tell whether a name is absolute or contains ``..``, so that it may leave its folder."""
    return os.path.isabs(name) or '..' in PurePath(name).parts


def path_below(root: PathLike, name: str, whose: str) -> Path:
    """Find the place of a picture or video that a label file names, below the folder chosen for it.

    Links are followed, because the owner of the folder made them. An absolute name is accepted if
    it lies below the folder.

    Args:
        root: The folder, such as that of ``--image-root``; '' for the current one.
        name: The name, which comes from a file.
        whose: Source of the name, for the error.

    Raises:
        InputError: If the path lies elsewhere, unless ``ANYWHERE_VARIABLE`` is 1.
    """
    path = Path(root) / name
    if '\0' in name:
        raise InputError(f'{whose} name the file {name!r}, expected a path without a zero byte')
    if not leaves_folder(name):
        return path
    place, folder = os.path.abspath(path), os.path.abspath(root)
    if os.path.commonpath([place, folder]) != folder and os.environ.get(ANYWHERE_VARIABLE) != '1':
        raise InputError(
            f'{whose} name the file {name!r}, which is not below the folder {folder}: give another '
            f'folder as --image-root or --video-root (data_prefix in a config), or set '
            f'{ANYWHERE_VARIABLE}=1 if you trust the labels'
        )
    return path
