"""Pictures of a video for the page: exact frames, encoded and read ahead."""

from __future__ import annotations

import copy
from collections import OrderedDict
from concurrent.futures import Future
from threading import Condition, Thread

import cv2
import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import FrameSource

from .messages import sentence_of

WIDTHS = (320, 480, 640, 960, 1280, 1920, 2560, 3840)
"""Widths that pictures are scaled down to."""

JPEG_QUALITY = 88

AHEAD = 24
"""Number of frames that are read ahead in the direction in which the page moves."""

MAX_BYTES = 96 * 2**20

Key = tuple[int, int]
"""Frame and width."""


class PictureReader:
    """Thread that reads and encodes the pictures of a video.

    The latest request is served first; when there are none, the frames around it are read ahead.

    Args:
        frames: The video; it is opened a second time, so that no other code moves its reader.
        max_bytes: Memory for encoded pictures.
    """

    def __init__(self, frames: FrameSource, max_bytes: int = MAX_BYTES) -> None:
        self._frames = copy.copy(frames)
        self._max_bytes = max_bytes
        self.num_bytes = 0
        self._encoded: OrderedDict[Key, bytes] = OrderedDict()
        self._asked: dict[Key, list[Future[bytes]]] = {}
        self._ahead: list[Key] = []
        self._is_block = False
        """Whether the frames to read precede the view and are read without interruption."""
        self._last: int | None = None
        self._woken = Condition()
        self._thread: Thread | None = None
        self._closed = False

    def width_for(self, wanted: int | None) -> int:
        """Choose the width of a picture: the smallest sufficient in ``WIDTHS``, or the video's."""
        full = self._frames.size[0]
        if wanted is None:
            return full
        return min(next((width for width in WIDTHS if width >= wanted), full), full)

    def ask(self, frame: int, width: int) -> Future[bytes]:
        """Request a picture.

        Args:
            frame: 0-based frame.
            width: A width in pixels from :meth:`width_for`.

        Returns:
            The JPEG file; an ``InputError`` if the frame cannot be read.
        """
        future: Future[bytes] = Future()
        key = frame, width
        with self._woken:
            self._plan_ahead(frame, width)
            if key in self._encoded:
                self._encoded.move_to_end(key)
                future.set_result(self._encoded[key])
            elif self._closed:
                future.set_exception(_ending())
                return future
            else:
                self._asked.setdefault(key, []).append(future)
            if self._thread is None:
                self._thread = Thread(target=self._work, name='pictures', daemon=True)
                self._thread.start()
            self._woken.notify()
        return future

    def close(self) -> None:
        """End the thread."""
        with self._woken:
            self._closed = True
            self._woken.notify()
        if self._thread is not None:
            self._thread.join(5)

    def _plan_ahead(self, frame: int, width: int) -> None:
        """Plan which frames are read ahead while there is no request."""
        last, self._last = self._last, frame
        if last is None or not 0 < last - frame <= AHEAD:
            self._is_block = False
            ahead = range(frame + 1, min(frame + 1 + AHEAD, len(self._frames)))
            self._ahead = self._missing(ahead, width)
            return
        # A decoder only goes forward: preceding frames are read as a block in ascending order,
        # which further steps back must not interrupt.
        missing = self._missing(range(max(frame - AHEAD // 2, 0), frame), width)
        if missing and not (self._is_block and self._ahead):
            stop = missing[-1][0] + 1
            self._ahead = self._missing(range(max(stop - AHEAD, 0), stop), width)
            self._is_block = True

    def _missing(self, frames: range, width: int) -> list[Key]:
        return [(n, width) for n in frames if (n, width) not in self._encoded]

    def _next(self) -> Key | None:
        """Wait for the next picture to encode; None at the end."""
        with self._woken:
            while not self._closed:
                for key, futures in reversed(list(self._asked.items())):
                    # Reading the block in order yields its pictures sooner than separate reads.
                    in_block = self._is_block and key in self._ahead
                    if all(future.cancelled() for future in futures):
                        del self._asked[key]
                    elif not in_block:
                        return key
                while self._ahead:
                    key = self._ahead.pop(0)
                    if key not in self._encoded:
                        return key
                self._woken.wait()
            return None

    def _work(self) -> None:
        while (key := self._next()) is not None:
            answer: bytes | InputError
            try:
                answer = encode(np.asarray(self._frames[key[0]]), key[1])
            except Exception as error:
                answer = InputError(sentence_of(error))
            with self._woken:
                if isinstance(answer, bytes):
                    self._keep(key, answer)
                self._answer(key, answer)
        with self._woken:
            for key in list(self._asked):
                self._answer(key, _ending())

    def _answer(self, key: Key, answer: bytes | InputError) -> None:
        for future in self._asked.pop(key, []):
            if not future.set_running_or_notify_cancel():
                continue
            if isinstance(answer, bytes):
                future.set_result(answer)
            else:
                future.set_exception(answer)

    def _keep(self, key: Key, picture: bytes) -> None:
        self._encoded[key] = picture
        self.num_bytes += len(picture)
        while self.num_bytes > self._max_bytes and len(self._encoded) > 1:
            _, dropped = self._encoded.popitem(last=False)
            self.num_bytes -= len(dropped)


def _ending() -> InputError:
    return InputError('the server is stopping')


def encode(picture: np.ndarray, width: int) -> bytes:
    """Encode a BGR picture as JPEG, scaled down to a width."""
    height, full = picture.shape[:2]
    if width < full:
        size = width, max(1, round(height * width / full))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    good, data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not good:
        raise InputError(f'a picture of {full}x{height} pixels cannot be encoded as JPEG')
    return bytes(data)
