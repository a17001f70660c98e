"""Commands in processes that need not import PyTorch and OpenMMLab again.

A server imports them once and starts no thread; each command is a child of it that it has forked.
Like a process that was started anew it has its own memory, folder and output, and may be killed.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from support.paths import ROOT

LIMIT = 300
"""Seconds that a command may take."""

IMPORTED = (
    'mmpose.apis',
    'mmpose.datasets',
    'mmpose.models',
    'mmpose.visualization',
    'stdpose_mm.apis',
    'stdpose_mm.datasets',
    'stdpose_mm.engine.training_runner',
    'stdpose_mm.engine.whole_model_runner',
    'stdpose_mm.evaluation',
    'stdpose_mm.models',
    'torch.utils.tensorboard',
)
"""What commands would import, each of them most of it."""


@dataclass(frozen=True)
class Finished:
    """What a command has left: its exit status, negative after a signal, and its output."""

    returncode: int
    stdout: str
    stderr: str


class WarmCommand:
    """A running command.

    Args:
        server: Has forked it.
        folder: Where its output is.
        pid: Its process, which leads a group of its own.
    """

    def __init__(self, server: subprocess.Popen[str], folder: TemporaryDirectory, pid: int) -> None:
        self.pid = pid
        self.finished = False
        self._server = server
        self._folder = folder

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        state = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()[0]
        return state != 'Z'

    def kill(self) -> None:
        """Kill it and its children."""
        os.killpg(self.pid, signal.SIGKILL)

    def wait(self) -> Finished:
        """Wait until it has ended; after ``LIMIT`` seconds it is killed."""
        until = time.monotonic() + LIMIT
        while self.is_running and time.monotonic() < until:
            time.sleep(0.005)
        if self.is_running:
            self.kill()
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print('wait', file=self._server.stdin, flush=True)
        status = int(self._server.stdout.readline())
        self.finished = True
        with self._folder as folder:
            output = [(Path(folder) / name).read_text() for name in ('stdout', 'stderr')]
        return Finished(status, *output)


class _Server:
    """The server of this process, started when it is first needed, and its last command."""

    def __init__(self) -> None:
        self._running: subprocess.Popen[str] | None = None
        self.last: WarmCommand | None = None

    def get(self) -> subprocess.Popen[str]:
        if self._running is None:
            self._running = subprocess.Popen(
                [sys.executable, '-m', 'support.warm_commands'],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={
                    **os.environ,
                    'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tests"}',
                    'OMP_NUM_THREADS': '1',
                    'CUDA_VISIBLE_DEVICES': '',
                },
            )
            atexit.register(self._running.kill)
            assert self._running.stdout is not None
            assert self._running.stdout.readline() == 'ready\n'
        return self._running


_SERVER = _Server()


def start(script: str, *arguments: object, cwd: Path) -> WarmCommand:
    """Start a script of the repository; one at a time, the last one is killed if it is running."""
    if _SERVER.last is not None and not _SERVER.last.finished:
        # A test failed before it waited.
        _SERVER.last.kill()
        _SERVER.last.wait()
    server = _SERVER.get()
    folder = TemporaryDirectory()
    for name in ('stdout', 'stderr'):
        (Path(folder.name) / name).touch()
    job = {'script': script, 'arguments': list(map(str, arguments)), 'cwd': str(cwd)}
    assert server.stdin is not None
    assert server.stdout is not None
    print(json.dumps({**job, 'output': folder.name}), file=server.stdin, flush=True)
    _SERVER.last = WarmCommand(server, folder, int(server.stdout.readline()))
    return _SERVER.last


def run(script: str, *arguments: object, cwd: Path) -> Finished:
    """Run a script of the repository that must succeed."""
    done = start(script, *arguments, cwd=cwd).wait()
    assert done.returncode == 0, done.stderr
    return done


# In the server.


def _serve() -> None:
    answers = os.fdopen(os.dup(1), 'w')
    # Imports print as well.
    os.dup2(2, 1)
    for name in IMPORTED:
        import_module(name)
    print('ready', file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(job)
            return
        # Here as well as in the child, so that the group is there whoever is first.
        os.setpgid(pid, pid)
        print(pid, file=answers, flush=True)
        assert sys.stdin.readline() == 'wait\n'
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(status, file=answers, flush=True)


def _become(job: Mapping[str, Any]) -> None:
    """Be the command that a job asks for."""
    os.setpgid(0, 0)
    os.chdir(job['cwd'])
    output = Path(job['output'])
    for number, path in enumerate((Path(os.devnull), output / 'stdout', output / 'stderr')):
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    script = str(ROOT / job['script'])
    sys.argv = [script, *job['arguments']]
    runpy.run_path(script, run_name='__main__')


if __name__ == '__main__':
    _serve()
