from __future__ import annotations

from mmap import mmap

import numpy as np

from stdpose_mm.io.video.frame_cache import FrameCache


def test_a_kept_frame_has_pages_of_its_own():
    """So that results which are kept cannot settle in what it leaves on the heap."""
    read = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    frame = FrameCache(100).get(0, lambda _: read)
    np.testing.assert_array_equal(frame, read)
    owner = frame
    while isinstance(owner, np.ndarray):
        owner = owner.base
    assert isinstance(owner.obj if isinstance(owner, memoryview) else owner, mmap)


def test_the_frame_not_asked_for_the_longest_goes_first():
    asked = []

    def read(index):
        asked.append(index)
        return np.full((2, 2, 3), index, np.uint8)

    cache = FrameCache(2 * 12)
    for index in (0, 1, 0, 2, 0, 1):
        assert cache.get(index, read)[0, 0, 0] == index
    assert asked == [0, 1, 2, 1]
