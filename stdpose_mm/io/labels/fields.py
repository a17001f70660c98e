"""Checked access to the fields of label files, with uniform error messages."""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from reprlib import Repr
from typing import Any, BinaryIO, TypeVar

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.file_kinds import require_no_stream

MAX_COORDINATE = 1e7
"""Largest coordinate in pixels; anything beyond is a mistake in the file."""

MAX_ID = 2**63 - 1

MAX_EXACT = 2**53
"""Whole numbers up to this value are exact as floating-point numbers."""

MAX_UNZIPPED = 2**31
"""Maximum uncompressed bytes of a zipped label file: a year of dense labels, but no zip bomb."""

MAX_UNZIPPED_UNSEEN, MAX_RATIO = 2**26, 250
"""Above the first number of uncompressed bytes, the compression ratio may be at most the second:
labels shrink to a tenth or less, equal bytes to a thousandth."""

MAX_DEPTH = 100
"""Maximum nesting of the fields that are kept for writing; Python stops at about 1000."""

# Characters that need an escape in JSON text: lone surrogates, and NUL.
_ESCAPED = re.compile(r'\\u(?:0000|[dD][89a-fA-F])')
NO_CHARACTER = re.compile('[\0\ud800-\udfff]')
"""Characters that no name may hold: file names cannot hold NUL, UTF-8 cannot hold surrogates."""

_REQUIRED: Any = object()
T = TypeVar('T', bound=Hashable)


@contextmanager
def errors_of(where: PathLike) -> Iterator[None]:
    """Turn a ValueError about labels or a skeleton into an InputError that begins with ``where``.

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
        InputError: If the file is missing, a folder, a pipe or unreadable.
    """
    require_no_stream(path)
    try:
        return open(path, 'rb')
    except FileNotFoundError:
        raise InputError(f'{path} does not exist') from None
    except IsADirectoryError:
        raise InputError(f'{path} is a folder, expected a label file') from None
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error


def read_bytes(path: PathLike, may_be_empty: bool = False) -> bytes:
    """Read the bytes of a file, unzipped if they are gzipped.

    Raises:
        InputError: If the file is missing, unreadable, a broken gzip file, or empty without
            ``may_be_empty``.
    """
    with open_file(path) as file:
        try:
            data = file.read()
        except OSError as error:
            raise InputError(f'{path} cannot be read: {error.strerror or error}') from error
    if data[:2] == b'\x1f\x8b':
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as unzipped:
                data = read_unzipped(path, unzipped.read, len(data))
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f'{path} is not a complete gzip file: {error}') from error
    if not may_be_empty and not data.strip():
        raise InputError(f'{path} is empty, expected labels')
    return data


def read_unzipped(path: PathLike, read: Callable[[int], bytes], size: int) -> bytes:
    """Read the uncompressed content of a zipped label file within safe limits of memory.

    Args:
        path: The file, for messages.
        read: Reads up to the given number of uncompressed bytes.
        size: Size of the compressed file in bytes.

    Raises:
        InputError: If the content is larger than labels in a file of ``size`` bytes can be.
    """
    limit = min(MAX_UNZIPPED, max(MAX_UNZIPPED_UNSEEN, MAX_RATIO * size))
    data = read(limit + 1)
    if len(data) > limit:
        raise InputError(
            f'{path} is larger than {limit / 2**20:.0f} MiB when unzipped, expected labels: '
            'unzip it, if that is what it holds'
        )
    return data


def read_text(path: PathLike, may_be_empty: bool = False) -> str:
    """Read a text file (UTF-8, with or without a byte order mark, gzipped or not).

    Raises:
        InputError: If the file cannot be read, is no text, or is empty without ``may_be_empty``.
    """
    try:
        return read_bytes(path, may_be_empty).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise InputError(
            f'{path} is not UTF-8 text (byte {error.start}), save it as UTF-8'
        ) from error


def read_json(path: PathLike) -> Any:
    """Parse a JSON file (UTF-8, with or without a byte order mark, gzipped or not).

    Raises:
        InputError: If the file cannot be read, is not JSON, or names a field of an object twice.
    """
    return parse_json(path, read_text(path))


def parse_json(where: PathLike, text: str) -> Any:
    """Parse JSON as :func:`read_json` does; error messages begin with ``where``."""
    try:
        data = json.loads(text, object_pairs_hook=_distinct_fields)
        if _ESCAPED.search(text):
            _require_characters(data)
    except json.JSONDecodeError as error:
        raise InputError(
            f'{where} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}'
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f'{where} is not usable JSON: {error}') from error
    return data


def _distinct_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the field {shown(twice)} of an object is there twice')
    return fields


def _require_characters(data: Any) -> None:
    for value in _values(data):
        for text in [value] if isinstance(value, str) else value if isinstance(value, dict) else ():
            bad = NO_CHARACTER.search(text)
            if bad:
                raise ValueError(f'{shown(text)} holds {bad.group()!r}, which is no character')


def _values(data: Any) -> Iterator[Any]:
    """Yield a JSON value and all values in it, without recursion: it may be nested too deeply."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()


_repr = Repr()
_repr.maxlevel = 4
_repr.maxlist = _repr.maxdict = 20
_repr.maxstring = _repr.maxlong = _repr.maxother = 60


def shown(value: Any) -> str:
    """Format ``value`` for an error message, on one line and cut to a readable length."""
    text = repr(value[:60]) if isinstance(value, str) else _repr.repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'


class Record:
    """One JSON object of a file; getters check type and range and name the field in errors.

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
        """Make the error for a field ``name`` that is not ``expected``."""
        field = f'{self.where}.{name}' if self.where else name
        if name not in self._data:
            return InputError(f'{self.file}: {field} is missing, expected {expected}')
        return InputError(f'{self.file}: {field} must be {expected}, got {shown(self._data[name])}')

    def peek(self, name: str) -> Any:
        """Get the field unchecked; :meth:`extra` still counts it as unread."""
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

    def _array(
        self,
        name: str,
        value: Any,
        count: int | None,
        expected: str,
        limit: float = MAX_COORDINATE,
    ) -> np.ndarray:
        if not isinstance(value, list):
            raise self.error(name, expected)
        field = f'{self.where}.{name}' if self.where else name
        if count is not None and len(value) != count:
            raise InputError(f'{self.file}: {field} must be {expected}, got a list of {len(value)}')
        for i, item in enumerate(value):
            if type(item) not in (int, float) or not abs(item) <= limit:
                raise InputError(
                    f'{self.file}: {field}[{i}] must be a number within +-{limit / 1e7:g}e7, got '
                    f'{shown(item)}'
                )
        return np.asarray(value, dtype=np.float64)

    def box(self, name: str) -> np.ndarray | None:
        """Get a box [4] x, y, width, height with sizes of at least 0; None if missing or empty."""
        if self.raw(name, None) in (None, []):
            return None
        # Width and height may be twice as large as the largest coordinate.
        box = self._array(name, self.raw(name), 4, 'a list of 4 numbers', 2 * MAX_COORDINATE)
        corners = np.stack([box[:2], box[:2] + box[2:]])
        # Tolerates the rounding of the sum.
        if (box[2:] < 0).any() or (np.abs(corners) > MAX_COORDINATE + 1e-6).any():
            raise self.error(name, 'x, y, width, height with sizes of at least 0, within +-1e7')
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
            flaw = _flaw(value)
            if flaw is not None:
                raise self.error(name, flaw)
        return rest


def _flaw(value: Any) -> str | None:
    """Return what a JSON value must be to be written again; None if it is valid."""
    level, depth = [value], 0
    while level:
        if any(isinstance(item, float) and not math.isfinite(item) for item in level):
            return 'JSON without NaN or infinity'
        if depth > MAX_DEPTH:
            return f'JSON nested no more than {MAX_DEPTH} deep'
        level = [
            inner
            for item in level
            if isinstance(item, (list, dict))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        depth += 1
    return None


def require_distinct(file: PathLike, what: str, values: Iterable[T]) -> None:
    """Raise an InputError if ``values`` repeat; ``what`` names them, such as 'image id'."""
    seen: set[T] = set()
    for value in values:
        if value in seen:
            raise InputError(f'{file}: {what} {shown(value)} appears twice, expected distinct ones')
        seen.add(value)
