"""The pictures of a video for the page: exact frames, encoded, read ahead."""

from __future__ import annotations

import copy
from collections import OrderedDict
from concurrent.futures import Future
from threading import Condition, Thread

import cv2
import numpy as np

from stdpose_mm.errors import InputError, explain_error, one_line
from stdpose_mm.io.video import FrameSource

WIDTHS = (320, 480, 640, 960, 1280, 1920, 2560, 3840)
"""Widths that pictures are scaled down to."""

JPEG_QUALITY = 88

AHEAD = 24
"""Frames that are read ahead in the direction in which the page moves."""

MAX_BYTES = 96 * 2**20

Key = tuple[int, int]
"""Frame and width."""


class PictureReader:
    """Read and encode the pictures of a video in a thread of its own.

    The latest request is served first; without requests, the frames around it are read ahead.

    Args:
        frames: The video; it is opened a second time, so that no other code moves its reader.
        max_bytes: Memory for encoded pictures.
    """

    def __init__(self, frames: FrameSource, max_bytes: int = MAX_BYTES) -> None:
        self._frames = copy.copy(frames)
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self.num_bytes = 0
        self._asked: OrderedDict[Key, list[Future[bytes]]] = OrderedDict()
        self._ahead: list[Key] = []
        self._block: set[Key] = set()
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
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                future.set_result(kept)
            elif self._closed:
                future.set_exception(InputError('the server is ending'))
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
        is_step = self._last is not None and abs(frame - self._last) <= AHEAD
        backward = self._last is not None and is_step and frame < self._last
        self._last = frame
        if backward:
            # A decoder goes forward only: frames behind come as a block in ascending order, which
            # the next steps back must not interrupt.
            missing = [
                n for n in range(max(frame - AHEAD // 2, 0), frame) if not self._has(n, width)
            ]
            if missing and not any(key in self._block for key in self._ahead):
                start = max(missing[-1] - AHEAD + 1, 0)
                block = [(n, width) for n in range(start, missing[-1] + 1)]
                self._ahead = [key for key in block if key not in self._kept]
                self._block = set(self._ahead)
            return
        self._block = set()
        ahead = range(frame + 1, min(frame + 1 + AHEAD, len(self._frames)))
        self._ahead = [(n, width) for n in ahead if not self._has(n, width)]

    def _has(self, frame: int, width: int) -> bool:
        return (frame, width) in self._kept

    def _next(self) -> tuple[Key, list[Future[bytes]]] | None:
        """Wait for the next picture to make; None at the end."""
        with self._woken:
            while True:
                if self._closed:
                    for futures in self._asked.values():
                        for future in futures:
                            # The page may have cancelled the request.
                            if future.set_running_or_notify_cancel():
                                future.set_exception(InputError('the server is ending'))
                    self._asked.clear()
                    return None
                while self._asked:
                    key, futures = self._asked.popitem()
                    if key not in self._kept:
                        if key in self._block and key in self._ahead:
                            # Its block, read on in order, yields it sooner than a separate read.
                            self._asked[key] = futures
                            break
                        return key, futures
                    # The picture was being read ahead at the time of the request.
                    for future in futures:
                        if future.set_running_or_notify_cancel():
                            future.set_result(self._kept[key])
                while self._ahead:
                    key = self._ahead.pop(0)
                    if key not in self._kept:
                        return key, self._asked.pop(key, [])
                self._woken.wait()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            key, asked = task
            futures = [future for future in asked if future.set_running_or_notify_cancel()]
            if asked and not futures:
                # The page has cancelled the request.
                continue
            try:
                picture = encode(np.asarray(self._frames[key[0]]), key[1])
            except Exception as error:
                for future in futures:
                    sentence = explain_error(error) or f'{type(error).__name__}: {one_line(error)}'
                    future.set_exception(InputError(sentence))
                continue
            self._keep(key, picture)
            for future in futures:
                future.set_result(picture)

    def _keep(self, key: Key, picture: bytes) -> None:
        with self._woken:
            if key in self._kept:
                return
            self._kept[key] = picture
            self.num_bytes += len(picture)
            while self.num_bytes > self._max_bytes and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self.num_bytes -= len(dropped)


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
