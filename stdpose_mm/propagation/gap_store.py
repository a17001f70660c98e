"""The poses of finished gaps on the disk."""

from __future__ import annotations

from typing import Any

import numpy as np

from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.cache_folder import CacheFolder
from stdpose_mm.io.result_cache import ResultCache

from .base import PropagatedPose

_FIELDS = ('track_id', 'frame_index', 'keypoints', 'visibility', 'scores')


def open_gap_cache(
    folder: PathLike, video: str, *context: Any
) -> ResultCache[list[PropagatedPose]]:
    """Open the cache of finished gaps, whose keys are their fingerprints.

    Args:
        folder: The folder of a :class:`~stdpose_mm.io.cache_folder.CacheFolder`.
        video: Name of the video, to show.
        context: The propagator, the video and the skeleton.
    """
    return CacheFolder(folder).open(('gaps', *context), video, _encode, _decode)


def _encode(poses: list[PropagatedPose]) -> dict[str, np.ndarray]:
    return {name: np.stack([np.asarray(getattr(p, name)) for p in poses]) for name in _FIELDS}


def _decode(arrays: dict[str, np.ndarray]) -> list[PropagatedPose]:
    rows = zip(*(arrays[name] for name in _FIELDS), strict=True)
    return [PropagatedPose(int(track), int(frame), *pose) for track, frame, *pose in rows]
