"""The bar, the estimate and the times at the end."""

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


def test_the_time_to_go_is_said_once_as_soon_as_it_is_measured(clock, capsys):
    with FrameProgress(1000, 'flow') as progress:
        progress.start(100, 1800)
        clock.now += 4
        progress.advance(120)
        assert 'to go' not in capsys.readouterr().err
        clock.now += 2
        progress.advance(160.5)
        # 60.5 frames in 6 s, and 839.5 are left: 83 s.
        said = capsys.readouterr().err
        assert 'about 83 s to go: 99 ms a frame, measured on the first 60 frames' in said
        clock.now += 100
        progress.advance(900)
        assert 'to go' not in capsys.readouterr().err


def test_nothing_is_estimated_before_a_frame_is_begun(clock, capsys):
    """A labelled picture is looked at first; it may take longer than the measurement."""
    with FrameProgress(180, 'flow') as progress:
        progress.start(100, 1800)
        clock.now += 6
        progress.advance(100)
        assert 'to go' not in capsys.readouterr().err
        clock.now += 3
        progress.advance(109)
        assert 'about 71 s to go: 1000 ms a frame' in capsys.readouterr().err


def test_nothing_is_estimated_of_a_short_run(clock, capsys):
    with FrameProgress(100, 'flow') as progress:
        progress.start(0, 100)
        clock.now += 6
        progress.advance(90)
    assert 'to go' not in capsys.readouterr().err


def test_the_time_by_frame_and_person(clock):
    with FrameProgress(100, 'flow') as progress:
        progress.start(20, 160)
        clock.now += 8
        assert progress.describe_time() == (
            '80 frames computed in 8.0 s: 10.0 frames/s, 100 ms a frame, 50 ms a frame and person'
        )
        progress.start(100, 0)
        assert progress.describe_time() == ''


def test_little_is_counted_in_tenths():
    assert describe_time(0.004, 1, 4) == (
        '1 frame computed in 0.0 s: 250.0 frames/s, 4.0 ms a frame, 1.0 ms a frame and person'
    )
    assert describe_time(1.0, 2, 0) == '2 frames computed in 1.0 s: 2.0 frames/s, 500 ms a frame'
