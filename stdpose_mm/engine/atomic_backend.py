"""Files that MMEngine writes whole or not at all."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from stdpose_mm.io import atomic_path


@register_backend('local', force=True, prefixes='')
class AtomicLocalBackend(LocalBackend):
    """MMEngine's files on the disk, checkpoints above all, under a temporary name until complete.

    A run that is killed, or meets a full disk, so leaves no half checkpoint to resume from. It
    stands for MMEngine's own backend in a process that imports this package.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file.

        Raises:
            InputError: If it cannot be written.
        """
        with atomic_path(filepath) as temporary:
            temporary.write_bytes(obj)
