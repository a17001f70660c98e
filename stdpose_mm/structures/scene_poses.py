"""Poses in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .skeleton import Skeleton


@dataclass(frozen=True)
class ScenePoses:
    """The joints of N people in space at T times.

    Args:
        skeleton: The K joints.
        people: [N] track ids, distinct.
        times: [T] numbers of the frames, ascending.
        points: [T, N, K, 3] in the calibration's unit of length and axes; NaN where unknown.
        errors: [T, N, K] root mean square distance in pixels between the projected point and the
            estimates that count; NaN where unknown.
        views: [T, N, K] number of views whose estimates count.
    """

    skeleton: Skeleton
    people: tuple[int, ...]
    times: range
    points: np.ndarray
    errors: np.ndarray
    views: np.ndarray
