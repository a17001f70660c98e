"""Parsing of JSON from others, and checked access to its fields.

Schemas of msgspec would drop the fields that this package does not know, which have to come back
when a file is written again, and its parser refuses NaN, which Pose2Sim, MMPose and scripts write.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from reprlib import Repr
from typing import Any, TypeVar

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_DEPTH, MAX_ID

MAX_EXACT = 2**53
"""Whole numbers up to this value are exact as floating-point numbers."""

# Escapes in JSON text for characters that may be invalid in names: surrogates and NUL.
_ESCAPED = re.compile(r'\\u(?:0000|[dD][89a-fA-F])')
_JSON_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
NO_CHARACTER = re.compile('[\0\ud800-\udfff]')
"""Characters that no name may contain: NUL is invalid in file names, surrogates in UTF-8."""

_REQUIRED: Any = object()
_RELEASED = object()
_NO_IDENTITY = ('', 'nan', 'NaN', 'None', 'null')
T = TypeVar('T', bound=Hashable)


@contextmanager
def errors_of(where: PathLike) -> Iterator[None]:
    """Turn a ValueError about labels or a skeleton into an InputError that begins with ``where``.

    An InputError already names its file and passes unchanged.
    """
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f'{where}: {error}') from error


def parse_json(where: PathLike, text: str) -> Any:
    """Parse JSON, or JSON lines as a list of their objects.

    Args:
        where: Beginning of error messages.
        text: The JSON.

    Raises:
        InputError: If it is not JSON, or names a field of an object twice.
    """
    try:
        data = _load_json(text)
        strings = _JSON_STRING.findall(text) if _ESCAPED.search(text) else []
        for string in map(json.loads, strings):
            bad = NO_CHARACTER.search(string)
            if bad:
                raise ValueError(f'{quote(string)} holds {bad.group()!r}, an invalid character')
    except json.JSONDecodeError as error:
        raise InputError(
            f'{where} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}'
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f'{where} is not usable JSON: {error}') from error
    return data


def _load_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_distinct_fields)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if error.msg != 'Extra data' or not all(line.startswith('{') for line in lines):
            raise
        with suppress(json.JSONDecodeError):
            return [json.loads(line, object_pairs_hook=_distinct_fields) for line in lines]
        raise


def _distinct_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f'the field {quote(twice)} occurs twice in one object')
    return fields


_repr = Repr()
_repr.maxlevel = 4
_repr.maxlist = _repr.maxdict = 20
_repr.maxstring = _repr.maxlong = _repr.maxother = 60


def quote(value: Any) -> str:
    """Quote a value in an error message, on one line of limited length."""
    text = repr(value[:60]) if isinstance(value, str) else _repr.repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'


@lru_cache
def _with_name(names: frozenset[str], name: str) -> frozenset[str]:
    """Add a name; objects of which the same fields were read share the result."""
    return names | {name}


class Record:
    """One JSON object of a file; getters check type and range and name the field in errors.

    Args:
        file: The file it came from.
        where: Its position in the file, such as ``annotations[3]``; '' for the whole file.
        data: The parsed JSON value, which must be an object.

    Raises:
        InputError: From every getter, if the field is missing (and has no default) or wrong.
    """

    # A file may have many objects.
    __slots__ = ('_data', '_read', 'file', 'where')

    def __init__(self, file: PathLike, where: str, data: Any) -> None:
        self.file = file
        self.where = where
        if not isinstance(data, dict):
            raise InputError(f'{file}: {where or "the file"} must be an object, got {quote(data)}')
        self._data = data
        self._read: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        """Tell whether the field exists and is not null."""
        return self._data.get(name) is not None

    def _path(self, name: str) -> str:
        return f'{self.where}.{name}' if self.where else name

    def error(self, name: str, expected: str) -> InputError:
        """Make the error for a field ``name`` that is not ``expected``."""
        if name not in self._data:
            return InputError(f'{self.file}: {self._path(name)} is missing, expected {expected}')
        return self._wrong(name, expected, self._data[name])

    def _wrong(self, name: str, expected: str, value: Any) -> InputError:
        return InputError(f'{self.file}: {self._path(name)} must be {expected}, got {quote(value)}')

    def peek(self, name: str) -> Any:
        """Get the field unchecked; :meth:`extra` still counts it as unread."""
        return self._data.get(name)

    def raw(self, name: str, default: Any = _REQUIRED, expected: str = 'a value') -> Any:
        """Get the field unchecked; null counts as missing."""
        self._read = _with_name(self._read, name)
        value = self._data.get(name)
        if value is _RELEASED:
            raise RuntimeError(f'{self.file}: {self._path(name)} was read and released')
        if value is not None:
            return value
        if default is _REQUIRED:
            raise self.error(name, expected)
        return default

    def _get(self, name: str, default: Any, what: str, is_valid: Callable[[Any], bool]) -> Any:
        value = self.raw(name, default, what)
        if value is not default and not is_valid(value):
            raise self.error(name, what)
        return value

    def text(self, name: str, default: Any = _REQUIRED) -> Any:
        """Get a string."""
        return self._get(name, default, 'a string', lambda value: isinstance(value, str))

    def identifier(self, name: str) -> Any:
        """Get a whole number (3.0 is 3, true is not 1) or a string."""
        value = self._get(name, _REQUIRED, 'a whole number or a string', _is_identifier)
        return value if isinstance(value, str) else int(value)

    def identity(self, name: str, may_be_list: bool = False) -> int | str | None:
        """Get the identity of a person: a number of at least 0, a name, or None.

        Missing, empty and negative values and NaN, also as pandas writes them as text, are no
        identity, and digits in a text are a number. With ``may_be_list``, the first item of a list
        is the identity, as OpenPose and trackers of merged detections write it.
        """
        value = self.raw(name, None)
        while may_be_list and isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, str):
            text = value.strip()
            # float() would also read 1_2 and 12e3, and round numbers above 2^53.
            number = re.fullmatch(r'(-?[0-9]{1,18})(?:\.0*)?', text)
            value = int(number[1]) if number else text
        if value is None or value != value or value in _NO_IDENTITY:
            return None
        if not _is_identifier(value):
            raise self.error(name, 'a whole number or a string')
        return value if isinstance(value, str) else None if value < 0 else int(value)

    def integer(
        self, name: str, default: Any = _REQUIRED, low: int = -MAX_ID, high: int = MAX_ID
    ) -> Any:
        """Get a whole number in ``low..high``; 3.0 is accepted as 3, true is not accepted as 1."""

        def is_valid(value: Any) -> bool:
            return type(value) in (int, float) and low <= value <= high and value == int(value)

        limits = '' if high == MAX_ID else f' in {low}..{high}'
        value = self._get(name, default, f'a whole number{limits}', is_valid)
        return value if value is default else int(value)

    def size(self, *names: str, low: int = 1) -> list[int | None]:
        """Get the width, height or both of a picture in pixels; None for a missing one."""
        return [self.integer(name, None, low, int(MAX_COORDINATE)) for name in names]

    def flag(self, name: str, default: Any = _REQUIRED) -> Any:
        """Get true or false; PoseTrack files also write 1 and 0."""
        what = 'true or false'
        value = self._get(name, default, what, lambda v: type(v) in (bool, int) and v in (0, 1))
        return value if value is default else bool(value)

    def number(self, name: str, default: Any = _REQUIRED) -> Any:
        """Get a finite number within +-1e7."""
        return self._get(name, default, 'a number within +-1e7', _is_number)

    def numbers(self, name: str, count: int | None = None, lacking: bool = False) -> np.ndarray:
        """Get a [count] float64 array of numbers within +-1e7.

        With ``lacking``, numbers may be null or NaN in the file, and are then NaN in the array.
        """
        value = self.raw(name, expected='a list of numbers')
        return self._array(name, value, count, lacking)

    def release(self, name: str) -> None:
        """Free the memory of a field that was read, and cannot be read again."""
        self._data[name] = _RELEASED

    def number_lists(
        self, name: str, count: int | None = None, lacking: bool = False
    ) -> list[np.ndarray]:
        """Get a list of lists of ``count`` numbers, see :meth:`numbers`; empty if missing."""
        lists = enumerate(self._get(name, [], 'a list of lists of numbers', _is_list))
        return [self._array(f'{name}[{i}]', value, count, lacking) for i, value in lists]

    def _array(
        self, name: str, value: Any, count: int | None, lacking: bool, limit: float = MAX_COORDINATE
    ) -> np.ndarray:
        if not isinstance(value, list) or count not in (None, len(value)):
            size = '' if count is None else f'{count} '
            raise self._wrong(name, f'a list of {size}numbers', value)
        for i, item in enumerate(value):
            if not (_is_number(item, limit) or (lacking and (item is None or item != item))):
                raise self._wrong(f'{name}[{i}]', f'a number within +-{limit / 1e7:g}e7', item)
        return np.asarray(value, dtype=np.float64)

    def box(self, name: str) -> np.ndarray | None:
        """Get a box [4] x, y, width, height with sizes of at least 0; None if missing or empty."""
        value = self.raw(name, [])
        if value == []:
            return None
        # Width and height may be twice as large as the largest coordinate.
        box = self._array(name, value, 4, lacking=False, limit=2 * MAX_COORDINATE)
        corners = np.stack([box[:2], box[:2] + box[2:]])
        # Tolerates the rounding of the sum.
        if (box[2:] < 0).any() or (np.abs(corners) > MAX_COORDINATE + 1e-6).any():
            raise self.error(name, 'x, y, width, height with sizes of at least 0, within +-1e7')
        return box

    def texts(self, name: str) -> list[str]:
        """Get a list of strings."""
        return list(self._get(name, _REQUIRED, 'a list of strings', _is_list_of_texts))

    def records(self, name: str, default: Any = _REQUIRED) -> list[Record]:
        """Get a list of objects."""
        items = self._get(name, default, 'a list of objects', _is_list)
        return [Record(self.file, f'{self._path(name)}[{i}]', item) for i, item in enumerate(items)]

    def record(self, name: str) -> Record:
        """Get an object."""
        return Record(self.file, self._path(name), self.raw(name, expected='an object'))

    def extra(self, unread: Iterable[str] = ()) -> dict[str, Any]:
        """Collect the fields that no getter has read, and those in ``unread``, for writing."""
        read = self._read.difference(unread)
        # A file has many objects with the same fields.
        rest = {sys.intern(name): value for name, value in self._data.items() if name not in read}
        for name, value in rest.items():
            flaw = _flaw(value)
            if flaw is not None:
                raise self.error(name, flaw)
        return rest


def _is_identifier(value: Any) -> bool:
    is_whole = type(value) in (int, float) and abs(value) <= MAX_ID and value == int(value)
    return isinstance(value, str) or is_whole


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_number(value: Any, limit: float = MAX_COORDINATE) -> bool:
    return type(value) in (int, float) and abs(value) <= limit


def _flaw(value: Any, room: int = MAX_DEPTH) -> str | None:
    """Return what a JSON value must be so that it can be written; None if it is valid."""
    if room < 0:
        return f'JSON nested no more than {MAX_DEPTH} deep'
    if isinstance(value, float) and not math.isfinite(value):
        return 'JSON without NaN or infinity'
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((flaw for item in inner if (flaw := _flaw(item, room - 1))), None)


def number_in(text: str) -> float:
    """Return the number in a text, NaN for an empty text, infinity for any other text."""
    try:
        return float(text) if text.strip() else math.nan
    except ValueError:
        return math.inf


def fields_of(items: Any) -> set[str]:
    """Collect the field names of the first 100 objects in a list."""
    items = items[:100] if isinstance(items, list) else ()
    return {name for item in items if isinstance(item, dict) for name in item}


def require_distinct(file: PathLike, what: str, values: Iterable[T]) -> None:
    """Raise an InputError if ``values`` repeat; ``what`` names them, such as 'image id'."""
    seen: set[T] = set()
    for value in values:
        if value in seen:
            raise InputError(f'{file}: {what} {quote(value)} appears twice, expected distinct ones')
        seen.add(value)
