from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.io.video.cached_frames import CachedFrames


class Counting:
    """Frames that show their index, and the order in which they were read."""

    def __init__(self, num_frames):
        self.num_frames, self.reads = num_frames, []

    def __len__(self):
        return self.num_frames

    def __getitem__(self, index):
        self.reads.append(index)
        return np.full((10, 10, 1), index, np.uint8)


def test_recent_pictures_are_read_once():
    frames = Counting(30)
    cached = CachedFrames(frames, max_bytes=500)
    for start in range(0, 30, 5):
        for index in [*range(start, start + 5)] * 2:
            assert cached[index][0, 0, 0] == index
    assert frames.reads == list(range(30))
    assert len(cached) == 30


def test_the_picture_not_asked_for_the_longest_makes_room():
    frames = Counting(4)
    cached = CachedFrames(frames, max_bytes=200)
    for index in (0, 1, 0, 2, 0, 1):
        cached[index]
    assert frames.reads == [0, 1, 2, 1]


@given(order=st.lists(st.integers(0, 19), max_size=40), pictures=st.integers(0, 10))
def test_any_order_gives_the_right_pictures(order, pictures):
    cached = CachedFrames(Counting(20), max_bytes=100 * pictures)
    assert [int(cached[index][0, 0, 0]) for index in order] == order


def test_threads_may_share_it():
    frames = Counting(20)
    cached = CachedFrames(frames, max_bytes=2000)
    with ThreadPoolExecutor(4) as threads:
        pictures = list(threads.map(lambda n: int(cached[n % 20][0, 0, 0]), range(200)))
    assert pictures == [n % 20 for n in range(200)]
    assert sorted(frames.reads) == list(range(20))
