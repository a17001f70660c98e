"""File names and kinds of files: safe names from untrusted text, comparison of names, file types.

A label file may come from an untrusted source. The name of its video becomes a file name in the
user's folder, never a path; and pictures are read only below the folder that the user chose.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any

from stdpose_mm.constants import LABEL_SUFFIXES
from stdpose_mm.errors import InputError
from stdpose_mm.text import either

from .atomic import PathLike

ANYWHERE_VARIABLE = 'STDPOSE_PICTURES_ANYWHERE'
"""Environment variable: if it is 1, the pictures and videos that label files name may be in any
folder."""

_MAX_LENGTH = 150
"""Maximum length of a name in bytes; leaves room for a suffix and a temporary file's prefix."""

_LEFTOVER_SUFFIXES = ('~', '.bak', '.crdownload', '.orig', '.part', '.swp', '.tmp')

PICTURE_SUFFIXES = (
    *('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm'),
    *('.jpe', '.jfif', '.avif'),
)
VIDEO_SUFFIXES = (
    *('.3gp', '.avi', '.flv', '.h264', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg'),
    *('.mts', '.mxf', '.ogv', '.ts', '.vob', '.webm', '.wmv', '.y4m'),
)
"""Suffixes of files that count as videos in a folder."""

UNREAD_PICTURES = (
    *('.heic', '.heif', '.jxl', '.jp2', '.gif', '.exr', '.hdr', '.psd', '.tga', '.svg', '.dcm'),
    *('.dng', '.cr2', '.cr3', '.nef', '.arw', '.raf', '.orf', '.rw2', '.raw'),
)
"""Suffixes of pictures that are not read as frames."""

# Matroska and WebM; MPEG; bare H.264; Flash; Ogg; WMV.
_VIDEO_STARTS = (
    *(b'\x1a\x45\xdf\xa3', b'\x00\x00\x01\xba', b'\x00\x00\x01\xb3'),
    *(b'\x00\x00\x00\x01\x67', b'FLV', b'OggS', b'\x30\x26\xb2\x75'),
)
_PICTURE_STARTS = (b'\xff\xd8\xff', b'\x89PNG', b'GIF8', b'II*\x00', b'MM\x00*')
# Names that Windows reserves for devices, with any suffix.
_RESERVED = re.compile(r'(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)', re.IGNORECASE)

_PICTURE_BRANDS = (b'heic', b'heif', b'mif1', b'avif')
START_SIZE = 189
"""Number of bytes that tell the kind of a file: a packet of MPEG-TS, and the start of the next."""


def video_name(path: PathLike) -> str:
    """Name the video of a label file: the file's name without its suffixes.

    Bytes that are not valid UTF-8 become replacement characters, since label files must be UTF-8.
    """
    name = os.fsencode(Path(path).name).decode('utf-8', 'replace')
    for suffix in ('.gz', *LABEL_SUFFIXES, '.txt'):
        name = name.removesuffix(suffix)
    return name


def frames_name(video: Path) -> str:
    """Name a video: its file without the suffix, or its folder of pictures."""
    return video.resolve().name if video.is_dir() else video.stem


def file_name(name: str) -> str:
    """Make a file name without a suffix from a name in a label file.

    All characters except letters, digits and ``.=-_`` become ``_``, also path separators; ``_``
    and ``.`` are stripped from both ends. Very long names are shortened and end in a digest of the
    whole name; names of Windows devices, such as ``aux``, get a leading ``_``.

    Returns:
        The file name; '' if no character is left.
    """
    short = re.sub(r'[^\w.=-]+', '_', name).strip('_.')
    if _RESERVED.match(short):
        short = f'_{short}'
    data = short.encode('utf-8')
    if len(data) <= _MAX_LENGTH:
        return short
    digest = hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]
    return f'{data[: _MAX_LENGTH - 17].decode("utf-8", "ignore")}-{digest}'


def distinct_file_names(names: Iterable[str], what: str) -> dict[str, str]:
    """Make a distinct file name for each name.

    Args:
        names: The names.
        what: What the names are of, such as 'video', for the error.

    Returns:
        Name -> file name.

    Raises:
        InputError: If two names give the same file name up to upper and lower case (macOS and
            Windows treat these as one file), or a name gives an empty file name.
    """
    of_file: dict[str, str] = {}
    for name in names:
        file = file_name(name)
        other = of_file.setdefault(file.casefold(), name)
        if not file or other != name:
            problem = f'name {name!r} cannot be turned into a file name'
            if other != name:
                problem = f'names {other!r} and {name!r} give the same file name'
            raise InputError(f'the {what} {problem}, expected distinct letters or digits')
    return {name: file_name(name) for name in of_file.values()}


def composed(name: str) -> str:
    """Write each accented letter of a name as one character, to compare it with other names.

    Names from a Mac may use two characters, the letter and its accent, which look the same.
    """
    return unicodedata.normalize('NFC', name)


def natural_order(path: Path) -> tuple[Any, ...]:
    """Return a sort key that compares the numbers in names as numbers: 9 before 10."""
    # Cameras and tools mix names such as IMG_2.JPG and img_3.jpg.
    parts = re.split(r'([0-9]+)', path.name.casefold())
    # Only 0-9: int() refuses other digits, such as superscripts.
    return tuple(
        (int(part), part) if part[0] in '0123456789' else (-1, part) for part in parts if part
    )


def is_leftover(path: Path) -> bool:
    """Tell by its name whether a file in a folder is a leftover instead of a label file.

    Leftovers are hidden files, such as unfinished files of a killed run or macOS metadata
    (``._clip.json``), backups of editors (``clip.json~``) and unfinished downloads
    (``clip.json.part``).
    """
    return path.name.startswith('.') or path.name.lower().endswith(_LEFTOVER_SUFFIXES)


def is_picture(path: Path) -> bool:
    """Tell by its name whether an entry of a folder is a picture and not a hidden file."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith('.')


def file_stem(path: PathLike) -> str:
    """Return the name of a label file without its suffix and ``.gz``; other dots stay."""
    return Path(Path(path).name.removesuffix('.gz')).stem


def leaves_folder(name: str) -> bool:
    """Tell whether a name is absolute or contains ``..``, so that it may leave its folder."""
    # On Windows, a drive or a leading slash alone also leaves the folder.
    return bool(PurePath(name).anchor) or '..' in PurePath(name).parts


def path_from(folder: PathLike, path: PathLike) -> str:
    """Write a path relative to a folder; absolute if it is on another Windows drive."""
    try:
        return os.path.relpath(path, folder)
    except ValueError:
        return os.path.abspath(path)


def path_below(root: PathLike, name: str, whose: str) -> Path:
    """Resolve the name of a picture or video in a label file below the folder chosen for it.

    Links are followed, because the owner of the folder made them. An absolute name is accepted if
    it is below the folder.

    Args:
        root: The folder, such as that of ``--image-root``; '' for the current one.
        name: The name in the label file.
        whose: Source of the name, for the error.

    Raises:
        InputError: If the path is not below the folder, unless ``ANYWHERE_VARIABLE`` is 1.
    """
    path = Path(root) / name
    if '\0' in name:
        raise InputError(f'{whose} name the file {name!r}, expected a path without a zero byte')
    if not leaves_folder(name):
        return path
    place, folder = os.path.abspath(path), os.path.abspath(root)
    if not Path(place).is_relative_to(folder) and os.environ.get(ANYWHERE_VARIABLE) != '1':
        remedy = 'give another folder as --image-root or --video-root (data_prefix in a config)'
        raise InputError(
            f'{whose} name the file {name!r}, which is not below the folder {folder}: {remedy}, or '
            f'set {ANYWHERE_VARIABLE}=1 if you trust the labels'
        )
    return path


def require_no_stream(path: PathLike) -> None:
    """Refuse a pipe, such as the shell's ``<(...)``, and a device.

    Files are read several times, which is impossible with a pipe; and opening a pipe waits for its
    writer. A path that does not exist is accepted.

    Raises:
        InputError: If the path is a pipe or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = 'pipe' if stat.S_ISFIFO(mode) else 'device or socket'
        raise InputError(f'{path} is a {kind}, save its content to a file and give that file')


def kind_of_file(path: PathLike) -> str | None:
    """Tell whether a file is a video, a picture or a label file; None for other or missing files.

    Raises:
        InputError: If it is a pipe or a device.
    """
    require_no_stream(path)
    try:
        with open(path, 'rb') as file:
            return kind_of_content(path, file.read(START_SIZE))
    except OSError:
        return None


def kind_of_content(path: PathLike, data: bytes) -> str | None:
    """Tell the kind of a file, as :func:`kind_of_file`, by its first ``START_SIZE`` bytes or more.

    Videos and pictures are recognised by their content, label files by their names.
    """
    if data[4:8] == b'ftyp':
        return 'a picture' if data[8:12] in _PICTURE_BRANDS else 'a video'
    if data[:4] == b'RIFF':
        return 'a picture' if data[8:12] == b'WEBP' else 'a video'
    is_stream = data[:1] == b'G' and data[START_SIZE - 1 : START_SIZE] == b'G'
    if is_stream or data.startswith(_VIDEO_STARTS):
        return 'a video'
    name = os.fspath(path).lower()
    if data.startswith(_PICTURE_STARTS) or name.endswith(PICTURE_SUFFIXES):
        return 'a picture'
    return 'a label file' if name.endswith(LABEL_SUFFIXES) else None


def has_suffix(path: PathLike, suffixes: Iterable[str]) -> bool:
    """Tell whether a path ends in one of the suffixes, in upper or lower case."""
    return os.fspath(path).lower().endswith(tuple(suffixes))


def require_suffix(named: str, path: PathLike, what: str, suffixes: Sequence[str]) -> None:
    """Refuse a file name whose suffix does not fit the content.

    Args:
        named: Description of the path for the error.
        path: The path.
        what: Kind of the content.
        suffixes: Allowed suffixes.

    Raises:
        InputError: If the path has none of these suffixes.
    """
    if not has_suffix(path, suffixes):
        raise InputError(f'{named} is not a name for {what}, give one ending in {either(suffixes)}')


def require_video(video: PathLike, labels: PathLike | None = None) -> None:
    """Refuse a label file given as a video, and labels and video in the wrong order.

    Args:
        video: Path given as the video: a file or a folder of pictures.
        labels: Path given as its labels, if labels are needed.

    Raises:
        InputError: If the video does not exist, is a label file or a pipe, or the labels are a
            video.
    """
    expected = 'expected a video file or a folder of pictures'
    if not Path(video).exists():
        raise InputError(f'{video} does not exist, {expected}')
    is_swapped = labels is not None and shows_frames(labels)
    if kind_of_file(video) == 'a label file':
        order = f' and {labels} holds the frames, give the video first and then the labels'
        raise InputError(f'{video} is a label file{order if is_swapped else f", {expected}"}')
    if is_swapped:
        raise InputError(f'{labels} is a video or pictures, expected a file with their labels')


def shows_frames(path: PathLike) -> bool:
    """Tell whether a path is a video, a picture, or a folder of pictures without label files."""
    if os.path.isdir(path):
        names = [name.lower() for name in os.listdir(path)]
        # Some tools write a label file next to each picture.
        return any(name.endswith(PICTURE_SUFFIXES) for name in names) and not any(
            name.endswith((*LABEL_SUFFIXES, '.txt')) for name in names
        )
    return not has_suffix(path, LABEL_SUFFIXES) and kind_of_file(path) in ('a video', 'a picture')


def find_installed_config(
    name: str | os.PathLike[str], places: Iterable[tuple[str, str]]
) -> Path | None:
    """Find a config by its name, with or without ``.py``.

    Args:
        name: The name. A name with a folder, including ``./``, means exactly that file and is not
            looked up, because a file of the same name may belong to another network.
        places: Pairs of a package and the folder of its configs.

    Returns:
        The first file with that name; None if there is none or the name has a folder.
    """
    if Path(name).name != os.fspath(name):
        return None
    stem = os.fspath(name).removesuffix('.py')
    folders = (
        Path(r, folder) for package, folder in places for r in installed_repositories(package)
    )
    return next((file for f in folders for file in sorted(f.rglob(f'{stem}.py'))), None)


def installed_repositories(package: str) -> list[Path]:
    """List the folders where an OpenMMLab package may keep its configs and metafiles."""
    spec = importlib.util.find_spec(package)
    roots = map(Path, getattr(spec, 'submodule_search_locations', None) or ())
    # In an editable installation they are next to the package.
    return [place for root in roots for place in (root / '.mim', root.parent)]
