"""What files name, as names and places of other files: the one way from text to a path.

A label file comes from somewhere else. What it calls a video becomes the name of a file in the
folder that was chosen, never a path; and pictures are read below the folder that was chosen.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePath

from stdpose_mm.errors import InputError

from .atomic import PathLike

ANYWHERE_VARIABLE = 'STDPOSE_PICTURES_ANYWHERE'
"""Environment variable: with the value 1, pictures and videos that label files name may lie
anywhere."""

_MAX_LENGTH = 150
"""Bytes of a name, which leave room for a suffix and for what a temporary file begins with."""


def file_name(name: str) -> str:
    """Make a file name, without a suffix, of a name that a file holds.

    Everything but letters, digits and ``.=-_`` becomes ``_``, separators of folders included, and
    none of ``_.`` stays at the ends; a very long name ends in a digest of the whole.

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
    """Make file names of the names of things that have a file each.

    Args:
        names: The names.
        what: What they name, such as 'video'.

    Returns:
        Name -> file name.

    Raises:
        InputError: If two would have the same file, or nothing is left of a name.
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


def leaves_folder(name: str) -> bool:
    """Whether a name is absolute or has ``..`` in it, and may so lie outside of a folder."""
    return os.path.isabs(name) or '..' in PurePath(name).parts


def path_below(root: PathLike, name: str, whose: str) -> Path:
    """Find the place of a picture or video that a label file names, below the folder chosen for it.

    Links are followed, since whoever owns the folder has put them there. An absolute name is taken
    if it lies below the folder.

    Args:
        root: The folder, such as that of ``--image-root``; '' for the current one.
        name: The name, which comes from a file.
        whose: Who names it, for the error.

    Raises:
        InputError: If it lies elsewhere, unless ``ANYWHERE_VARIABLE`` is 1.
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
