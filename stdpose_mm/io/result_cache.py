"""Results in files that are either complete or absent."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .atomic import PathLike, atomic_path

T = TypeVar('T')


class ResultCache(MutableMapping[str, T]):
    """Results by key, each in a file of named arrays that is either complete or absent.

    Args:
        folder: Folder of the files; created when the first result is stored.
        encode: Converts a result to named arrays.
        decode: Converts the arrays back to a result.
    """

    def __init__(
        self,
        folder: PathLike,
        encode: Callable[[T], Mapping[str, Any]],
        decode: Callable[[dict[str, np.ndarray]], T],
    ) -> None:
        self._folder = Path(folder)
        self._encode = encode
        self._decode = decode

    def __getitem__(self, key: str) -> T:
        try:
            with np.load(self._path(key)) as arrays:
                return self._decode(dict(arrays))
        # A power failure, unlike a kill, may leave a file without its content.
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            raise KeyError(key) from None

    def __setitem__(self, key: str, result: T) -> None:
        # In memory first: on a full disk NumPy's zip file would fail again when it is deleted.
        data = io.BytesIO()
        np.savez(data, **self._encode(result))
        with atomic_path(self._path(key)) as temporary:
            temporary.write_bytes(data.getbuffer())

    def __delitem__(self, key: str) -> None:
        self._path(key).unlink()

    def __iter__(self) -> Iterator[str]:
        # Unfinished files of a killed run begin with a dot.
        return (path.stem for path in self._folder.glob('[!.]*.npz'))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, key: str) -> Path:
        return self._folder / f'{key}.npz'
