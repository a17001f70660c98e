from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.io.video import FrameView, cache_frames
from support.frame_sources import CountingFrames


def numbered(num_frames: int) -> CountingFrames:
    """Frames of 300 bytes that show their index."""
    return CountingFrames([np.full((10, 10, 3), index, np.uint8) for index in range(num_frames)])


def test_recent_pictures_are_read_once():
    frames = numbered(30)
    cached = FrameView(frames, cache_bytes=1500)
    for start in range(0, 30, 5):
        for index in [*range(start, start + 5)] * 2:
            assert cached[index][0, 0, 0] == index
    assert frames.reads == list(range(30))
    assert len(cached) == 30


def test_pictures_in_files_of_their_own_get_more_room_than_a_video_that_keeps_its_own():
    reads = {}
    for has_picture_files in (False, True):
        frames = CountingFrames(np.zeros((18, 1024, 1024, 1), np.uint8).repeat(3, axis=3))
        frames.has_picture_files = has_picture_files
        cached = cache_frames(frames)
        for index in [*range(18)] * 2:
            cached[index]
        reads[has_picture_files] = len(frames.reads)
    # 54 MiB.
    assert reads == {False: 36, True: 18}


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
