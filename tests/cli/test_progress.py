"""The progress bar, what is printed without a terminal or in quiet, and the times at the end."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stdpose_mm.cli import progress as module
from stdpose_mm.cli import propagate
from stdpose_mm.cli.progress import FrameProgress, describe_time
from stdpose_mm.errors import InputError
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling import report


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
    with FrameProgress(100) as progress:
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


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Replace stderr, which pytest replaces as well between a fixture and the test."""

    def replace() -> Terminal:
        terminal = Terminal()
        monkeypatch.setattr('sys.stderr', terminal)
        return terminal

    return replace


def test_each_part_has_an_equal_share_of_the_bar(open_terminal):
    terminal = open_terminal()
    with FrameProgress(10, 4) as progress:
        with progress.part('boxes'):
            progress.advance(5)
        with progress.part('flow'):
            progress.start(5, 10)
            assert shown(terminal) == 'flow:  38%'
        with progress.part('overlay'):
            assert shown(terminal) == 'overlay:  50%'
    assert shown(terminal) == 'overlay: 100%'


def test_reading_watched_frames_advances_up_to_the_end_of_the_part(open_terminal):
    terminal = open_terminal()
    frames = ArrayFrames(np.zeros((4, 8, 8, 3), np.uint8))
    with FrameProgress(4, 2) as progress:
        with progress.part('overlay'):
            watched = progress.watch(frames)
            for index in (0, 1, 2, 3, 0, 1):
                watched[index]
        with progress.part('report'):
            assert shown(terminal) == 'report:  50%'


def test_work_that_fails_leaves_no_full_bar(open_terminal):
    terminal = open_terminal()

    def fail() -> None:
        with FrameProgress(4) as progress, progress.part('flow'):
            progress.advance(4)
            raise InputError('no')

    with pytest.raises(InputError):
        fail()
    assert '100%' not in terminal.getvalue()


def shown(terminal: Terminal) -> str:
    """What the bar shows last: its name and its per cent."""
    return re.findall(r'\w+: [ \d]+%', terminal.getvalue())[-1]


@pytest.mark.slow
def test_the_bar_is_full_only_after_all_is_written(
    folder, label_file, tmp_path, open_terminal, monkeypatch
):
    terminal, seen = open_terminal(), []
    # The last step.
    render = report._render

    def spy(*arguments: Any) -> Any:
        seen.append(terminal.getvalue())
        return render(*arguments)

    monkeypatch.setattr(report, '_render', spy)
    outputs = ['--out', tmp_path / 'dense.json', '--report', tmp_path / 'report.html']
    outputs += ['--save-video', tmp_path / 'overlay.mp4', '--measure', 2]
    assert propagate.main([*map(str, [folder, label_file, *outputs, '--method', 'linear'])]) == 0
    (before,) = seen
    assert ' 75%' in before
    assert '100%' not in before
    assert 'report:' in before
    assert '100%' in terminal.getvalue()


@pytest.mark.slow
def test_quiet_prints_only_what_was_asked_for(folder, label_file, tmp_path, open_terminal, capsys):
    terminal = open_terminal()
    command = [
        folder,
        label_file,
        '--out',
        tmp_path / 'dense.json',
        '--quiet',
        '--method',
        'linear',
    ]
    assert propagate.main([*map(str, command)]) == 0
    assert (capsys.readouterr().out, terminal.getvalue()) == ('', '')
    assert propagate.main([*map(str, command), '--check', '1']) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith('check frame ')
    assert terminal.getvalue() == ''
