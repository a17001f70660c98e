"""The poses of somebody who walks, for poses that come a few frames too late."""

from __future__ import annotations

import numpy as np

NAMES = ('nose', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_ankle')
MIRRORED = np.array([0, 2, 1, 4, 3, 5])
STANDING = np.array([[0, -45], [-12, -20], [12, -20], [-8, 10], [8, 10], [0, 45]], float)


def walk(speed: float = 1.0, num_frames: int = 310) -> np.ndarray:
    """Return the poses [F, 6, 2], about 100 pixels high, of somebody who goes to and fro.

    The fastest joints move by 5 pixels a frame at a speed of 1.
    """
    times = speed * np.arange(num_frames)[:, None]
    phases = np.array([0.0, 0.5, 3.6, 3.2, 0.1, 1.5])
    swing = np.array([2, 14, 14, 12, 12, 6]) * np.sin(times / 3 + phases)
    lift = np.array([1, 6, 6, 5, 5, 0]) * np.cos(times / 2.5 + 2 * phases)
    path = 60 * np.sin(times / 40)
    return STANDING + np.stack([swing + path, lift], axis=-1)


def shift_poses(poses: np.ndarray, shift: int) -> np.ndarray:
    """Return poses [F, K, 2] that come some frames later."""
    return poses[(np.arange(len(poses)) - shift).clip(0, len(poses) - 1)]
