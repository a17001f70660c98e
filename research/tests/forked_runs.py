"""Commands of a study as forks of its process, so that nothing is imported again."""

from __future__ import annotations

import os
import runpy
import sys
from multiprocessing import get_context
from typing import TextIO

from research.study import commands
from research.study.commands import Command


class ForkedRun:
    """Control a command as ``subprocess.Popen`` does.

    Args:
        command: A script of this Python and its command line.
    """

    def __init__(self, command: Command) -> None:
        self._process = get_context('fork').Process(target=_become, args=(command,))
        self._process.start()
        self.terminate = self._process.terminate
        self.kill = self._process.kill

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode


def _become(command: Command) -> None:
    python, *sys.argv = command.arguments
    assert python == sys.executable
    os.environ.update(command.environment)
    log = os.open(command.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in (1, 2):
        os.dup2(log, number)
    runpy.run_path(sys.argv[0], run_name='__main__')


def fork_runs() -> None:
    """Let studies of this process, which has started no thread, fork their commands."""

    def start(command: Command, _lock: TextIO) -> ForkedRun:
        command.log.parent.mkdir(parents=True, exist_ok=True)
        return ForkedRun(command)

    commands._start = start  # type: ignore[assignment]
