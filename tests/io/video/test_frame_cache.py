from __future__ import annotations

from mmap import mmap

import numpy as np

from stdpose_mm.io.video.frame_source import _SPARE, FrameCache
from support.forks import in_fork


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


def read(index: int) -> np.ndarray:
    return np.full((2, 2, 3), index, np.uint8)


def address(frame: np.ndarray) -> int:
    return frame.ctypes.data


def test_the_pages_of_a_frame_that_nobody_holds_serve_the_next_one():
    cache = FrameCache(12)
    first = address(cache.get(0, read))
    cache.get(1, read)
    assert address(cache.get(2, read)) == first


def test_a_part_of_a_frame_that_is_still_held_stays_as_it_is():
    cache = FrameCache(12)
    part = cache.get(0, read)[1:, :, 0].T
    for index in range(1, 10):
        assert (cache.get(index, read) == index).all()
    np.testing.assert_array_equal(part, 0)


def test_frames_of_another_size_get_pages_of_theirs():
    cache = FrameCache(12)
    for index, side in enumerate((2, 3, 1, 2, 3)):
        frame = cache.get(index, lambda _, side=side: np.full((side, side, 3), side, np.uint8))
        assert frame.shape == (side, side, 3)
        assert (frame == side).all()


def test_pages_of_many_frames_that_were_held_go_back_to_the_system():
    cache = FrameCache(12)
    held = [cache.get(index, read) for index in range(20)]
    assert len({address(frame) for frame in held}) == 20
    held.clear()
    assert len(cache._spare) == _SPARE


def test_a_forked_process_leaves_the_frames_of_its_parent_alone():
    cache = FrameCache(12)
    cache.get(0, read)

    def evict() -> int:
        return sum(int(cache.get(index, read)[0, 0, 0]) for index in range(1, 6))

    assert in_fork(evict) == 15
    np.testing.assert_array_equal(cache.get(0, read), 0)
