"""Frames in which people hide each other, as far as their boxes tell."""

from __future__ import annotations

import numpy as np

from stdpose_mm.structures.boxes import box_ioa

MOST_COVERED = 0.8
"""Share of a person's box that somebody else's may cover. Beyond it a pose network, which sees one
person at a time, may find the joints of whoever is in front."""


def find_crowded_frames(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Find the frames in which somebody else's box covers much of a person's.

    Args:
        boxes: [F, 4] of the person; zero width and height where there is none.
        others: [N, F, 4] of N other people, likewise.

    Returns:
        [F] bool.
    """
    crowded: np.ndarray = (box_ioa(boxes, others) > MOST_COVERED).any(axis=0)
    return crowded
