"""Large JSON files, written piece by piece so that the content is never in memory as a whole."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from stdpose_mm.errors import InputError

from .atomic import PathLike, atomic_path


def write_json_object(path: PathLike, fields: Mapping[str, Iterable[bytes]]) -> None:
    """Write a JSON object, atomically; the file equals that of :func:`~stdpose_mm.io.write_json`.

    Args:
        path: Output file; gzipped if it ends in ``.gz``.
        fields: Name -> pieces of the value's JSON text, see :func:`json_bytes` and
            :func:`json_list`; read one after the other.

    Raises:
        InputError: If ``path`` cannot be written or a text is not proper Unicode.
        ValueError: If there is NaN or infinity, which JSON cannot represent.
    """
    with atomic_path(path) as temporary, ExitStack() as files:
        out: Any = files.enter_context(open(temporary, 'wb'))
        if Path(path).suffix == '.gz':
            # No name and modification time, so that equal values give equal files.
            out = files.enter_context(gzip.GzipFile('', 'wb', fileobj=out, mtime=0))
        try:
            for number, (name, pieces) in enumerate(fields.items()):
                out.write(b', ' if number else b'{')
                out.write(json_bytes(name) + b': ')
                out.writelines(pieces)
        except UnicodeEncodeError as error:
            bad = error.object[error.start : error.end]
            raise InputError(
                f'{path}: a name holds {bad!r}, which is no Unicode character'
            ) from error
        out.write(b'}\n')


def json_list(records: Iterable[Any]) -> Iterator[bytes]:
    """Yield the JSON text of a list, value by value."""
    yield b'['
    for number, record in enumerate(records):
        yield (b', ' if number else b'') + json_bytes(record)
    yield b']'


def json_bytes(value: Any) -> bytes:
    """Return the JSON text of a value in UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
