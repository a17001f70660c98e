"""Finished propagations of a benchmark, so that a stopped benchmark can continue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.io.cache_folder import ResultCache
from stdpose_mm.structures import PersonLabel

_COLUMNS = (
    'frame',
    'track',
    'source',
    'keypoint_sources',
    'keypoints',
    'visibility',
    'scores',
    'bbox',
)


def open_prediction_cache(folder: Path) -> ResultCache[Sequence[PersonLabel]]:
    """Open the cache of the people that propagators returned.

    Args:
        folder: Where it lies; no entry is removed from it.
    """
    return ResultCache(folder, _encode, _decode)


def _encode(people: Sequence[PersonLabel]) -> dict[str, Any]:
    rows = [
        (
            person.frame_index,
            person.track_id,
            person.source,
            person.keypoint_sources,
            person.keypoints,
            person.visibility,
            np.zeros(len(person.visibility)) if person.scores is None else person.scores,
            np.full(4, np.nan) if person.bbox is None else person.bbox,
        )
        for person in people
    ]
    return dict(zip(_COLUMNS, zip(*rows, strict=True), strict=bool(rows)))


def _decode(arrays: dict[str, np.ndarray]) -> list[PersonLabel]:
    return [
        PersonLabel(
            frame_index=int(frame),
            keypoints=keypoints,
            visibility=visibility,
            track_id=int(track),
            scores=scores,
            bbox=None if np.isnan(bbox).any() else bbox,
            source=str(source),  # type: ignore[arg-type]
            keypoint_sources=keypoint_sources,
        )
        for frame, track, source, keypoint_sources, keypoints, visibility, scores, bbox in zip(
            *arrays.values(), strict=True
        )
    ]
