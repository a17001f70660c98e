"""The poses of finished gaps, in memory and on the disk."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import Any, Protocol

from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.cache_folder import CacheFolder

from .base import GapPoses


class GapCache(Protocol):
    """Poses by the fingerprint of their gap, so that a correction redoes only the gaps it touches.

    All are of one propagator, video and skeleton. Several runs may use a cache at the same time, so
    that a gap may be gone that was there a moment ago.
    """

    def __contains__(self, key: str, /) -> bool:
        """Whether the poses of a gap are there."""

    def __getitem__(self, key: str, /) -> GapPoses:
        """Return the poses of a gap."""

    def __setitem__(self, key: str, poses: GapPoses, /) -> None:
        """Store the poses of a gap."""

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget all other gaps, if nothing else limits their number."""


class GapMemory(dict[str, GapPoses]):
    """A :class:`GapCache` in memory, which would grow with every correction."""

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget all other gaps."""
        for key in list(self):
            if key not in keys:
                # Another run may have forgotten it in the meantime.
                self.pop(key, None)


class GapFiles:
    """A :class:`GapCache` on the disk.

    Args:
        files: The poses; their folder has a limit of its own.
    """

    def __init__(self, files: MutableMapping[str, GapPoses]) -> None:
        self._files = files

    def __contains__(self, key: str) -> bool:
        return key in self._files

    def __getitem__(self, key: str) -> GapPoses:
        return self._files[key]

    def __setitem__(self, key: str, poses: GapPoses) -> None:
        self._files[key] = poses

    def keep_only(self, keys: Collection[str]) -> None:
        """Keep all gaps: other runs on the same video may need the others."""


def open_gap_cache(folder: PathLike, video: str, *context: Any) -> GapFiles:
    """Open the cache of finished gaps, whose keys are their fingerprints.

    Args:
        folder: The folder of a :class:`~stdpose_mm.io.cache_folder.CacheFolder`.
        video: Name of the video, to show.
        context: The propagator, the video, the skeleton, and the files of evidence for the video.
    """
    files = CacheFolder(folder).open(
        ('gaps', *context), video, vars, lambda arrays: GapPoses(**arrays)
    )
    return GapFiles(files)
