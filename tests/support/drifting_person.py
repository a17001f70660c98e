"""A person with PoseTrack's joints who drifts through a short video."""

from __future__ import annotations

import numpy as np

from stdpose_mm.structures import POSETRACK_SKELETON

NAMES = POSETRACK_SKELETON.keypoint_names
NUM_FRAMES = 12


def pose_at(frame: int) -> np.ndarray:
    """A person of 40 pixels who drifts to the right, every joint at a place of its own."""
    rows, columns = np.divmod(np.arange(len(NAMES)), 4)
    return np.stack([30 + 8 * columns + 2.0 * frame, 15 + 10 * rows], axis=1).astype(float)


def box_at(frame: int) -> np.ndarray:
    """The box [4] of that person."""
    return np.array([20.0 + 2 * frame, 8, 44, 56 - 0.3 * frame])
