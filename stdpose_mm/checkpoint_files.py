"""The only reader of checkpoints in this package: it treats them as data and runs no code.

``torch.save`` writes a pickle, which can name any function of any module to be called on reading.
MMEngine refuses such a file at first, but then reads it again and runs the named functions. Here it
stays refused unless the user trusts this particular file. Outside of
:func:`safe_mmengine_reader`, MMEngine's own functions stay as they are.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import tarfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from threading import RLock
from typing import Any
from urllib.parse import urlparse

from .errors import InputError, one_line

TRUST = 'STDPOSE_TRUST_CHECKPOINT'
"""Environment variable with paths of checkpoints that may run code, separated as in PATH."""

_REFUSED = re.compile(
    r'GLOBAL (\S+) (?:was not an allowed|whose module)'
    r'|unrecognized function (?:<\w+ )?(.+?)>?$'
    r'|but got <class .([\w.]+).>',
    re.MULTILINE,
)
"""Pattern of PyTorch's messages that finds the function or class that its reader refuses."""

_DIGEST = re.compile(r'-([0-9a-f]{8})_[0-9]{8}\.pth$')
"""End of the file names of OpenMMLab's weights: first digits of the SHA-256, and the date."""

_reader_lock = RLock()
"""Lock of MMEngine's functions: two threads would restore them in the wrong order."""


def read_checkpoint_file(path: str | Path, map_location: Any = 'cpu') -> Any:
    """Read weights that ``torch.save`` wrote, see :func:`read_torch_file`.

    Returns:
        The stored dictionary.

    Raises:
        InputError: See :func:`read_torch_file`; also if the file holds something else.
    """
    content = read_torch_file(path, map_location)
    if not isinstance(content, Mapping):
        raise InputError(
            f'checkpoint {path} holds a {type(content).__name__}, expected weights by name'
        )
    return content


def read_torch_file(path: str | Path, map_location: Any = 'cpu') -> Any:
    """Read a file that ``torch.save`` wrote, without running code from it.

    Weights, plain values and NumPy arrays are read, as well as the objects that MMEngine's message
    hub and the training scripts of MAE and DINO add.

    Args:
        path: The file.
        map_location: Device of the tensors.

    Raises:
        InputError: If the file does not exist, was not written by ``torch.save``, is damaged, or
            holds other objects, unless ``TRUST`` names it.
    """
    import torch

    file = Path(path).expanduser()
    require_checkpoint_file(file)
    named = filter(None, os.environ.get(TRUST, '').split(os.pathsep))
    trusted = file.resolve() in [Path(name).expanduser().resolve() for name in named]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_harmless()):
            # PyTorch warns about damaged and TorchScript files; the error below is raised for them.
            warnings.simplefilter('ignore')
            return torch.load(file, map_location=map_location, weights_only=not trusted)
    # A damaged pickle can make the reader raise any exception.
    except Exception as error:
        raise InputError(_sentence(path, error)) from error


def require_checkpoint_file(path: str | Path) -> None:
    """Reject a file that is not a checkpoint by its first bytes, without importing PyTorch.

    This detects a web page or a Git LFS pointer in place of the file before the data are read.

    Raises:
        InputError: If there is no such file, or ``torch.save`` did not write it.
    """
    if Path(path).is_dir():
        raise InputError(
            f'checkpoint {path} is a folder, expected a .pth file: exported networks can only '
            'estimate poses in videos without labels (`stdpose infer`)'
        )
    try:
        with open(path, 'rb') as file:
            start = file.read(2)
    except FileNotFoundError:
        raise InputError(f'checkpoint {path} does not exist, expected a .pth file') from None
    except OSError as error:
        raise InputError(f'checkpoint {path} cannot be read ({error.strerror})') from error
    # Files are zip files or, before PyTorch 1.6, pickles. Tar files of 2017 are refused, since
    # reading them runs code.
    if start not in (b'PK', b'\x80\x02') or tarfile.is_tarfile(path):
        raise InputError(f'{path} is not a checkpoint, expected a file written by torch.save')


def cached_checkpoint(url: str, folder: str | Path | None = None) -> Path:
    """Return the local path of a checkpoint by its URL, by default in the folder of torch.hub."""
    import torch

    return Path(folder or Path(torch.hub.get_dir(), 'checkpoints'), Path(urlparse(url).path).name)


def fetch_checkpoint(
    url: str,
    file: Path,
    advice: str = 'give the path of a file',
    announce: Callable[[str], object] = str,
) -> None:
    """Download a checkpoint from a URL, completely or not at all.

    If the name contains digits of a digest, as OpenMMLab's names do, the file must match them.

    Args:
        url: The URL.
        file: Path to which the checkpoint is written.
        advice: What to do if it cannot be fetched; part of the error message.
        announce: See :func:`~stdpose_mm.io.downloads.download`.

    Raises:
        InputError: If it cannot be fetched.
    """
    from .io.disk.atomic import atomic_path
    from .io.downloads import download, file_sha256

    wanted = _DIGEST.search(url)
    with atomic_path(file) as temporary:
        try:
            with temporary.open('wb') as stream:
                download(url, stream, announce)
            digest = file_sha256(temporary)
            if wanted and not digest.startswith(wanted[1]):
                raise ValueError(f'its SHA-256 is {digest} and does not begin with {wanted[1]}')
        except (HTTPException, OSError, ValueError) as error:
            raise InputError(
                f'checkpoint {url} cannot be fetched ({one_line(error)}), {advice}'
            ) from error


@contextmanager
def safe_mmengine_reader() -> Iterator[None]:
    """Make MMEngine read every checkpoint by :func:`read_checkpoint_file` in this context.

    This covers all readings that start in MMEngine itself or in another package of OpenMMLab:
    ``load_from`` and ``resume`` of a runner, ``init_cfg``, and the detectors of MMDetection.
    """
    from mmengine.runner import checkpoint

    # Names of models (`torchvision://`, `open-mmlab://`) become a URL or a path in this module.
    functions = {'load_url': _load_from_url, '_safe_torch_load': _load_from_local}
    stores = ('pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://')
    loader = checkpoint.CheckpointLoader
    with _reader_lock:
        originals = {name: getattr(checkpoint, name, None) for name in functions}
        schemes = loader._schemes
        vars(checkpoint).update(functions)
        loader._schemes = {
            **schemes,
            **dict.fromkeys(stores, _load_from_store),
            '': _load_from_local,
        }
        try:
            yield
        finally:
            vars(checkpoint).update(originals)
            loader._schemes = schemes


# MMEngine logs the name of this function from its tenth letter on.
def _load_from_local(filename: str, map_location: Any = None, weights_only: object = None) -> Any:
    content = read_checkpoint_file(filename, map_location)
    meta = content.get('meta')
    if isinstance(meta, dict):
        # A config of MMCV, which the runner would execute on resuming, to count its GPUs.
        meta.pop('config', None)
    return content


# MMEngine lets the first process come here before the others.
def _load_from_url(
    url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = False
) -> Any:
    file = cached_checkpoint(url, model_dir)
    if not file.is_file():
        fetch_checkpoint(url, file)
    return _load_from_local(str(file), map_location)


def _load_from_store(filename: str, map_location: Any = None) -> Any:
    raise InputError(
        f'checkpoint {filename} is in a store that cannot be read, fetch it and give its path'
    )


def _harmless() -> list[Any]:
    """List the functions and classes that a checkpoint may contain besides tensors."""
    import numpy as np

    # Constructors of arrays and scalars, which NumPy 2 renamed; both names are accepted.
    makers: tuple[tuple[str, Any], ...] = (
        ('_reconstruct', np.zeros(1).__reduce__()[0]),
        ('scalar', np.float64().__reduce__()[0]),
    )
    harmless: list[Any] = [
        _stand_in(maker, f'numpy.{core}.multiarray', name)
        for name, maker in makers
        for core in ('core', '_core')
    ]
    harmless += [np.ndarray, np.dtype, *{type(np.dtype(code)) for code in '?bhilqBHILQefdgFDSU'}]
    # Options of the scripts of MAE and DINO; parts of an array without elements.
    harmless += [argparse.Namespace, slice, bytes]
    if importlib.util.find_spec('mmengine'):
        from mmengine.logging import HistoryBuffer

        harmless += [HistoryBuffer, _stand_in(_statistic, 'builtins', 'getattr')]
    return harmless


def _stand_in(function: Callable, module: str, name: str) -> Callable:
    """Wrap a function under the module and name by which PyTorch looks it up in the file."""

    def call(*args: Any) -> Any:
        return function(*args)

    call.__module__, call.__name__, call.__qualname__ = module, name, name
    return call


def _statistic(owner: Any, name: str) -> Any:
    """Replace ``getattr`` in pickles of ``HistoryBuffer``; only methods of it are returned."""
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise UnpicklingError(f'GLOBAL builtins.getattr was not an allowed {owner!r}')
    return getattr(owner, name)


def _sentence(path: str | Path, error: Exception) -> str:
    refused = _REFUSED.search(str(error)) if isinstance(error, UnpicklingError) else None
    if refused:
        return (
            f'checkpoint {path} holds {next(filter(None, refused.groups()))} besides weights and '
            'plain values, which could run any code: give another file, or, if you trust the '
            f'author of this one, set the environment variable {TRUST}={path}'
        )
    # PyTorch's advice around the cause, on other ways to read it, does not help a command's user.
    cause = str(error).rpartition('WeightsUnpickler error: ')[2].partition('Check the doc')[0]
    return (
        f'checkpoint {path} cannot be read ({one_line(ValueError(cause.strip()))}), expected a '
        'complete file written by torch.save'
    )
