"""Finished parts of long work on the disk: a run that was killed goes on from there."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .atomic import PathLike, atomic_path
from .fingerprint import code_fingerprint, fingerprint

T = TypeVar('T')


def unfinished_folder(out: PathLike) -> Path:
    """Return the hidden folder beside the output file ``out`` for what is finished before it is."""
    out = Path(out)
    return out.with_name(f'.{out.name}.unfinished')


def remove_unfinished(out: PathLike) -> None:
    """Remove the folder of a run that has written its output."""
    shutil.rmtree(unfinished_folder(out), ignore_errors=True)


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

    @classmethod
    def for_context(
        cls,
        folder: PathLike,
        context: Any,
        encode: Callable[[T], Mapping[str, Any]],
        decode: Callable[[dict[str, np.ndarray]], T],
    ) -> ResultCache[T]:
        """Open the cache for what results depend on besides their keys and the package's code.

        It lies in a subfolder; those of other contexts are removed.

        Args:
            folder: The folder of all contexts.
            context: Any value that :func:`~.fingerprint.fingerprint` takes.
            encode: See the class.
            decode: See the class.
        """
        own = Path(folder) / fingerprint(code_fingerprint(), context)
        for other in Path(folder).glob('*'):
            if other != own:
                shutil.rmtree(other, ignore_errors=True)
        return cls(own, encode, decode)

    def __getitem__(self, key: str) -> T:
        try:
            with np.load(self._path(key)) as arrays:
                return self._decode(dict(arrays))
        # A power failure, unlike a kill, may leave a file without its content.
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            raise KeyError(key) from None

    def __setitem__(self, key: str, result: T) -> None:
        with atomic_path(self._path(key)) as temporary:
            np.savez(temporary, **self._encode(result))

    def __delitem__(self, key: str) -> None:
        self._path(key).unlink()

    def __iter__(self) -> Iterator[str]:
        # Unfinished files of a killed run begin with a dot.
        return (path.stem for path in self._folder.glob('[!.]*.npz'))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, key: str) -> Path:
        return self._folder / f'{key}.npz'
