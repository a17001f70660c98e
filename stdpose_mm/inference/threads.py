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
"""More threads would wait for pictures to be decoded, and each holds a picture."""


def prefetch(items: Iterable[Item], ahead: int = 4) -> Generator[Item, None, None]:
    """Iterate over items in a background thread while the consumer works on earlier ones.

    The thread starts when the first item is requested. An exception is raised in place of its item.
    The thread ends after the last item or when the iterator is closed, whichever comes first;
    ``close`` waits for it, so ``items`` is not read afterwards.

    Args:
        items: The items; only the thread iterates over them.
        ahead: Number of items that may wait to be consumed, at least one.
    """
    iterator = iter(items)
    # A thread that still decodes or draws when the interpreter ends would abort the process. At its
    # end the interpreter waits for the threads of a pool.
    with ThreadPoolExecutor(1, thread_name_prefix='prefetch') as pool:
        waiting = deque(pool.submit(next, iterator, _END) for _ in range(ahead))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(pool.submit(next, iterator, _END))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


def allowed_threads() -> int:
    """Return how many threads the user allows OpenCV and other libraries to use, 1 to 8."""
    threads = min(max(1, cv2.getNumThreads()), _MOST_THREADS)
    return min(threads, thread_limit() or threads)


def thread_map(
    function: Callable[[Item], Result], items: Iterable[Item], most: int | None = None
) -> Generator[Result, None, None]:
    """Apply a function to items, to several at once if the user allows several threads.

    OpenCV and onnxruntime parallelise well across pictures but badly within small ones. Both let
    other Python threads run while they work.

    Args:
        function: Called by several threads at once, for different items.
        items: Read by the caller's thread only, as many items ahead of the results as there are
            threads.
        most: Maximum number of items at once; by default as many as the user allows. With 1, the
            caller's thread still reads ahead.

    Yields:
        Results in the order of the items. An exception is raised in place of its result.
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
