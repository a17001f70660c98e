"""Pictures by exact frame, whatever is asked for in which order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import ArrayFrames, FrameSource, open_frames
from stdpose_mm.review_app.pictures import AHEAD, PictureReader, encode
from support.review_page import NUM_FRAMES, Page
from support.video_files import number_of


def decode(data: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


class NotedFrames(FrameSource):
    """Grey pictures of their number; which were read is noted."""

    def __init__(self, length: int = 200, broken: int = -1) -> None:
        self.name, self.size, self.fps = 'noted', (64, 48), 25.0
        self.read: list[int] = []
        self._length, self._broken = length, broken

    def __len__(self) -> int:
        return self._length

    def _read(self, index: int) -> np.ndarray:
        self.read.append(index)
        if index == self._broken:
            raise InputError(f'frame {index} is damaged')
        return np.full((48, 64, 3), index, np.uint8)


@pytest.fixture
def noted() -> Iterator[tuple[NotedFrames, PictureReader]]:
    frames = NotedFrames(broken=7)
    reader = PictureReader(frames)
    yield frames, reader
    reader.close()


@pytest.mark.parametrize('frame', [0, 1, 17, NUM_FRAMES - 1])
def test_the_picture_of_a_frame_is_that_frame(unedited_page: Page, frame: int):
    answer = unedited_page.client.get(f'/api/videos/0/frames/{frame}')
    assert answer.headers['x-frame-index'] == str(frame)
    assert number_of(decode(answer.content)) == frame


def test_no_browser_keeps_a_picture_for_the_next_video_on_the_port(unedited_page: Page):
    answer = unedited_page.client.get('/api/videos/0/frames/0')
    assert answer.headers['cache-control'] == 'no-store'


def test_frames_in_any_order_are_those_frames(video):
    reader = PictureReader(open_frames(video))
    order = [5, 4, 3, 30, 31, 0, 39, 20, 20, 6]
    asked = [reader.ask(frame, 128) for frame in order]
    found = [number_of(decode(future.result(20))) for future in asked]
    reader.close()
    assert found == order


@pytest.mark.parametrize(
    ('wanted', 'width'), [(None, 1000), (1, 320), (320, 320), (321, 480), (961, 1000), (9999, 1000)]
)
def test_widths_are_few_and_at_most_that_of_the_video(wanted: int | None, width: int):
    reader = PictureReader(ArrayFrames(np.zeros((1, 10, 1000, 3), np.uint8)))
    assert reader.width_for(wanted) == width


def test_a_picture_is_scaled_down_in_proportion():
    assert decode(encode(np.zeros((480, 640, 3), np.uint8), 320)).shape == (240, 320, 3)
    assert decode(encode(np.zeros((1, 9000, 3), np.uint8), 320)).shape == (1, 320, 3)


def test_frames_are_read_ahead_in_the_direction_of_the_page(noted):
    frames, reader = noted
    reader.ask(100, 64).result(20)
    reader.ask(99, 64).result(20)
    reader.close()
    read = [frame for future in [reader.ask(98, 64)] for frame in frames.read]
    assert read.count(100) == 1, 'it is kept'
    assert {100, 99} <= set(read)
    assert min(read) >= 99 - AHEAD


def test_what_was_read_ahead_is_there_at_once(noted):
    frames, reader = noted
    reader.ask(100, 64).result(20)
    for frame in range(101, 101 + AHEAD):
        reader.ask(frame, 64).result(20)
    assert max(frames.read.count(frame) for frame in range(100, 101 + AHEAD)) == 1


def test_memory_for_pictures_is_bounded():
    frames = NotedFrames()
    one = len(encode(frames[0], 64))
    reader = PictureReader(frames, max_bytes=10 * one)
    for frame in range(0, 200, 3):
        reader.ask(frame, 64).result(20)
    reader.close()
    assert reader.num_bytes <= 10 * one


def test_a_frame_that_cannot_be_read_is_told_and_others_come(noted):
    _, reader = noted
    with pytest.raises(InputError, match='frame 7 is damaged'):
        reader.ask(7, 64).result(20)
    assert decode(reader.ask(8, 64).result(20))[0, 0, 0] == 8


def test_a_reader_that_was_closed_refuses(noted):
    _, reader = noted
    reader.close()
    with pytest.raises(InputError, match='stopping'):
        reader.ask(3, 64).result(20)


def test_a_request_that_was_cancelled_keeps_no_other_one_waiting_at_the_end():
    reader = PictureReader(NotedFrames())
    # Nobody serves them before the end.
    reader._thread = threading.Thread(target=reader._work)
    cancelled, waiting = reader.ask(3, 64), reader.ask(4, 64)
    cancelled.cancel()
    with reader._woken:
        reader._closed = True
    reader._thread.start()
    with pytest.raises(InputError, match='stopping'):
        waiting.result(60)
    reader.close()
