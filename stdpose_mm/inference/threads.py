"""Work in threads: ahead of the consumer, or on several items at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import cv2

from stdpose_mm.onnx_session import thread_limit

Item = TypeVar('Item')
Result = TypeVar('Result')

_END: Any = object()

_MOST_THREADS = 8
"""More would wait for pictures to be decoded, and each holds one."""


def prefetch(items: Iterable[Item], ahead: int = 4) -> Generator[Item, None, None]:
    """Iterate in a background thread while the consumer works on earlier items.

    The thread starts when the first item is asked for. An exception is raised where its item would
    have come. The thread ends with the items, or once the iterator is closed, whichever comes
    first; ``close`` waits for it, so that ``items`` is not read afterwards.

    Args:
        items: The items; only the thread iterates over them.
        ahead: Number of items that may wait to be consumed, at least one.
    """
    iterator = iter(items)
    # A thread that still decodes or draws when the interpreter ends would abort the process; the
    # end of the interpreter waits for those of a pool.
    with ThreadPoolExecutor(1, thread_name_prefix='prefetch') as pool:
        waiting = deque(pool.submit(next, iterator, _END) for _ in range(ahead))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(pool.submit(next, iterator, _END))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


def allowed_threads() -> int:
    """Return how many threads the user allows OpenCV and all other libraries, 1 to 8."""
    threads = min(max(1, cv2.getNumThreads()), _MOST_THREADS)
    return min(threads, thread_limit() or threads)


def thread_map(
    function: Callable[[Item], Result], items: Iterable[Item], most: int | None = None
) -> Generator[Result, None, None]:
    """Apply a function to items, to several at once if the user allows several threads.

    OpenCV and onnxruntime parallelise badly within small pictures, but well over whole pictures.
    Both let other Python threads run while they work.

    Args:
        function: Is called by several threads at once, for different items.
        items: Are read by the caller's thread alone, as many ahead of the results as there are
            threads.
        most: Largest number of items at once, by default as many as the user allows; with 1, the
            caller's thread still reads ahead.

    Yields:
        Results in the order of the items. An exception is raised where its result would have come.
    """
    threads = allowed_threads()
    if threads == 1:
        yield from map(function, items)
        return
    threads = min(threads, most or threads)
    with ThreadPoolExecutor(threads, thread_name_prefix='pictures') as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
