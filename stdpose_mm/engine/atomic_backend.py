"""Atomic writing of MMEngine's files."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from stdpose_mm.io import atomic_path


@register_backend('local', force=True, prefixes='')
class AtomicLocalBackend(LocalBackend):
    """MMEngine's files on the disk, checkpoints above all, under a temporary name until complete.

    So a killed run, or a full disk, leaves no incomplete checkpoint. This backend replaces
    MMEngine's own in every process that imports this package.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file.

        Raises:
            InputError: If it cannot be written.
        """
        with atomic_path(filepath) as temporary:
            temporary.write_bytes(obj)
