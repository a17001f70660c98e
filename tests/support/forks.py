"""Functions run in a forked child, so that a hang cannot block a test."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import TypeVar

T = TypeVar('T')


def in_fork(work: Callable[[], T], limit: float = 30) -> T:
    """Return what a function returns in a forked child, which is killed after ``limit`` seconds.

    A pool would wait for a child that hangs, however long.
    """
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(work()))
    child.start()
    sender.close()
    try:
        assert receiver.poll(limit), f'the child has not answered in {limit:g} seconds'
        return receiver.recv()
    finally:
        child.kill()
        child.join()
