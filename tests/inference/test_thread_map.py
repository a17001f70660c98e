from __future__ import annotations

import threading
from collections.abc import Iterator

import cv2
import pytest

import stdpose_mm.inference.threads as threads_module
from stdpose_mm.inference.threads import allowed_threads, thread_map


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Allow as many threads as the test's parameter says, 3 without one."""
    count = getattr(request, 'param', 3)
    monkeypatch.setattr(threads_module, 'allowed_threads', lambda: count)


@pytest.mark.parametrize('threads', [1, 3], indirect=True)
def test_results_come_in_the_order_of_the_items(threads):
    released = threading.Event()

    def slow_first(item: int) -> int:
        if item == 0 and threading.current_thread() is not threading.main_thread():
            # The first item is finished last.
            assert released.wait(60)
        if item == 2:
            released.set()
        return item * item

    assert list(thread_map(slow_first, range(20))) == [item * item for item in range(20)]


def test_several_items_are_worked_on_at_once(threads):
    # Nobody passes until three are there.
    together = threading.Barrier(3, timeout=60)
    assert len(list(thread_map(lambda _: together.wait(), range(6)))) == 6


def test_one_item_at_a_time_is_worked_on_while_the_caller_reads_ahead(threads):
    read_ahead = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        read_ahead.set()
        yield 1

    def work(item: int) -> threading.Thread:
        assert read_ahead.wait(60)
        return threading.current_thread()

    (worker,) = set(thread_map(work, items(), most=1))
    assert worker is not threading.main_thread()


def test_with_one_thread_the_caller_does_the_work_item_by_item(monkeypatch):
    monkeypatch.setattr(threads_module, 'allowed_threads', lambda: 1)
    seen = []

    def items() -> Iterator[int]:
        for item in range(3):
            seen.append(('read', item))
            yield item

    def work(item: int) -> threading.Thread:
        seen.append(('worked on', item))
        return threading.current_thread()

    assert set(thread_map(work, items())) == {threading.main_thread()}
    assert seen == [(what, item) for item in range(3) for what in ('read', 'worked on')]


def test_items_are_read_by_the_caller_and_few_ahead(threads):
    read = []

    def items() -> Iterator[int]:
        for item in range(100):
            assert threading.current_thread() is threading.main_thread()
            read.append(item)
            yield item

    results = thread_map(lambda item: item, items())
    for consumed in range(100):
        assert next(results) == consumed
        # One for each thread, and the one that was waited for.
        assert len(read) <= consumed + 1 + 3


@pytest.mark.parametrize('threads', [1, 3], indirect=True)
def test_an_exception_comes_in_the_place_of_its_result(threads):
    def refuse_four(item: int) -> int:
        if item == 4:
            raise OSError('no four')
        return item

    results = thread_map(refuse_four, range(20))
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(OSError, match='no four'):
        next(results)


def test_what_nobody_waits_for_any_more_is_not_begun(threads):
    begun = []
    go_on = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item:
            assert go_on.wait(60)
        return item

    results = thread_map(work, range(100))
    assert next(results) == 0
    threading.Timer(0.05, go_on.set).start()
    results.close()
    # Three threads had an item each by then, beside the first one; the rest had to wait.
    assert len(begun) <= 1 + 3


@pytest.mark.parametrize(
    ('of_opencv', 'of_others', 'allowed'), [(4, 2, 2), (2, 4, 2), (3, 0, 3), (1, 8, 1), (64, 0, 8)]
)
def test_no_limit_of_threads_is_exceeded(monkeypatch, of_opencv, of_others, allowed):
    monkeypatch.setattr(cv2, 'getNumThreads', lambda: of_opencv)
    # 0 says that there is no limit.
    monkeypatch.setattr(threads_module, 'thread_limit', lambda: of_others)
    assert allowed_threads() == allowed
