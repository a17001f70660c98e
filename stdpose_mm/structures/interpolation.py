"""Where joints and boxes are on the straight lines between labels; runs of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def on_line(start: np.ndarray, end: np.ndarray, position: float | np.ndarray) -> np.ndarray:
    """Return the places on lines; shapes are broadcast.

    Args:
        start: Places at position 0.
        end: Places at position 1.
        position: Positions on the lines.
    """
    return (1 - position) * start + position * end


def fill_between(
    frames: Sequence[int] | np.ndarray, placed: Sequence[int] | np.ndarray, places: np.ndarray
) -> np.ndarray:
    """Fill in many frames at once; before the first and after the last known one, places stay.

    Args:
        frames: [F] frames to fill.
        placed: [N] frames with a place, ascending.
        places: [N, D] their places.

    Returns:
        [F, D] places.
    """
    return np.stack([np.interp(frames, placed, values) for values in places.T], axis=1)


def runs_of(states: np.ndarray) -> list[slice]:
    """Return the runs of True in [T] bool."""
    edges = np.flatnonzero(np.diff(states, prepend=False, append=False))
    return [slice(begin, end) for begin, end in edges.reshape(-1, 2).tolist()]
