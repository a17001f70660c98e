"""Frames in memory: which are kept, and that they belong to nobody else."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from mmap import mmap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.io.video import FrameView, cache_frames, open_frames, write_video
from stdpose_mm.io.video.frame_source import _SPARE, FrameCache
from support.forks import in_fork
from support.frame_sources import CountingFrames
from support.platforms import posix


def numbered(num_frames: int) -> CountingFrames:
    """Frames of 300 bytes that show their index."""
    frames = CountingFrames([np.full((10, 10, 3), index, np.uint8) for index in range(num_frames)])
    frames.keeps_frames = False
    return frames


def test_recent_pictures_are_read_once():
    frames = numbered(30)
    cached = FrameView(frames, cache_bytes=1500)
    for start in range(0, 30, 5):
        for index in [*range(start, start + 5)] * 2:
            assert cached[index][0, 0, 0] == index
    assert frames.reads == list(range(30))
    assert len(cached) == 30


@pytest.mark.parametrize(('keeps_frames', 'reads'), [(True, 36), (False, 18)])
def test_frames_are_kept_once(keeps_frames, reads):
    # 54 MiB.
    frames = CountingFrames(np.zeros((18, 1024, 1024, 1), np.uint8).repeat(3, axis=3))
    frames.keeps_frames = keeps_frames
    cached = cache_frames(frames)
    for index in [*range(18)] * 2:
        cached[index]
    assert len(frames.reads) == reads


def test_a_video_is_shared_without_copies_and_read_as_copies(tmp_path):
    write_video(tmp_path / 'video.mp4', [np.full((16, 16, 3), 9, np.uint8)] * 3, fps=25)
    frames = open_frames(tmp_path / 'video.mp4')
    view = FrameView(frames, [2, 1])
    cached = cache_frames(view)
    assert cached[0] is cached[0]
    assert cached[0] is frames.shared(2)
    # Frames of the video, and of a view without a cache, belong to the caller.
    frames[2][:] = view[0][:] = 0
    assert view[0].min() > 0
    assert cached[0].min() > 0


def test_the_picture_not_asked_for_the_longest_makes_room():
    frames = numbered(4)
    cached = FrameView(frames, cache_bytes=600)
    for index in (0, 1, 0, 2, 0, 1):
        cached[index]
    assert frames.reads == [0, 1, 2, 1]


@given(order=st.lists(st.integers(0, 19), max_size=40), pictures=st.integers(0, 10))
def test_any_order_gives_the_right_pictures(order, pictures):
    cached = FrameView(numbered(20), cache_bytes=300 * pictures)
    assert [int(cached[index][0, 0, 0]) for index in order] == order


def test_a_copy_after_pickling_reads_anew():
    cached = cache_frames(numbered(3))
    cached[1]
    copy = pickle.loads(pickle.dumps(cached))
    assert copy[1][0, 0, 0] == 1
    assert copy.source.reads == [1, 1]


def test_threads_may_share_it():
    frames = numbered(20)
    cached = FrameView(frames, cache_bytes=6000)
    with ThreadPoolExecutor(4) as threads:
        pictures = list(threads.map(lambda n: int(cached[n % 20][0, 0, 0]), range(200)))
    assert pictures == [n % 20 for n in range(200)]
    assert sorted(frames.reads) == list(range(20))


def read(index: int) -> np.ndarray:
    return np.full((2, 2, 3), index, np.uint8)


def address(frame: np.ndarray) -> int:
    return frame.ctypes.data


def test_a_kept_frame_has_pages_of_its_own():
    """So that results which are kept cannot settle in what it leaves on the heap."""
    owner = frame = FrameCache(12).get(7, read)
    assert (frame == 7).all()
    while isinstance(owner, np.ndarray):
        owner = owner.base
    assert isinstance(owner.obj if isinstance(owner, memoryview) else owner, mmap)


def test_the_pages_of_a_frame_that_nobody_holds_serve_the_next_one():
    cache = FrameCache(12)
    first = address(cache.get(0, read))
    cache.get(1, read)
    assert address(cache.get(2, read)) == first
    part = cache.get(2, read)[1:, :, 0].T
    for index in range(3, 10):
        assert (cache.get(index, read) == index).all()
    np.testing.assert_array_equal(part, 2)


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


@posix
def test_a_forked_process_leaves_the_frames_of_its_parent_alone():
    cache = FrameCache(12)
    cache.get(0, read)
    assert in_fork(lambda: sum(int(cache.get(n, read)[0, 0, 0]) for n in range(1, 6))) == 15
    np.testing.assert_array_equal(cache.get(0, read), 0)
