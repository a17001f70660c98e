"""The people of one frame: boxes, scores, identities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TrackedBoxes:
    """The people of one frame.

    Args:
        boxes: [N, 4] x, y, width, height in pixels, width and height above 0.
        scores: [N] in 0..1.
        track_ids: [N] identities within the video, distinct integers.

    Raises:
        ValueError: If a shape or value is not as described.
    """

    boxes: np.ndarray
    scores: np.ndarray
    track_ids: np.ndarray

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, dtype=np.float64)
        scores = np.asarray(self.scores, dtype=np.float64)
        track_ids = np.asarray(self.track_ids)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f'boxes must have shape [N, 4], got {list(boxes.shape)}')
        for name, values in (('scores', scores), ('track_ids', track_ids)):
            if values.shape != boxes.shape[:1]:
                raise ValueError(f'{name} must have shape [{len(boxes)}], got {list(values.shape)}')
        if not np.isfinite(boxes).all() or not (boxes[:, 2:] > 0).all():
            raise ValueError(
                'boxes must be finite x, y, width, height with a size above 0, got '
                f'{_first_wrong_box(boxes)}'
            )
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError(f'scores must be in 0..1, got {scores.tolist()}')
        if len(track_ids) and not np.issubdtype(track_ids.dtype, np.integer):
            raise ValueError(f'track_ids must be integers, got {track_ids.dtype}')
        if len(np.unique(track_ids)) < len(track_ids):
            raise ValueError(f'track_ids of one frame must be distinct, got {track_ids.tolist()}')
        object.__setattr__(self, 'boxes', boxes)
        object.__setattr__(self, 'scores', scores)
        object.__setattr__(self, 'track_ids', track_ids.astype(np.int64))

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, kept: np.ndarray) -> TrackedBoxes:
        """Keep only the people for whom ``kept`` [N] bool is true."""
        return TrackedBoxes(self.boxes[kept], self.scores[kept], self.track_ids[kept])


NO_PEOPLE = TrackedBoxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))


def _first_wrong_box(boxes: np.ndarray) -> list[float]:
    fine = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    wrong: list[float] = boxes[~fine][0].tolist()
    return wrong
