"""Label files in a zip, as CVAT, Label Studio and Roboflow export them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.io import PathLike
from stdpose_mm.io.file_names import is_leftover
from stdpose_mm.io.limits import unzipped_limit

from .fields import read_bytes, read_unzipped

_SUFFIXES = ('.json', '.xml', '.txt', '.yaml', '.yml')


def read_zip(path: PathLike) -> dict[str, bytes]:
    """Read the files of a zip that may hold labels: path in the zip -> content.

    Raises:
        InputError: If the zip is damaged or encrypted, or is too large when unzipped.
    """
    data, files = read_bytes(path), {}
    room = unzipped_limit(len(data))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                place = Path(name)
                if place.suffix.lower() in _SUFFIXES and not is_leftover(place):
                    with archive.open(name) as unzipped:
                        files[name] = read_unzipped(path, unzipped.read, len(data))
                    room -= len(files[name])
                    if room < 0:
                        raise InputError(f'{path} is too large when unzipped, expected labels')
    except InputError:
        raise
    except Exception as error:
        # zipfile and its decompressors raise various errors for damaged or encrypted files.
        raise InputError(
            f'{path} is not a readable zip file with labels in it: {one_line(error)}'
        ) from error
    return files
