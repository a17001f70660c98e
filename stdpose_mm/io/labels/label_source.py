"""Label files as they are read: opened once, and passed on from recognising a format to reading."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from stdpose_mm.constants import JSON_SUFFIXES
from stdpose_mm.errors import InputError, one_line
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import (
    START_SIZE,
    has_suffix,
    is_leftover,
    kind_of_content,
    natural_order,
    require_no_stream,
)
from stdpose_mm.io.limits import MAX_FILES, unzipped_limit

from .fields import parse_json

HDF5_SIGNATURE = b'\x89HDF\r\n\x1a\n'

_HEAD_SIZE = 100_000
_BYTE_ORDER_MARK = b'\xef\xbb\xbf'
_ZIPPED_SUFFIXES = ('.json', '.xml', '.txt', '.yaml', '.yml')


class LabelSource(os.PathLike[str]):
    """A label file, or a folder of them: a path that remembers what was read from it.

    However many formats look at a file, it is opened once, and HDF5 once more by h5py. The content
    is kept until it is decoded as text, the rest until :meth:`close`.

    Args:
        path: The file or folder.

    Raises:
        InputError: From every property that reads the file, if it is missing, unreadable, a pipe,
            damaged, or too large when unzipped.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = path

    @classmethod
    def of(cls, path: PathLike) -> LabelSource:
        """Return ``path`` itself if it is a source, else the source at this path."""
        return path if isinstance(path, LabelSource) else cls(path)

    def __fspath__(self) -> str:
        return os.fspath(self._path)

    def __str__(self) -> str:
        return str(self._path)

    def close(self) -> None:
        """Close the file and forget its content, which is read again if it is needed."""
        if 'hdf5' in vars(self):
            self.hdf5.close()
        self.__dict__ = {'_path': self._path}

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return os.path.isdir(self)

    @cached_property
    def files(self) -> list[LabelSource]:
        """The files of a folder in the natural order of their names, without leftovers."""
        paths = (path for path in Path(self).iterdir() if not is_leftover(path) and path.is_file())
        return [*map(LabelSource, sorted(paths, key=natural_order))]

    @cached_property
    def json_files(self) -> list[LabelSource]:
        """Those of the files of a folder that are called JSON; a file itself."""
        return [f for f in self.files if has_suffix(f, JSON_SUFFIXES)] if self.is_folder else [self]

    @cached_property
    def kind(self) -> str | None:
        """See :func:`~stdpose_mm.io.disk.file_names.kind_of_content`."""
        return kind_of_content(self, self._bytes)

    @cached_property
    def head(self) -> bytes:
        """The first bytes of the unzipped content, from its first character on."""
        return self._bytes[:_HEAD_SIZE].removeprefix(_BYTE_ORDER_MARK).lstrip()

    @property
    def content(self) -> bytes:
        """The content, unzipped if it is gzipped; of HDF5, a video and a picture only the start."""
        if not self._bytes.strip():
            raise InputError(f'{self} is empty, expected labels')
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        require_no_stream(self)
        try:
            with open(self, 'rb') as file:
                data = file.read(START_SIZE)
                is_labels = kind_of_content(self, data) in (None, 'a label file')
                if is_labels and not data.startswith(HDF5_SIGNATURE):
                    file.seek(0)
                    data = file.read()
        except FileNotFoundError:
            raise InputError(f'{self} does not exist') from None
        except IsADirectoryError:
            raise InputError(f'{self} is a folder, expected a label file') from None
        except OSError as error:
            raise InputError(f'{self} cannot be read: {error.strerror or error}') from error
        if not data.startswith(b'\x1f\x8b'):
            return data
        try:
            with gzip.open(io.BytesIO(data)) as unzipped:
                return self._unzip(unzipped.read, len(data))
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f'{self} is not a complete gzip file: {error}') from error

    def _unzip(self, read: Callable[[int], bytes], size: int) -> bytes:
        """Read the uncompressed content of a file of ``size`` bytes within safe limits of memory.

        Raises:
            InputError: If the content is too large for labels in such a file.
        """
        limit = unzipped_limit(size)
        data = read(limit + 1)
        if len(data) > limit:
            what = f'larger than {limit >> 20} MiB when unzipped'
            raise InputError(f'{self} is {what}, expected labels')
        return data

    def text(self, may_be_empty: bool = False) -> str:
        """Decode the content as UTF-8, with or without a byte order mark; it is not kept.

        Raises:
            InputError: If it is not text, or is empty without ``may_be_empty``.
        """
        data = self._bytes if may_be_empty else self.content
        self.__dict__.pop('_bytes')
        try:
            # UTF-16 without a mark at its start would pass.
            return data.replace(b'\0', b'\xff').decode('utf-8-sig')
        except UnicodeDecodeError as error:
            raise InputError(
                f'{self} is not UTF-8 text (byte {error.start}), save it as UTF-8'
            ) from error

    @cached_property
    def json(self) -> Any:
        """The parsed JSON, see :func:`parse_json`."""
        return parse_json(self, self.text())

    @property
    def is_zip(self) -> bool:
        """Whether it is a zip, as CVAT, Label Studio and Roboflow export label files in."""
        return self.head.startswith(b'PK')

    @cached_property
    def zipped(self) -> dict[str, bytes]:
        """The files of a zip that may hold labels: path in the zip -> content."""
        data, files = self.content, {}
        room = unzipped_limit(len(data))
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    place = Path(name)
                    if place.suffix.lower() in _ZIPPED_SUFFIXES and not is_leftover(place):
                        with archive.open(name) as unzipped:
                            files[name] = self._unzip(unzipped.read, len(data))
                        room -= len(files[name])
                        if room < 0:
                            raise InputError(f'{self} is too large when unzipped, expected labels')
        except InputError:
            raise
        except Exception as error:
            # zipfile and its decompressors raise various errors for damaged or encrypted files.
            raise InputError(
                f'{self} is not a readable zip file with labels in it: {one_line(error)}'
            ) from error
        return files

    @cached_property
    def zipped_json(self) -> dict[str, Any]:
        """The JSON files of a zip: path in the zip -> parsed JSON."""
        files = {name: data for name, data in self.zipped.items() if name.lower().endswith('.json')}
        return {name: parse_json(f'{self}: {name}', data.decode()) for name, data in files.items()}

    def json_documents(self) -> Iterator[tuple[Path, Any]]:
        """Yield the path and the parsed JSON of each file of a folder or zip, or of a file."""
        if not self.is_folder and self.is_zip:
            yield from ((Path(self, name), data) for name, data in self.zipped_json.items())
            return
        for file in require_files(self, self.json_files):
            yield Path(file), file.json
            file.close()

    @property
    def is_hdf5(self) -> bool:
        """Whether it is HDF5."""
        return self.head.startswith(HDF5_SIGNATURE)

    @cached_property
    def hdf5(self) -> Any:
        """The file as opened by h5py, an optional requirement.

        Raises:
            OSError: If it is damaged.
        """
        return importlib.import_module('h5py').File(self, 'r')

    @cached_property
    def hdf5_names(self) -> frozenset[str]:
        """The names at the top of an HDF5 file; empty for other and damaged files, or no h5py."""
        if self.is_hdf5 and importlib.util.find_spec('h5py') is not None:
            with suppress(OSError, RuntimeError):
                return frozenset(self.hdf5)
        return frozenset()


def require_files(folder: PathLike, files: list[LabelSource]) -> list[LabelSource]:
    """Return the label files of a folder.

    Raises:
        InputError: If there are none, or more than a million.
    """
    if not 0 < len(files) <= MAX_FILES:
        raise InputError(
            f'the folder {folder} holds {len(files)} label files of that format, expected 1..1e6'
        )
    return files


def read_text(path: PathLike, may_be_empty: bool = False) -> str:
    """Read a text file; see :meth:`LabelSource.text`."""
    return LabelSource.of(path).text(may_be_empty)


def read_json(path: PathLike) -> Any:
    """Parse a JSON file; see :func:`parse_json`.

    Raises:
        InputError: If the file cannot be read, is not JSON, or names a field of an object twice.
    """
    return LabelSource.of(path).json
