"""Pictures that move as a whole, and joints that move with them."""

from __future__ import annotations

import cv2
import numpy as np

from stdpose_mm.io.video import ArrayFrames


def moving_texture(shifts: np.ndarray, size: tuple[int, int] = (160, 120)) -> ArrayFrames:
    """Return a smooth random texture, moved by ``shifts`` [F, 2] pixels."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (240, 320, 3)), (0, 0), 3)
    noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
    frames = [
        cv2.warpAffine(noise, np.float32([[1, 0, x - 80], [0, 1, y - 60]]), size) for x, y in shifts
    ]
    return ArrayFrames(np.array(frames).astype(np.uint8))


# Out and back: a straight line between the labels is wrong by up to 12 pixels.
ARC = np.array([[0, 0], [4, 2], [8, 4], [12, 6], [8, 4], [4, 2], [0, 0]], float)
POINTS = np.array([[60, 50], [90, 50], [75, 80]], float)
