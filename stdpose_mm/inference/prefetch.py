"""Iteration in a background thread, ahead of the consumer."""

from __future__ import annotations

import atexit
from collections.abc import Generator, Iterable
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TypeVar

Item = TypeVar('Item')


def prefetch(items: Iterable[Item], ahead: int = 4) -> Generator[Item, None, None]:
    """Iterate in a background thread while the consumer works on earlier items.

    The thread starts when the first item is asked for. An exception is raised where its item would
    have come. The thread ends with the items, or once the iterator is closed, whichever comes
    first; ``close`` waits for it, so that ``items`` is not read afterwards.

    Args:
        items: The items; only the thread iterates over them.
        ahead: Number of items that may wait to be consumed, at least one.
    """
    waiting: SimpleQueue[tuple[str, object]] = SimpleQueue()
    room = Semaphore(ahead)
    stopped = False

    def work() -> None:
        try:
            iterator = iter(items)
            while True:
                room.acquire()
                if stopped:
                    return
                waiting.put(('item', next(iterator)))
        except StopIteration:
            waiting.put(('end', None))
        except BaseException as error:
            waiting.put(('error', error))

    def stop() -> None:
        nonlocal stopped
        stopped = True
        room.release()
        thread.join()

    thread = Thread(target=work, name='prefetch', daemon=True)
    thread.start()
    # A thread that still decodes or draws when the interpreter ends would abort the process.
    atexit.register(stop)
    # Modules may have lost their names when the iterator is closed.
    forget = atexit.unregister
    try:
        while True:
            kind, value = waiting.get()
            room.release()
            if kind == 'end':
                return
            if isinstance(value, BaseException) and kind == 'error':
                raise value
            yield value  # type: ignore[misc]
    finally:
        stop()
        forget(stop)
