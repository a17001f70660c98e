"""Work on several items at once, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import cv2

from stdpose_mm.onnx_session import thread_limit

Item = TypeVar('Item')
Result = TypeVar('Result')

_MOST_THREADS = 8
"""More would wait for pictures to be decoded, and each holds one."""


def allowed_threads() -> int:
    """Return how many threads the user allows OpenCV and all other libraries, 1 to 8."""
    threads = min(max(1, cv2.getNumThreads()), _MOST_THREADS)
    return min(threads, thread_limit() or threads)


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[Result, None, None]:
    """Apply a function to items, to several at once if the user allows several threads.

    OpenCV and onnxruntime parallelise badly within small pictures, but well over whole pictures.
    Both let other Python threads run while they work.

    Args:
        function: Is called by several threads at once, for different items.
        items: Are read by the caller's thread alone, as many ahead of the results as there are
            threads.

    Yields:
        Results in the order of the items. An exception is raised where its result would have come.
    """
    threads = allowed_threads()
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix='pictures') as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
