"""What a run has finished so far, on the disk: a run that was killed goes on from there."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from stdpose_mm.io import atomic_path
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.video import FrameSource
from stdpose_mm.version import __version__

from .base import PropagatedPose

_ARRAYS = ('track_id', 'frame_index', 'keypoints', 'visibility', 'scores')


def unfinished_folder(out: PathLike) -> Path:
    """The hidden folder beside the output file ``out`` for what is finished before it is."""
    out = Path(out)
    return out.with_name(f'.{out.name}.unfinished')


def remove_unfinished(out: PathLike) -> None:
    """Remove the folder of a run that has written its output."""
    shutil.rmtree(unfinished_folder(out), ignore_errors=True)


class ArrayStore(MutableMapping[str, dict[str, np.ndarray]]):
    """Named arrays by key, each entry a file that is complete or not there.

    Entries of another context lead nowhere any more; they are removed.

    Args:
        folder: Where the files lie; made when the first entry is stored.
        context: What the entries depend on besides their keys, see :func:`digest`.
    """

    def __init__(self, folder: PathLike, context: str) -> None:
        self._folder = Path(folder) / context
        for other in Path(folder).glob('*'):
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)

    def __getitem__(self, key: str) -> dict[str, np.ndarray]:
        try:
            with np.load(self._path(key)) as arrays:
                return dict(arrays)
        # A power failure, unlike a kill, may leave a file without its content.
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            raise KeyError(key) from None

    def __setitem__(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        with atomic_path(self._path(key)) as temporary:
            np.savez(temporary, **arrays)

    def __delitem__(self, key: str) -> None:
        self._path(key).unlink()

    def __iter__(self) -> Iterator[str]:
        # Unfinished files of a killed run begin with a dot.
        return (path.stem for path in self._folder.glob('[!.]*.npz'))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, key: str) -> Path:
        return self._folder / f'{key}.npz'


class GapStore(MutableMapping[str, list[PropagatedPose]]):
    """Poses of finished gaps by the fingerprint of the gap, on the disk.

    Args:
        folder, context: See :class:`ArrayStore`.
    """

    def __init__(self, folder: PathLike, context: str) -> None:
        self._arrays = ArrayStore(folder, context)

    def __getitem__(self, key: str) -> list[PropagatedPose]:
        arrays = self._arrays[key]
        rows = zip(*(arrays[name] for name in _ARRAYS), strict=True)
        return [PropagatedPose(int(track), int(frame), *pose) for track, frame, *pose in rows]

    def __setitem__(self, key: str, poses: list[PropagatedPose]) -> None:
        self._arrays[key] = {
            name: np.stack([np.asarray(getattr(pose, name)) for pose in poses]) for name in _ARRAYS
        }

    def __delitem__(self, key: str) -> None:
        del self._arrays[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def digest(*values: Any) -> str:
    """Equal for equal values, also in another process: what results depend on, as 32 characters.

    Networks count with their weights and settings, other objects with their attributes, frames
    with the files they are read from; the version of this package always counts.
    """
    hasher = hashlib.blake2b(__version__.encode(), digest_size=16)
    _update(hasher, values, {})
    return hasher.hexdigest()


_PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, range, Path),
    *(np.generic, np.dtype, torch.dtype, torch.device),
)


def _update(hasher: Any, value: Any, seen: dict[int, tuple[int, Any]]) -> None:
    """Feed ``value`` to the hasher; ``seen`` holds the objects so far, by id with their number."""
    hasher.update(f'<{type(value).__qualname__}>'.encode())
    if isinstance(value, _PLAIN):
        hasher.update(repr(value).encode())
    elif isinstance(value, np.ndarray):
        hasher.update(f'{value.dtype.str}{value.shape}'.encode())
        hasher.update(value.tobytes())
    elif isinstance(value, torch.Tensor):
        hasher.update(f'{value.dtype}{tuple(value.shape)}'.encode())
        # Weights packed for the CPU hide their values.
        dense = value.to_dense() if value.is_mkldnn else value
        plain = dense.detach().cpu().contiguous().flatten()
        hasher.update(plain.view(torch.uint8).numpy().tobytes())
    elif isinstance(value, Mapping):
        for name in sorted(value, key=repr):
            _update(hasher, name, seen)
            _update(hasher, value[name], seen)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _update(hasher, item, seen)
    elif isinstance(value, (set, frozenset)):
        hasher.update(repr(sorted(map(repr, value))).encode())
    elif isinstance(value, FrameSource):
        _update(hasher, _files_of(value), seen)
    elif isinstance(value, partial):
        _update(hasher, (value.func, value.args, value.keywords), seen)
    elif callable(value) and hasattr(value, '__qualname__'):
        hasher.update(f'{value.__module__}.{value.__qualname__}'.encode())
    elif id(value) in seen:
        hasher.update(str(seen[id(value)][0]).encode())
    else:
        seen[id(value)] = len(seen), value
        _update(hasher, _attributes(value), seen)
    hasher.update(b'>')


def _attributes(value: Any) -> dict[str, Any]:
    if isinstance(value, nn.Module):
        # The private rest is PyTorch's own: hooks, flags.
        settings = {name: item for name, item in vars(value).items() if not name.startswith('_')}
        return {**settings, 'state': (value._parameters, value._buffers, value._modules)}
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return getattr(value, '__dict__', {})


def _files_of(frames: FrameSource) -> list[Any]:
    paths = dict.fromkeys(os.path.abspath(frames.path_of(i)) for i in range(len(frames)))
    stats = [os.stat(path) for path in paths]
    files = [(p, s.st_size, s.st_mtime_ns) for p, s in zip(paths, stats, strict=True)]
    return [len(frames), frames.size, files]
