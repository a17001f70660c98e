"""Results in files, each of which is complete or not there."""

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
    """Results by key, each a file of named arrays that is complete or not there.

    Args:
        folder: Where the files lie; made when the first result is stored.
        encode: Returns the arrays of a result.
        decode: Returns the result of arrays.
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
        # NumPy's zip file complains a second time, when it is deleted, if the disk is full.
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
