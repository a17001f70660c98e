"""The poses of finished gaps on the disk."""

from __future__ import annotations

from typing import Any

from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.cache_folder import CacheFolder
from stdpose_mm.io.result_cache import ResultCache

from .base import GapPoses


def open_gap_cache(folder: PathLike, video: str, *context: Any) -> ResultCache[GapPoses]:
    """Open the cache of finished gaps, whose keys are their fingerprints.

    Args:
        folder: The folder of a :class:`~stdpose_mm.io.cache_folder.CacheFolder`.
        video: Name of the video, to show.
        context: The propagator, the video and the skeleton.
    """
    return CacheFolder(folder).open(
        ('gaps', *context), video, vars, lambda arrays: GapPoses(**arrays)
    )
