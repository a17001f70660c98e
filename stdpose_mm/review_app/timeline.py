"""The lanes of the timeline."""

from __future__ import annotations

import numpy as np

from stdpose_mm.structures import NOT_LABELLED

from .person_poses import UNKNOWN, WORD_OF, PersonPoses


def runs_of(poses: PersonPoses) -> list[list[object]]:
    """List runs of frames ``[first, last, word]`` in which a person is given, propagated, absent.

    Frames of which nothing is known yet are left out.
    """
    sources = poses.sources
    starts = np.flatnonzero(np.diff(sources, prepend=255))
    stops = np.append(starts[1:], len(sources))
    return [
        [first, stop - 1, WORD_OF[code]]
        for first, stop, code in zip(
            starts.tolist(), stops.tolist(), sources[starts].tolist(), strict=True
        )
        if code != UNKNOWN
    ]


def person_heat(poses: PersonPoses, frames: range, columns: int) -> np.ndarray:
    """Find the lowest scores of a person's joints in columns of frames.

    Args:
        poses: The person.
        frames: The frames that the columns share.
        columns: Number N of columns; a frame may be in several if there are fewer frames.

    Returns:
        [N, K], infinite where the joint has no place.
    """
    here = slice(frames.start, frames.stop)
    shown = poses.visibility[here] > NOT_LABELLED
    scores = np.where(shown, poses.scores[here], np.inf)
    edges = np.arange(columns + 1) * len(frames) // columns
    starts = np.minimum(edges[:-1], len(frames) - 1)
    if columns <= len(frames):
        return np.minimum.reduceat(scores, starts, axis=0)
    return np.asarray(scores[starts])


def heat(values: np.ndarray) -> list[float | None]:
    """List scores for the page; None for those that are infinite."""
    return [None if value == np.inf else value for value in values.round(3).tolist()]
