"""Scores of propagators that look at labels and motion only."""

from __future__ import annotations

import numpy as np


def decayed_score(distance: np.ndarray, half_life: float) -> np.ndarray:
    """Return a confidence that halves with every ``half_life`` frames from the nearest label.

    It ranks frames and joints by how far they are from what is known, and is no probability: a
    joint that stands still is estimated better than its score says.

    Args:
        distance: [K] frames to the nearest label, infinite without any.
        half_life: Frames, positive.

    Returns:
        [K] in 0..1: 1 on a label, 0 without any.
    """
    return np.exp2(-np.asarray(distance, dtype=np.float64) / half_life)


def agreement(forward: np.ndarray, backward: np.ndarray, size: float) -> np.ndarray:
    """Score how well two estimates of the same joints agree, relative to the size of the pose.

    Args:
        forward: [K, 2] pixels.
        backward: [K, 2] pixels.
        size: Larger side of the pose in pixels.

    Returns:
        [K] in 0..1: 1 if equal, 1 / e where they differ by a tenth of the size.
    """
    difference = np.linalg.norm(forward - backward, axis=-1)
    return np.exp(-difference / max(0.1 * size, 1.0))
