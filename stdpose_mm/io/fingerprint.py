"""Fingerprints of values, files, videos, networks and code, used as cache keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache, partial
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stdpose_mm.errors import InputError, system_errors_of

from .disk.file_names import is_picture
from .video import FrameSource, FrameView

NOT_DECIDING = (
    *('apis', 'cli', 'export', 'labelling/comparison', 'labelling/learning', 'labelling/report.py'),
    *('labelling/review', 'labelling/templates', 'review_app', 'visualization'),
)
"""Files and folders whose code does not affect the poses that a propagator returns."""

LIBRARIES = (
    *('ai-edge-litert', 'av', 'mmcv', 'mmpose', 'numpy', 'onedl-mmcv', 'onnxruntime'),
    *('opencv-contrib-python', 'opencv-contrib-python-headless', 'opencv-python'),
    *('opencv-python-headless', 'openvino', 'scipy', 'torch', 'torchvision'),
)
"""Packages whose versions may affect poses; some may not be installed."""

_SIZE = 16

_BLOCK = 2**20
"""Bytes of a file to read at once."""

_PLAIN = (type(None), bool, int, float, complex, str, range, np.generic, np.dtype)


def fingerprint(*values: Any) -> str:
    """Compute a text of 32 characters that is the same for equal values, also across processes.

    - Plain values, arrays, tensors, mappings, sets and sequences are hashed by type and content,
      classes and functions by name, dataclasses by their fields with ``compare=True``, other
      objects by their attributes.
    - A ``Path`` to a file is hashed by the content of the file, any other ``Path`` by its name.
    - Frames are hashed by the content of their files in the order of the frames: a moved or
      renamed video keeps its fingerprint, a single changed byte changes it. A view of all frames in
      order has the fingerprint of the video.
    - Networks are hashed by their parameters, buffers, submodules and public attributes.

    Raises:
        InputError: If a file cannot be read.
    """
    return _digest(values, {}, 0).hex()


def file_fingerprint(path: str | Path) -> str:
    """Compute the fingerprint of the whole content of a file.

    An unchanged file is read once per process. BLAKE2b hashes 0.5 GB per second on one core of a
    2.5 GHz server, twice as much as SHA-256: a video of 1 GB takes two seconds, while decoding it
    takes minutes.

    Raises:
        InputError: If it cannot be read.
    """
    with system_errors_of(f'{path} cannot be read'):
        stat = os.stat(path)
        version = stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
        return _hash_file(os.path.abspath(path), *version)


def path_fingerprint(path: Path) -> str:
    """Compute the fingerprint of a file, or of the labels in a folder; '' if the path is missing.

    All files in the folder and its subfolders count as labels, except pictures.

    Raises:
        InputError: If it cannot be read.
    """
    if path.is_dir():
        files = sorted(path.rglob('*'))
        return fingerprint([file for file in files if file.is_file() and not is_picture(file)])
    return file_fingerprint(path) if path.exists() else ''


def stream_fingerprint(stream: BinaryIO) -> str:
    """Compute the fingerprint of the remaining bytes of a stream without loading them all.

    It equals the :func:`fingerprint` of these bytes.

    Raises:
        OSError: If it cannot be read.
    """
    hasher = _hasher(bytes)
    while content := stream.read(_BLOCK):
        hasher.update(content)
    values = _hasher(tuple)
    values.update(hasher.digest())
    return values.hexdigest()


@cache
def code_fingerprint(left_out: tuple[str, ...] = NOT_DECIDING) -> str:
    """Compute the fingerprint of the code that determines the results of a propagator.

    It covers the package's files, including weights, and the versions of ``LIBRARIES``.

    Args:
        left_out: Files and folders to leave out; new ones are included by default.
    """
    root = Path(str(files(__name__.partition('.')[0])))
    names = [path.relative_to(root) for path in root.rglob('*') if path.is_file()]
    files_of_code = {
        name.as_posix(): root / name
        for name in names
        if '__pycache__' not in name.parts and not any(map(name.is_relative_to, left_out))
    }
    return fingerprint(files_of_code, {name: _version(name) for name in LIBRARIES})


def _version(distribution: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(distribution)
    return None


def _digest(value: Any, hashed: dict[int, tuple[Any, bytes]], depth: int) -> bytes:
    """Hash a value.

    Args:
        value: The value.
        hashed: id -> (object, digest); holding the object keeps its id valid. While an object is
            being hashed (it may contain itself), its depth stands in for the digest.
        depth: Nesting depth of the value.
    """
    # A view of a whole video is this video, which is hashed once even if it is given beside it.
    while isinstance(value, FrameView) and _is_whole(value):
        value = value.source
    if id(value) in hashed:
        return hashed[id(value)][1]
    # The fingerprint of a video does not depend on the class that reads it.
    kind = FrameSource if isinstance(value, FrameSource) else type(value)
    hasher = _hasher(kind)
    parts = _parts(value)
    if isinstance(parts, bytes):
        hasher.update(parts)
        return hasher.digest()
    shared = not isinstance(value, (list, tuple, set, frozenset, Mapping))
    if shared:
        hashed[id(value)] = value, str(depth).encode()
    digests = [_digest(part, hashed, depth + 1) for part in parts]
    if isinstance(value, (set, frozenset)):
        digests.sort()
    hasher.update(b''.join(digests))
    if shared:
        hashed[id(value)] = value, hasher.digest()
    return hasher.digest()


def _hasher(kind: type) -> blake2b:
    """Return a new hasher of the content of a value of some type."""
    return blake2b(kind.__qualname__.encode() + b':', digest_size=_SIZE)


def _parts(value: Any) -> Any:
    """Return the bytes that represent a value, or the values it consists of."""
    torch = sys.modules.get('torch')
    plain = _PLAIN if torch is None else (*_PLAIN, torch.dtype, torch.device)
    if isinstance(value, plain):
        return repr(value).encode()
    if isinstance(value, bytes):
        return value
    if isinstance(value, np.ndarray):
        described = f'{value.dtype.str}{value.shape}'
        # The bytes of an object array are memory addresses.
        content = value.tolist() if value.dtype.hasobject else value.tobytes()
        return [described, content]
    if isinstance(value, Path):
        return (file_fingerprint(value) if value.is_file() else str(value)).encode()
    if isinstance(value, Mapping):
        return [part for name in sorted(value, key=repr) for part in (name, value[name])]
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if isinstance(value, FrameSource):
        return _frame_parts(value)
    if isinstance(value, partial):
        return value.func, value.args, value.keywords
    if callable(value) and hasattr(value, '__qualname__'):
        return f'{value.__module__}.{value.__qualname__}'.encode()
    if torch is not None and isinstance(value, torch.Tensor):
        # Weights packed for the CPU hide their values.
        dense = value.to_dense() if value.is_mkldnn else value
        content = dense.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        return [str(value.dtype), tuple(value.shape), content]
    if torch is not None and isinstance(value, torch.nn.Module):
        # Private attributes belong to PyTorch: hooks, flags.
        settings = {name: item for name, item in vars(value).items() if not name.startswith('_')}
        return [settings, value._parameters, value._buffers, value._modules]
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value) if field.compare]
    return [getattr(value, '__dict__', {})]


def _is_whole(view: FrameView) -> bool:
    return view.indices is None or [*view.indices] == [*range(len(view.source))]


def _frame_parts(frames: FrameSource) -> list[Any]:
    if isinstance(frames, FrameView):
        assert frames.indices is not None
        return [frames.source, [int(index) for index in frames.indices]]
    try:
        paths = [frames.path_of(index) for index in range(len(frames))]
    except InputError:
        return list(frames)
    files = {path: file_fingerprint(path) for path in dict.fromkeys(paths)}
    return [files[path] for path in paths]


@lru_cache(maxsize=2**16)
def _hash_file(path: str, *version: int) -> str:
    """Hash a file; ``version`` changes when the file does, and is only a key of the cache."""
    with open(path, 'rb') as file:
        return stream_fingerprint(file)
