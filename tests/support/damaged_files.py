"""Kinds of damage to files, for tests of readers."""

from __future__ import annotations

import copy
from typing import Any

Place = tuple[Any, ...]
"""Keys and indices that lead to a value of a JSON document."""

MISSING = object()


def changed(document: Any, place: Place, value: Any) -> Any:
    """Copy a document with another value at a place, or without it if that is ``MISSING``."""
    if not place:
        return value
    document = copy.deepcopy(document)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    if value is MISSING:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return document


DAMAGED: list[tuple[bytes, str]] = [
    (b'', 'is empty'),
    (b' \n', 'is empty'),
    (b'{"images": [', 'is not JSON.* line 1'),
    (b'[1, 2', 'is not JSON'),
    (b'[]', r'must be an object, got \[\]'),
    (b'null', 'must be an object, got None'),
    (b'"labels"', 'must be an object'),
    (b'3', 'must be an object, got 3'),
    (b'{"a": "\xff"}', 'is not UTF-8'),
    (b'\xff\xfe{\x00}\x00', 'is not UTF-8'),
    (b'\x1f\x8b\x08\x00broken', 'is not a complete gzip file'),
    (b'[' * 100_000, 'is not usable JSON'),
    (b'{"a": ' + b'9' * 5000 + b'}', 'is not usable JSON'),
]
