"""Checked access to the fields of label files: the one place that words their errors."""

from __future__ import annotations

import gzip
import io
import json
import math
import zlib
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike

MAX_COORDINATE = 1e7
"""Pixels beyond this are a mistake in the file, not a picture."""

MAX_ID = 2**63 - 1

MAX_UNZIPPED = 2**31
"""Bytes that a gzipped label file may stand for: a year of dense labels, and no zip bomb."""

_REQUIRED: Any = object()
T = TypeVar('T', bound=Hashable)


@contextmanager
def errors_of(where: PathLike) -> Iterator[None]:
    """Begin the message of a ValueError of labels or a skeleton with its place in the files.

    An InputError, which names its file already, passes unchanged.
    """
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f'{where}: {error}') from error


def open_file(path: PathLike) -> BinaryIO:
    """Open a label file for reading its bytes.

    Raises:
        InputError: If the file is missing, a folder or unreadable.
    """
    try:
        return Path(path).open('rb')
    except FileNotFoundError:
        raise InputError(f'{path} does not exist') from None
    except IsADirectoryError:
        raise InputError(f'{path} is a folder, expected a label file') from None
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error


def read_bytes(path: PathLike, may_be_empty: bool = False) -> bytes:
    """Read the bytes of a file, unzipped if they are gzipped.

    Raises:
        InputError: If the file is missing, unreadable, a broken gzip file, or empty and may not be.
    """
    with open_file(path) as file:
        try:
            data = file.read()
        except OSError as error:
            raise InputError(f'{path} cannot be read: {error.strerror or error}') from error
    if data[:2] == b'\x1f\x8b':
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as unzipped:
                data = unzipped.read(MAX_UNZIPPED + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f'{path} is not a complete gzip file: {error}') from error
        if len(data) > MAX_UNZIPPED:
            raise InputError(f'{path} is larger than 2 GiB when unzipped, expected labels')
    if not may_be_empty and not data.strip():
        raise InputError(f'{path} is empty, expected labels')
    return data


def read_text(path: PathLike, may_be_empty: bool = False) -> str:
    """Read a text file (UTF-8, with or without a byte order mark, gzipped or not).

    Raises:
        InputError: If the file cannot be read, is no text, or is empty and may not be.
    """
    try:
        return read_bytes(path, may_be_empty).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise InputError(f'{path} is not UTF-8 text (byte {error.start})') from error


def read_json(path: PathLike) -> Any:
    """Parse a JSON file (UTF-8, with or without a byte order mark, gzipped or not).

    Raises:
        InputError: If the file cannot be read or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except InputError:
        raise
    except json.JSONDecodeError as error:
        raise InputError(
            f'{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}'
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f'{path} is not usable JSON: {error}') from error


def shown(value: Any) -> str:
    """Format ``value`` for an error message, on one line and cut to a readable length."""
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'


class Record:
    """One JSON object of a file; its getters check type and range and name the field if wrong.

    Args:
        file: The file it came from.
        where: Its place in the file, such as ``annotations[3]``; '' for the whole file.
        data: The parsed JSON value, which must be an object.

    Raises:
        InputError: From every getter, if the field is missing (and has no default) or wrong.
    """

    def __init__(self, file: PathLike, where: str, data: Any) -> None:
        self.file = file
        self.where = where
        if not isinstance(data, dict):
            raise InputError(f'{file}: {where or "the file"} must be an object, got {shown(data)}')
        self._data = data
        self._read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Tell whether the field is there and not null."""
        return self._data.get(name) is not None

    def error(self, name: str, expected: str) -> InputError:
        """Make the error that the field ``name`` is not as ``expected``."""
        field = f'{self.where}.{name}' if self.where else name
        if name not in self._data:
            return InputError(f'{self.file}: {field} is missing, expected {expected}')
        return InputError(f'{self.file}: {field} must be {expected}, got {shown(self._data[name])}')

    def peek(self, name: str) -> Any:
        """Get the field unchecked, which :meth:`extra` still counts as unread."""
        return self._data.get(name)

    def raw(self, name: str, default: Any = _REQUIRED, expected: str = 'a value') -> Any:
        """Get the field unchecked; null counts as missing where there is a default."""
        self._read.add(name)
        value = self._data.get(name)
        if value is not None:
            return value
        if default is _REQUIRED:
            raise self.error(name, expected)
        return default

    def text(self, name: str, default: Any = _REQUIRED) -> Any:
        """Get a string."""
        value = self.raw(name, default, 'a string')
        if value is not default and not isinstance(value, str):
            raise self.error(name, 'a string')
        return value

    def integer(
        self, name: str, default: Any = _REQUIRED, low: int = -MAX_ID, high: int = MAX_ID
    ) -> Any:
        """Get a whole number in ``low..high``; 3.0 counts as 3, true does not count as 1."""
        expected = f'a whole number of at least {low}' if low > -MAX_ID else 'a whole number'
        if high < MAX_ID:
            expected = f'a whole number in {low}..{high}'
        value = self.raw(name, default, expected)
        if value is default:
            return value
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise self.error(name, expected)
        return value

    def flag(self, name: str, default: Any = _REQUIRED) -> Any:
        """Get true or false; PoseTrack files also write 1 and 0."""
        value = self.raw(name, default, 'true or false')
        if value is default:
            return value
        if type(value) not in (bool, int) or value not in (0, 1):
            raise self.error(name, 'true or false')
        return bool(value)

    def numbers(
        self, name: str, count: int | None = None, default: Any = _REQUIRED, of: str = 'numbers'
    ) -> Any:
        """Get a [count] float64 array of finite numbers within +-1e7."""
        expected = f'a list of {of}' if count is None else f'a list of {count} {of}'
        value = self.raw(name, default, expected)
        if value is default:
            return value
        return self._array(name, value, count, expected)

    def number_lists(self, name: str, count: int | None = None) -> list[np.ndarray]:
        """Get a list of lists of ``count`` numbers; empty if missing."""
        value = self.raw(name, [])
        expected = f'a list of lists of {"" if count is None else f"{count} "}numbers'
        if not isinstance(value, list):
            raise self.error(name, expected)
        return [self._array(name, item, count, expected) for item in value]

    def _array(self, name: str, value: Any, count: int | None, expected: str) -> np.ndarray:
        if not isinstance(value, list):
            raise self.error(name, expected)
        field = f'{self.where}.{name}' if self.where else name
        if count is not None and len(value) != count:
            raise InputError(f'{self.file}: {field} must be {expected}, got a list of {len(value)}')
        for i, item in enumerate(value):
            if type(item) not in (int, float) or not abs(item) <= MAX_COORDINATE:
                raise InputError(
                    f'{self.file}: {field}[{i}] must be a number within +-1e7, got {shown(item)}'
                )
        return np.asarray(value, dtype=np.float64)

    def box(self, name: str) -> np.ndarray | None:
        """Get a box [4] x, y, width, height with sizes of at least 0; None if missing or empty."""
        if self.raw(name, None) in (None, []):
            return None
        box = self.numbers(name, 4)
        if box[2] < 0 or box[3] < 0:
            raise self.error(name, 'x, y, width, height with sizes of at least 0')
        return box

    def texts(self, name: str) -> list[str]:
        """Get a list of strings."""
        value = self.raw(name, expected='a list of strings')
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(name, 'a list of strings')
        return value

    def records(self, name: str, default: Any = _REQUIRED) -> list[Record]:
        """Get a list of objects."""
        value = self.raw(name, default, 'a list of objects')
        if not isinstance(value, list):
            raise self.error(name, 'a list of objects')
        prefix = f'{self.where}.{name}' if self.where else name
        return [Record(self.file, f'{prefix}[{i}]', item) for i, item in enumerate(value)]

    def record(self, name: str) -> Record:
        """Get an object."""
        value = self.raw(name, expected='an object')
        if not isinstance(value, dict):
            raise self.error(name, 'an object')
        return Record(self.file, f'{self.where}.{name}' if self.where else name, value)

    def number(self, name: str, default: Any = _REQUIRED) -> Any:
        """Get a finite number within +-1e7."""
        value = self.raw(name, default, 'a number')
        if value is default:
            return value
        if type(value) not in (int, float) or not abs(value) <= MAX_COORDINATE:
            raise self.error(name, 'a number within +-1e7')
        return value

    def extra(self, unread: Iterable[str] = ()) -> dict[str, Any]:
        """Collect the fields that no getter asked for, and those in ``unread``, for writing."""
        read = self._read.difference(unread)
        rest = {name: value for name, value in self._data.items() if name not in read}
        for name, value in rest.items():
            if not _finite(value):
                raise self.error(name, 'JSON without NaN or infinity')
        return rest


def _finite(value: Any) -> bool:
    # Without recursion: JSON can be nested more deeply than Python calls.
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, float) and not math.isfinite(inner):
            return False
        if isinstance(inner, list):
            waiting += inner
        elif isinstance(inner, dict):
            waiting += inner.values()
    return True


def require_distinct(file: PathLike, what: str, values: Iterable[T]) -> None:
    """Raise an InputError if one of ``values`` comes twice; ``what`` names them, as 'image id'."""
    seen: set[T] = set()
    for value in values:
        if value in seen:
            raise InputError(f'{file}: {what} {shown(value)} appears twice, expected distinct ones')
        seen.add(value)
