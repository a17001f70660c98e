"""Runs that are killed at any moment: no half output, and the next run goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.io.cache_folder import CacheFolder
from stdpose_mm.io.video import write_video
from support.paths import ROOT

pytestmark = pytest.mark.slow

REPEATS, INTERVAL = 5, 3
LENGTH = REPEATS * 9
# Two people; the last frame has no label.
NUM_GAPS = 2 * (LENGTH // INTERVAL)
STORED_AT = {
    'a gap is stored': 8,
    'a gap is half written': 7,
    'before OUT is written': NUM_GAPS,
    'OUT is half written': NUM_GAPS,
    'OUT is written': NUM_GAPS,
}


class Runner:
    """Starts runs in processes of their own, see ``killed_runs``."""

    def __init__(self, folder: Path) -> None:
        self._asked = folder / 'asked.txt'
        environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / 'tests' / 'support' / 'killed_runs.py')],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert self._answer() == 'ready'

    def start(self, arguments: list[str], moment: str = '') -> int:
        """The id of a process that runs the command."""
        self._asked.unlink(missing_ok=True)
        job = {'arguments': arguments, 'moment': moment, 'asked': str(self._asked)}
        assert self.process.stdin is not None
        print(json.dumps(job), file=self.process.stdin, flush=True)
        return int(self._answer())

    def end(self) -> int:
        """The exit code of the process, the negative signal if it was killed."""
        return int(self._answer())

    def run(self, arguments: list[str], moment: str = '') -> int:
        self.start(arguments, moment)
        return self.end()

    @property
    def asked(self) -> int:
        """How many gaps the last run had to fill."""
        return int(self._asked.read_text()) if self._asked.exists() else 0

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture(scope='module')
def runner(tmp_path_factory) -> Iterator[Runner]:
    runner = Runner(tmp_path_factory.mktemp('runner'))
    yield runner
    runner.process.communicate(timeout=60)


@pytest.fixture
def arguments(tmp_path, cache_folder, pictures, label_fields) -> list[str]:
    """A video of 45 frames with labels on every third, and where the output shall go."""
    write_video(tmp_path / 'clip.mp4', np.tile(pictures, (REPEATS, 1, 1, 1)), fps=10)
    label_fields['images'] = [{'id': n + 1, 'frame_index': n} for n in range(LENGTH)]
    label_fields['annotations'] = [
        {**first, 'id': 2 * n + first['track_id'], 'image_id': n + 1}
        for n in range(0, LENGTH, INTERVAL)
        for first in label_fields['annotations'][:2]
    ]
    (tmp_path / 'labels.json').write_text(json.dumps(label_fields))
    names = ('clip.mp4', 'labels.json', 'dense.json')
    video, labels, out = (str(tmp_path / name) for name in names)
    return [video, labels, '--out', out, '--method', 'slow', '--cache', str(cache_folder)]


def run_without_cache(runner, arguments) -> bytes:
    other = Path(arguments[3]).parent / 'undisturbed' / 'dense.json'
    assert runner.run([*arguments[:3], str(other), *arguments[4:-1], 'off']) == 0
    assert runner.asked == NUM_GAPS
    return other.read_bytes()


@pytest.fixture
def undisturbed(runner, arguments) -> bytes:
    return run_without_cache(runner, arguments)


def stored(arguments) -> int:
    return len(list(Path(arguments[-1]).glob('*/[!.]*.npz')))


def check_rerun(runner, arguments, undisturbed) -> None:
    out = Path(arguments[3])
    finished = stored(arguments)
    assert runner.run(arguments) == 0
    assert runner.asked == NUM_GAPS - finished
    assert out.read_bytes() == undisturbed
    names = {path.name for path in out.parent.iterdir()}
    assert names == {'clip.mp4', 'labels.json', 'dense.json', 'undisturbed'}


@pytest.mark.parametrize('moment', STORED_AT)
def test_killed_at_a_certain_moment(runner, arguments, undisturbed, moment):
    out = Path(arguments[3])
    assert runner.run(arguments, moment) == -signal.SIGKILL
    if moment == 'OUT is written':
        assert out.read_bytes() == undisturbed
    else:
        assert not out.exists()
    assert stored(arguments) == STORED_AT[moment]
    check_rerun(runner, arguments, undisturbed)


def test_killed_at_random_moments(runner, arguments, undisturbed):
    out = Path(arguments[3])
    begin = time.monotonic()
    run_without_cache(runner, arguments)
    duration = time.monotonic() - begin
    rng = random.Random(0)
    for _ in range(3):
        out.unlink(missing_ok=True)
        CacheFolder(arguments[-1]).clear()
        process = runner.start(arguments)
        time.sleep(duration * rng.random())
        # It may have ended before.
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        runner.end()
        assert not out.exists() or out.read_bytes() == undisturbed
        check_rerun(runner, arguments, undisturbed)


@pytest.mark.parametrize('change', ['video', 'broken files'])
def test_what_is_left_serves_only_the_same_run(runner, arguments, pictures, change):
    """After a change a run gives what it gives on its own."""
    out = Path(arguments[3])
    assert runner.run(arguments, 'before OUT is written') == -signal.SIGKILL
    if change == 'video':
        write_video(arguments[0], np.tile(pictures[::-1], (REPEATS, 1, 1, 1)), fps=10)
    else:
        for path in Path(arguments[-1]).glob('*/*.npz'):
            path.write_bytes(b'')
    assert runner.run(arguments) == 0
    assert runner.asked == NUM_GAPS
    assert out.read_bytes() == run_without_cache(runner, arguments)


def test_a_corrected_label_file_costs_what_it_touches(runner, arguments):
    """The run before was finished, which is no reason to begin anew."""
    assert runner.run(arguments) == 0
    path = Path(arguments[1])
    fields = json.loads(path.read_text())
    corrected = fields['annotations'][8]
    corrected['keypoints'][0] += 4
    path.write_text(json.dumps(fields))
    assert runner.run(arguments) == 0
    # The gaps before and after the label.
    assert runner.asked == 2
    assert Path(arguments[3]).read_bytes() == run_without_cache(runner, arguments)
