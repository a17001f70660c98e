"""Server-sent events to the pages of a video."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from threading import Lock
from typing import Any

KEEP_ALIVE_SECONDS = 15.0

_MAX_WAITING = 1000
"""Maximum number of unread events of a page; a page beyond it is disconnected."""


class EventStream:
    """Send events to any number of pages; any thread may send."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[bytes | None], asyncio.AbstractEventLoop] = {}
        self._lock = Lock()

    @property
    def num_pages(self) -> int:
        """Return the number of pages that listen."""
        with self._lock:
            return len(self._queues)

    def send(self, event: str, **data: Any) -> None:
        """Send an event to every page."""
        self._put(f'event: {event}\ndata: {json.dumps(data)}\n\n'.encode())

    def close(self) -> None:
        """End the streams of all pages."""
        self._put(None)

    def _put(self, message: bytes | None) -> None:
        with self._lock:
            for queue, loop in self._queues.items():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_put, queue, message)

    async def listen(self, **hello: Any) -> AsyncIterator[bytes]:
        """Yield the events for one page until it disconnects, beginning with ``hello``."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        with self._lock:
            self._queues[queue] = asyncio.get_running_loop()
        try:
            self.send('pages', count=self.num_pages)
            yield f'event: hello\ndata: {json.dumps(hello)}\n\n'.encode()
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), KEEP_ALIVE_SECONDS)
                except asyncio.TimeoutError:
                    message = b': still here\n\n'
                if message is None:
                    return
                yield message
        finally:
            with self._lock:
                self._queues.pop(queue, None)
            self.send('pages', count=self.num_pages)


def _put(queue: asyncio.Queue[bytes | None], message: bytes | None) -> None:
    if queue.qsize() >= _MAX_WAITING:
        while not queue.empty():
            queue.get_nowait()
        message = None
    queue.put_nowait(message)
