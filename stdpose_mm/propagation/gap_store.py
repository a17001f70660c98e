"""The poses of finished gaps on the disk."""

from __future__ import annotations

from typing import Any

from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.result_cache import ResultCache

from .base import GapPoses


def open_gap_cache(folder: PathLike, *context: Any) -> ResultCache[GapPoses]:
    """Open the cache of finished gaps, whose keys are their fingerprints.

    Args:
        folder: Where it lies.
        context: The propagator, the video and the skeleton; gaps of others are removed.
    """
    return ResultCache.for_context(folder, context, vars, lambda arrays: GapPoses(**arrays))
