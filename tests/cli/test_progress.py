"""The times at the end."""

from __future__ import annotations

import pytest

from stdpose_mm.cli import progress as module
from stdpose_mm.cli.progress import FrameProgress, describe_time


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, 'time', clock)
    return clock


def test_the_time_by_frame_and_person(clock):
    with FrameProgress(100, 'flow') as progress:
        progress.start(20, 160)
        clock.now += 8
        assert progress.describe_time() == [
            '80 frames computed in 8.0 s: 10.0 frames/s, 100 ms a frame, 50 ms a frame and person'
        ]
        progress.start(100, 0)
        assert progress.describe_time() == []


def test_little_is_counted_in_tenths():
    assert describe_time(0.004, 1, 4) == (
        '1 frame computed in 0.0 s: 250.0 frames/s, 4.0 ms a frame, 1.0 ms a frame and person'
    )
    assert describe_time(1.0, 2, 0) == '2 frames computed in 1.0 s: 2.0 frames/s, 500 ms a frame'
