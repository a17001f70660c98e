from __future__ import annotations

import threading
import time

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.inference.threads import prefetch
from support.paths import ROOT
from support.warm_commands import start_code


def counted(number, made):
    for n in range(number):
        made.append((n, threading.current_thread()))
        yield n


def alive():
    return [thread for thread in threading.enumerate() if thread.name.startswith('prefetch')]


def test_items_come_in_order_from_another_thread():
    made = []
    assert list(prefetch(counted(20, made))) == list(range(20))
    assert all(thread is not threading.main_thread() for _, thread in made)
    assert not alive()


def test_the_thread_stays_a_bounded_number_of_items_ahead():
    made = []
    items = prefetch(counted(20, made), ahead=3)
    assert not made
    for taken in range(1, 4):
        next(items)
        deadline = time.monotonic() + 60
        while len(made) < taken + 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.01)
        assert len(made) == taken + 3
    items.close()


def test_the_thread_ends_when_the_consumer_stops_early():
    made = []
    slow = (time.sleep(0.01) or item for item in counted(1000, made))
    items = prefetch(slow, ahead=100)
    next(items)
    items.close()
    assert not alive()
    # Not even those that it might be ahead.
    assert len(made) < 50


def test_an_exception_comes_out_where_its_item_would_have():
    def broken():
        yield 1
        yield 2
        raise InputError('frame 2 is damaged')

    items = prefetch(broken())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(InputError, match='frame 2 is damaged'):
        next(items)
    assert not alive()


def test_a_consumer_that_fails_leaves_no_thread():
    def consume():
        for item in prefetch(counted(100, [])):
            raise RuntimeError(item)

    with pytest.raises(RuntimeError, match='0'):
        consume()
    deadline = time.monotonic() + 60
    while alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not alive()


LEFT_OPEN = """
import cv2
import numpy as np
from stdpose_mm.inference.threads import prefetch

def blurred():
    while True:
        yield cv2.GaussianBlur(np.zeros((1000, 1000, 3), np.uint8), (0, 0), 15)

pictures = prefetch(blurred())
next(pictures)
"""


@pytest.mark.slow
def test_a_program_may_end_with_an_iterator_that_is_open():
    """While its thread was in OpenCV, the process was aborted."""
    done = start_code(LEFT_OPEN, cwd=ROOT).wait()
    assert (done.returncode, done.stderr) == (0, '')
