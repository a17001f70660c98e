"""The pose between two given poses, which a window model reads as its prior."""

from __future__ import annotations

import numpy as np


def interpolated_pose(
    labels: np.ndarray, shown: np.ndarray, position: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate the pose of the key frame on the straight line between two given poses.

    Args:
        labels: [2, ..., K, 2] the left and the right pose.
        shown: [2, K] bool, which of their joints are given.
        position: Position of the key frame, 0 at the left frame, 1 at the right one.

    Returns:
        The pose [..., K, 2], and which of its joints both poses give [K] bool.
    """
    return (1 - position) * labels[0] + position * labels[1], shown.all(axis=0)
