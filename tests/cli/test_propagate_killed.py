"""Runs that are killed at any moment: no half output, and the next run goes on."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video import write_video
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support import warm_commands

pytestmark = pytest.mark.slow

NAMES = ('head', 'left_hand', 'right_hand')
POSE = np.array([[0, 0], [-8, 16], [8, 16]])
REPEATS, INTERVAL = 3, 3
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
    """Runs ``tools/propagate.py`` in processes of their own, see ``killed_runs``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked = folder / 'asked.txt'

    def run(self, arguments: list[str], moment: str = '') -> int:
        """Run the command; gives its exit code, the negative signal if it was killed."""
        self._asked.unlink(missing_ok=True)
        first = f'from support import killed_runs; killed_runs.arrange{moment, str(self._asked)}'
        command = warm_commands.start(
            'tools/propagate.py', *arguments, cwd=self._folder, first=first
        )
        return command.wait().returncode

    @property
    def asked(self) -> int:
        """How many gaps the last run had to fill."""
        return int(self._asked.read_text()) if self._asked.exists() else 0


@pytest.fixture(scope='module')
def runner(tmp_path_factory) -> Runner:
    return Runner(tmp_path_factory.mktemp('runner'))


@pytest.fixture(scope='module')
def inputs(tmp_path_factory, pictures) -> Path:
    """A video of 27 frames and labels of two people on every third."""
    folder = tmp_path_factory.mktemp('inputs')
    write_video(folder / 'clip.mp4', np.tile(pictures, (REPEATS, 1, 1, 1)), fps=10)
    persons = [
        PersonLabel(frame, POSE + place, [2, 2, 2], track_id=person)
        for frame in range(0, LENGTH, INTERVAL)
        for person, place in enumerate([(20, 16), (76, 50)])
    ]
    labels = VideoLabels('', Skeleton(NAMES), tuple(map(VideoFrame, range(LENGTH))), tuple(persons))
    write_labels(labels, folder / 'labels.json')
    return folder


def command(folder, out, cache) -> list[str]:
    files = folder / 'clip.mp4', folder / 'labels.json', '--out', folder / out
    return [*map(str, files), '--method', 'slow', '--cache', str(cache)]


@pytest.fixture
def arguments(tmp_path, cache_folder, inputs) -> list[str]:
    """Arguments of a run on copies that a test may change."""
    for file in inputs.glob('*.*'):
        shutil.copy(file, tmp_path)
    return command(tmp_path, 'dense.json', cache_folder)


def run_without_cache(runner, folder) -> bytes:
    assert runner.run(command(folder, 'alone/dense.json', 'off')) == 0
    assert runner.asked == NUM_GAPS
    return (folder / 'alone' / 'dense.json').read_bytes()


@pytest.fixture(scope='module')
def undisturbed(runner, inputs) -> bytes:
    return run_without_cache(runner, inputs)


def stored(arguments) -> int:
    return len(list(Path(arguments[-1]).glob('*/[!.]*.npz')))


def check_rerun(runner, arguments, undisturbed) -> None:
    out = Path(arguments[3])
    # A run that ends stores the record of its output, too.
    finished = min(stored(arguments), NUM_GAPS)
    assert runner.run(arguments) == 0
    assert runner.asked == NUM_GAPS - finished
    assert out.read_bytes() == undisturbed
    names = {path.name for path in out.parent.iterdir()}
    assert names == {'clip.mp4', 'labels.json', 'dense.json'}


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


@pytest.mark.parametrize('change', ['video', 'broken files'])
def test_what_is_left_serves_only_the_same_run(runner, arguments, pictures, tmp_path, change):
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
    assert out.read_bytes() == run_without_cache(runner, tmp_path)


def test_a_corrected_label_file_costs_what_it_touches(runner, arguments, tmp_path):
    """The run before was finished, which is no reason to begin anew."""
    assert runner.run(arguments) == 0
    path = Path(arguments[1])
    fields = json.loads(path.read_text())
    fields['annotations'][8]['keypoints'][0] += 4
    path.write_text(json.dumps(fields))
    assert runner.run(arguments) == 0
    # The gaps before and after the label.
    assert runner.asked == 2
    out = Path(arguments[3])
    assert out.read_bytes() == run_without_cache(runner, tmp_path)
