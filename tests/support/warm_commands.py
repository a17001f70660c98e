"""Commands in processes that need not import PyTorch and OpenMMLab again.

A server imports them once and starts no thread; each command is a child of it that it has forked.
Like a new process it has its own memory, folder and output, and may be killed. Several processes
that work together find each other as those that a launcher has started do.
"""

from __future__ import annotations

import atexit
import gc
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
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from support.paths import ROOT
from support.ports import held_port

PACKAGE = Path(str(find_spec('stdpose_mm').origin)).parents[1]
"""Folder of the package that is tested, which may be an installed one; nothing imports it here."""

LIMIT = 300
"""Seconds that a command may take."""

IMPORTED = (
    'mmpose.apis',
    'mmpose.datasets',
    'mmpose.models',
    'mmpose.visualization',
    'stdpose_mm.apis',
    'stdpose_mm.datasets.body',
    'stdpose_mm.datasets.transforms',
    'stdpose_mm.engine.runner',
    'stdpose_mm.evaluation',
    'stdpose_mm.models',
    'torch.utils.tensorboard',
)
"""Modules that commands import, each command most of them."""

LIBRARIES = (
    'matplotlib.pyplot',
    'mmcv',
    'mmengine.runner',
    'scipy.stats',
    'torchvision',
    'xtcocotools.coco',
)
"""Modules that MMPose and MMDetection import, without these two."""

ONE_THREAD = dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'), '1')
"""Environment of commands that compute in the same order, however many threads the tests have."""

VARIABLES = {
    'pytorch': {'RANK': '{rank}', 'LOCAL_RANK': '{rank}', 'WORLD_SIZE': '{processes}'},
    'slurm': {
        'SLURM_PROCID': '{rank}',
        'SLURM_LOCALID': '{rank}',
        'SLURM_NTASKS': '{processes}',
        'SLURM_NODELIST': 'localhost',
    },
}
"""Launcher -> what it tells each of the processes that it starts, by environment variable."""

LIGHT = ('support.refused_processes', 'stdpose_mm.cli.propagate')
"""Modules that commands import to read their command lines, none of which computes."""


@dataclass(frozen=True)
class Finished:
    """Hold the exit status of a command, negative after a signal, and its output."""

    returncode: int
    stdout: str
    stderr: str


class WarmCommand:
    """Control a running command.

    Args:
        server: The server that has forked it.
        folder: Folder of its output.
        pid: Its process, which leads a group of its own.
    """

    def __init__(self, server: subprocess.Popen[str], folder: TemporaryDirectory, pid: int) -> None:
        self.pid = pid
        self.finished = False
        self._server = server
        self._folder = folder

    @property
    def is_running(self) -> bool:
        """Return whether the command still runs."""
        state = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()[0]
        return state != 'Z'

    @property
    def stdout(self) -> str:
        """Return the output so far."""
        return (Path(self._folder.name) / 'stdout').read_text()

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
    """Control a server of this process, started at its first use, and its last command.

    Args:
        imported: Names of modules that its commands need not import.
    """

    def __init__(self, imported: tuple[str, ...]) -> None:
        self._imported = imported
        self._running: subprocess.Popen[str] | None = None
        self.last: WarmCommand | None = None

    def get(self) -> subprocess.Popen[str]:
        if self._running is None:
            self._running = subprocess.Popen(
                [sys.executable, '-m', 'support.warm_commands', *self._imported],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={
                    **os.environ,
                    'PYTHONPATH': os.pathsep.join(map(str, (PACKAGE, ROOT, ROOT / 'tests'))),
                    **ONE_THREAD,
                    'CUDA_VISIBLE_DEVICES': '',
                },
            )
            atexit.register(self._running.kill)
            assert self._running.stdout is not None
            assert self._running.stdout.readline() == 'ready\n'
        return self._running

    def start(self, job: Mapping[str, Any], cwd: Path) -> WarmCommand:
        """Start a command; the last one is killed if it is running."""
        if self.last is not None and not self.last.finished:
            # A test failed before it waited.
            self.last.kill()
            self.last.wait()
        server = self.get()
        folder = TemporaryDirectory()
        for name in ('stdout', 'stderr'):
            (Path(folder.name) / name).touch()
        assert server.stdin is not None
        assert server.stdout is not None
        # Not the cache that the server was started with: it is another test's.
        cache = os.environ.get('STDPOSE_CACHE', str(Path(folder.name) / 'cache'))
        job = {**job, 'cwd': str(cwd), 'output': folder.name, 'cache': cache}
        print(json.dumps(job), file=server.stdin, flush=True)
        self.last = WarmCommand(server, folder, int(server.stdout.readline()))
        return self.last


_SERVER = _Server(IMPORTED)
_LIBRARY_SERVER = _Server(LIBRARIES)
_LIGHT_SERVER = _Server(LIGHT)


def start(
    script: str,
    *arguments: object,
    cwd: Path,
    processes: int = 1,
    first: str = '',
    launcher: str = 'pytorch',
) -> WarmCommand:
    """Start a script of the repository; one at a time, the last one is killed if it is running.

    Args:
        script: Its path in the repository.
        arguments: Its command line.
        cwd: Folder it runs in; modules there can be imported.
        processes: Number of processes that run it together.
        first: Code that each process runs before the script, say to hold it somewhere.
        launcher: What would start several processes, one of ``VARIABLES``.
    """
    words = list(map(str, arguments))
    job = {'script': script, 'arguments': words, 'processes': processes, 'first': first}
    return _SERVER.start({**job, 'launcher': launcher}, cwd)


def run(
    script: str, *arguments: object, cwd: Path, processes: int = 1, first: str = ''
) -> Finished:
    """Run a script of the repository that must succeed; see :func:`start`."""
    done = start(script, *arguments, cwd=cwd, processes=processes, first=first).wait()
    assert done.returncode == 0, done.stderr
    return done


def start_code(code: str, *arguments: object, cwd: Path) -> WarmCommand:
    """Start what ``python -c CODE`` would run, as :func:`start` does."""
    words = list(map(str, arguments))
    return _SERVER.start({'code': code, 'arguments': words, 'processes': 1}, cwd)


def run_before_openmmlab(code: str, cwd: Path) -> Finished:
    """Run code in a process that has imported PyTorch, but neither MMPose nor MMDetection."""
    done = _LIBRARY_SERVER.start({'code': code, 'arguments': [], 'processes': 1}, cwd).wait()
    assert done.returncode == 0, done.stderr
    return done


def run_light(code: str, *arguments: object, cwd: Path) -> Finished:
    """Run code in a process that has imported nothing but ``LIGHT``.

    What these modules have imported is among the modules of the process; none of them has started
    another one.
    """
    words = list(map(str, arguments))
    if sys.platform != 'linux':
        # Without forks, or without the files that say whether one has ended.
        imports = ''.join(f'import {name}\n' for name in LIGHT)
        paths = os.pathsep.join(map(str, (PACKAGE, ROOT, ROOT / 'tests')))
        done = subprocess.run(
            [sys.executable, '-c', imports + code, *words],
            cwd=cwd,
            env={**os.environ, 'PYTHONPATH': paths, **ONE_THREAD},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return Finished(done.returncode, done.stdout, done.stderr)
    return _LIGHT_SERVER.start({'code': code, 'arguments': words, 'processes': 1}, cwd).wait()


# In the server.


_known_status: list[int] = []
"""The exit status of this process, once it is known and the process may leave with it."""


def _leave() -> None:
    """Leave without freeing all that was imported, which takes longer than many a command."""
    if _known_status:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(*_known_status)


def _serve() -> None:
    # What is registered first is called last, after all threads and what a command has registered.
    atexit.register(_leave)
    answers = os.fdopen(os.dup(1), 'w')
    # Imports print as well.
    os.dup2(2, 1)
    # All of it stays.
    gc.disable()
    for name in sys.argv[1:]:
        import_module(name)
    gc.enable()
    if 'mmengine' in sys.modules:
        from support.formatting import check_texts_only

        check_texts_only()
    # Else every command would look through what was imported, and free it one by one as it ends.
    gc.collect()
    gc.freeze()
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
    """Become the command of a job."""
    os.setpgid(0, 0)
    os.environ['STDPOSE_CACHE'] = job['cache']
    os.chdir(job['cwd'])
    sys.path.insert(0, job['cwd'])
    output = Path(job['output'])
    for number, path in enumerate((Path(os.devnull), output / 'stdout', output / 'stderr')):
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    if job['processes'] > 1:
        _become_one_of(job['processes'], VARIABLES[job['launcher']])
    if 'code' in job:
        sys.argv = ['-c', *job['arguments']]
        exec(compile(job['code'], '-c', 'exec'), {'__name__': '__main__'})
        return
    exec(compile(job.get('first', ''), '-c', 'exec'), {})
    script = str(ROOT / job['script'])
    sys.argv = [script, *job['arguments']]
    try:
        runpy.run_path(script, run_name='__main__')
    except SystemExit as stop:
        # Processes that work together end as new ones would: what is left of their exchange counts.
        if job['processes'] == 1:
            _known_status.append(int(stop.code or 0))
        raise


def _become_one_of(processes: int, variables: Mapping[str, str]) -> None:
    """Fork processes that work together; wait for them and exit with their worst status."""
    with held_port() as port:
        children = []
        for rank in range(processes):
            child = os.fork()
            if child == 0:
                for name, text in variables.items():
                    os.environ[name] = text.format(rank=rank, processes=processes)
                os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
                return
            children.append(child)
        failed = [os.waitpid(child, 0)[1] != 0 for child in children]
    os._exit(any(failed))


if __name__ == '__main__':
    _serve()
