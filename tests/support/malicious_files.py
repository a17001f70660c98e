"""Files that run code when they are unpickled: they make a marker file."""

from __future__ import annotations

import collections
import io
import os
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch


class Payload:
    """Make a file when unpickled, by a call that no list of forbidden modules contains."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return shutil.copyfile, (os.devnull, str(self.marker))


class ModulePayload(Payload):
    """Do the same by ``os``, for which PyTorch has another message."""

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


class MethodPayload(Payload):
    """Do the same by a method that the pickle gets by ``getattr``, which MMEngine allows."""

    def __reduce__(self) -> Any:
        return self.marker.touch, ()


def whole(**parts: Any) -> dict[str, Any]:
    """Return a checkpoint of MMEngine in which some parts are replaced."""
    return {
        'meta': {'epoch': 1, 'iter': 1},
        'state_dict': collections.OrderedDict(weight=torch.zeros(2)),
        'message_hub': {},
        'optimizer': {'state': {}, 'param_groups': []},
        **parts,
    }


def _pickled(protocol: int) -> Callable[[Path, Path], None]:
    def write(path: Path, marker: Path) -> None:
        path.write_bytes(pickle.dumps(whole(meta=Payload(marker)), protocol))

    return write


def _saved(
    make: Callable[[Payload], Any], payload: type[Payload] = Payload, zipped: bool = True
) -> Callable[[Path, Path], None]:
    def write(path: Path, marker: Path) -> None:
        torch.save(make(payload(marker)), path, _use_new_zipfile_serialization=zipped)

    return write


def _tar(*names: str) -> Callable[[Path, Path], None]:
    def write(path: Path, marker: Path) -> None:
        content = pickle.dumps(Payload(marker), 2)
        with tarfile.open(path, 'w') as archive:
            for name in (*names, 'sys_info', 'pickle', 'storages', 'tensors'):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    return write


def _write_array(path: Path, marker: Path) -> None:
    with path.open('wb') as file:
        np.save(file, np.array([Payload(marker)], dtype=object), allow_pickle=True)


MALICIOUS: dict[str, Callable[[Path, Path], None]] = {
    'state_dict': _saved(lambda payload: whole(state_dict={'a': payload})),
    'meta': _saved(lambda payload: whole(meta={'epoch': 1, 'iter': 1, 'x': payload})),
    'optimizer': _saved(lambda payload: whole(optimizer=payload)),
    'message_hub': _saved(lambda payload: whole(message_hub=[payload])),
    'alone': _saved(lambda payload: payload),
    'os': _saved(lambda payload: whole(meta=payload), ModulePayload),
    'method': _saved(lambda payload: whole(meta=payload), MethodPayload),
    'before PyTorch 1.6': _saved(lambda payload: whole(meta=payload), zipped=False),
    'pickle 0': _pickled(0),
    'pickle 2': _pickled(2),
    'pickle 5': _pickled(5),
    'tar': _tar(),
    'tar that begins as a zip file': _tar('PK\3\4'),
    'NumPy array': _write_array,
}
"""Kind of malicious file -> a function (path, marker) that writes it."""
