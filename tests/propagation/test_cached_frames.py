from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.propagation.cached_frames import CachedFrames


class Counting:
    """Frames that show their index, and the order in which they were read."""

    def __init__(self, num_frames):
        self.num_frames, self.reads = num_frames, []

    def __len__(self):
        return self.num_frames

    def __getitem__(self, index):
        self.reads.append(index)
        return np.full((10, 10, 1), index, np.uint8)


def windows(ends, num_frames):
    for left, right in pairwise(ends):
        for key in range(left + 1, right):
            yield from (left, key, right)


def test_overlapping_windows_read_every_frame_once_and_in_order():
    frames = Counting(29)
    cached = CachedFrames(frames)
    for index in windows([0, 7, 14, 21, 28], 29):
        assert cached[index][0, 0, 0] == index
    assert frames.reads == list(range(29))


def test_long_windows_stay_within_the_memory_limit():
    frames = Counting(30)
    cached = CachedFrames(frames, max_bytes=500)
    for index in windows([0, 29], 30):
        assert cached[index][0, 0, 0] == index
    assert len(cached._pictures) <= 5


@given(order=st.lists(st.integers(0, 19), max_size=40), pictures=st.integers(1, 10))
def test_any_order_gives_the_right_pictures(order, pictures):
    cached = CachedFrames(Counting(20), max_bytes=100 * pictures)
    assert [int(cached[index][0, 0, 0]) for index in order] == order
