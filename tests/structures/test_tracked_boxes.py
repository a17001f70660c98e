from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.structures import NO_PEOPLE, TrackedBoxes


def test_lists_become_arrays():
    people = TrackedBoxes([[1, 2, 3, 4]], [0.5], [7])
    assert len(people) == 1
    assert people.boxes.dtype == people.scores.dtype == np.float64
    assert people.track_ids.dtype == np.int64
    assert len(NO_PEOPLE) == 0


@pytest.mark.parametrize(
    ('boxes', 'scores', 'track_ids', 'message'),
    [
        ([[1, 2, 3]], [1], [0], r'boxes must have shape \[N, 4\], got \[1, 3\]'),
        ([[1, 2, 3, 4]], [1, 1], [0], r'scores must have shape \[1\], got \[2\]'),
        ([[1, 2, 3, 4]], [1], [0, 1], r'track_ids must have shape \[1\], got \[2\]'),
        ([[1, 2, 0, 4]], [1], [0], r'size above 0, got \[1.0, 2.0, 0.0, 4.0\]'),
        ([[1, 2, 3, 4], [5, 6, 7, -1]], [1, 1], [0, 1], r'got \[5.0, 6.0, 7.0, -1.0\]'),
        ([[1, 2, 0.5, 4], [1, np.inf, 3, 4]], [1, 1], [0, 1], r'got \[1.0, inf, 3.0, 4.0\]'),
        ([[1, np.nan, 3, 4]], [1], [0], 'must be finite'),
        ([[1, 2, 3, 4]], [1.5], [0], r'scores must be in 0..1, got \[1.5\]'),
        ([[1, 2, 3, 4]], [np.nan], [0], r'scores must be in 0..1'),
        ([[1, 2, 3, 4]], [1], [0.5], 'track_ids must be integers'),
        ([[1, 2, 3, 4]] * 2, [1, 1], [3, 3], r'must be distinct, got \[3, 3\]'),
    ],
)
def test_mistakes_are_named(boxes, scores, track_ids, message):
    with pytest.raises(ValueError, match=message):
        TrackedBoxes(np.array(boxes, float), np.array(scores), np.array(track_ids))
