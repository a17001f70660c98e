"""Commands of a study: launching them, and running several at a time."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import TextIO

from research import ROOT
from stdpose_mm.errors import InputError

POLL_SECONDS = 0.2
STOP_SECONDS = 10
"""Seconds that a process may take to end; workers of a data loader may take 5 s to notice that
their process is gone.
"""


@dataclass(frozen=True)
class Command:
    """The command line of a run's training or test.

    Args:
        name: Description for messages.
        arguments: Command line.
        log: File for its output.
        environment: Environment variables to set in addition to those of this process.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Launcher:
    """Launcher of tools in one process, or in several by the scripts in ``tools``.

    Args:
        kind: ``'none'``, ``'pytorch'`` (torchrun) or ``'slurm'``.
        processes: Number of processes of a command, one for each GPU.
        partition: Partition of the Slurm cluster.

    Raises:
        InputError: If the kind does not use a given number or partition, or lacks one.
    """

    kind: str = 'none'
    processes: int = 1
    partition: str | None = None
    _held: list[socket.socket] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind == 'none' and self.processes != 1:
            raise InputError(
                f'--gpus {self.processes} needs --launcher pytorch or slurm, add one of them'
            )
        if (self.kind == 'slurm') != (self.partition is not None):
            raise InputError('--launcher slurm and --partition need each other')

    def train(
        self, name: str, config: Path, folder: Path, options: Sequence[str]
    ) -> tuple[str, ...]:
        """Make the command line of training in a work folder."""
        work_dir = ('--work-dir', str(folder))
        if self.kind == 'pytorch':
            return self._script('dist_train.sh', config, self.processes, *work_dir, *options)
        if self.kind == 'slurm':
            names = (self.partition, job_name(name))
            return self._script('slurm_train.sh', *names, config, folder, *options)
        return self._python('train.py', config, *work_dir, *options)

    def test(
        self, name: str, config: Path, checkpoint: Path, options: Sequence[str]
    ) -> tuple[str, ...]:
        """Make the command line of a test."""
        if self.kind == 'pytorch':
            return self._script('dist_test.sh', config, checkpoint, self.processes, *options)
        if self.kind == 'slurm':
            names = (self.partition, job_name(name))
            return self._script('slurm_test.sh', *names, config, checkpoint, *options)
        return self._python('test.py', config, checkpoint, *options)

    def share_videos(self, name: str, tool: str, options: Sequence[str]) -> tuple[str, ...]:
        """Make the command line of a tool whose processes divide the videos among them."""
        if self.kind == 'pytorch':
            return self._script('dist_videos.sh', tool, self.processes, *options)
        if self.kind == 'slurm':
            return self._script('slurm_videos.sh', self.partition, job_name(name), tool, *options)
        return self._python(f'{tool}.py', *options)

    def environment(self) -> dict[str, str]:
        """Return the variables that the scripts read, for one command."""
        if self.kind == 'none':
            return {}
        # The scripts call `python`, which must be the interpreter of this process.
        variables = {'PATH': f'{Path(sys.executable).parent}:{os.environ.get("PATH", "")}'}
        if self.kind == 'pytorch':
            # The port is held, so that no other program gets it before torchrun listens.
            holder = socket.socket()
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(('', 0))
            self._held.append(holder)
            variables['PORT'] = str(holder.getsockname()[1])
            return variables
        per_node = min(self.processes, int(os.environ.get('GPUS_PER_NODE', 8)))
        return variables | {'GPUS': str(self.processes), 'GPUS_PER_NODE': str(per_node)}

    @staticmethod
    def _script(script: str, *arguments: object) -> tuple[str, ...]:
        return ('bash', str(ROOT / 'tools' / script), *map(str, arguments))

    @staticmethod
    def _python(script: str, *arguments: object) -> tuple[str, ...]:
        return (sys.executable, str(ROOT / 'tools' / script), *map(str, arguments))


def job_name(name: str) -> str:
    """Make a job's name by removing blanks from a description."""
    return '_'.join(name.split())


def run_commands(
    runs: Sequence[Iterator[Command]], jobs: int, report: Callable[[str], None], lock: TextIO
) -> None:
    """Run ``jobs`` sequences of commands at a time; the first failure stops all of them.

    Args:
        runs: Sequences of commands; the next one is requested when the last one has succeeded.
        jobs: Largest number of processes.
        report: Function that is called with a line when a command begins.
        lock: File that every process keeps open.

    Raises:
        InputError: If a command fails.
    """
    waiting = deque(runs)
    active: list[tuple[subprocess.Popen, Command, Iterator[Command]]] = []
    try:
        while waiting or active:
            for process, command, run in list(active):
                code = process.poll()
                if code is None:
                    continue
                active.remove((process, command, run))
                if code != 0:
                    raise InputError(_failure(command, code))
                waiting.appendleft(run)
            while waiting and len(active) < jobs:
                run = waiting.popleft()
                next_command = next(run, None)
                if next_command is not None:
                    report(next_command.name)
                    active.append((_start(next_command, lock), next_command, run))
            if active:
                time.sleep(POLL_SECONDS)
    finally:
        for process, *_ in active:
            process.terminate()
        for process, *_ in active:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(command: Command, lock: TextIO) -> subprocess.Popen:
    command.log.parent.mkdir(parents=True, exist_ok=True)
    # Configs may import modules of research.
    search_path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    with open(command.log, 'ab') as log:
        return subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock.fileno(),),
            env={**os.environ, 'PYTHONPATH': search_path, **command.environment},
        )


def _failure(command: Command, code: int) -> str:
    how = f'exit code {code}' if code > 0 else f'ended by signal {-code}'
    lines = command.log.read_text(errors='replace').split('\n')
    last = next((line.strip() for line in reversed(lines) if line.strip()), 'it printed nothing')
    return (
        f'the {command.name} failed ({how}: {shorten(last, 200, placeholder=" ...")}), see '
        f'{command.log}'
    )


@contextmanager
def locked(folder: Path) -> Iterator[TextIO]:
    """Lock a folder as long as this process or one that it has started runs.

    Raises:
        InputError: If the folder is in use or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / '.lock').open('w')
    except OSError as error:
        raise InputError(f'{folder} cannot be written: {error.strerror or error}') from error
    with file:
        give_up = time.monotonic() + STOP_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise InputError(
                        f'{folder} is in use by another study, or by a process that a study '
                        'left behind; wait for it or end it'
                    ) from None
            time.sleep(POLL_SECONDS)
        yield file
