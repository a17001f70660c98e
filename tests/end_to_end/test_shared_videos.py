"""Four videos by two processes: killed in the middle, resumed, as by one process."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video import write_video
from stdpose_mm.structures import PersonLabel, VideoLabels
from support import warm_commands

pytestmark = pytest.mark.slow

NUM_VIDEOS = 4


@pytest.fixture(scope='module')
def data(
    tmp_path_factory: pytest.TempPathFactory,
    pictures: np.ndarray,
    label: Callable[..., PersonLabel],
    video: Callable[..., VideoLabels],
) -> Path:
    """``videos/*.mp4`` of 18 frames and more, no two alike, and ``labels/*.json``."""
    root = tmp_path_factory.mktemp('shared')
    for folder in ('videos', 'labels'):
        (root / folder).mkdir(parents=True)
    pose = np.array([[24.0, 16], [16, 36], [32, 36]])
    given = [label(n, pose + n + 24 * person, None, person) for n in (0, 4, 8) for person in (0, 1)]
    labels = video(given, 9)
    for number in range(NUM_VIDEOS):
        longer = np.tile(np.roll(pictures, number, axis=2), (2, 1, 1, 1))
        longer = np.concatenate([longer, longer[: 2 * number]])
        write_video(root / 'videos' / f'{number}.mp4', longer, fps=10)
        write_labels(labels, root / 'labels' / f'{number}.json')
    return root


@pytest.fixture(scope='module')
def alone(data: Path) -> dict[str, bytes]:
    """What one process writes for the videos."""
    out = data / 'alone'
    assert propagate.main([*arguments(data, out), '--cache', 'off']) == 0
    return contents(out)


def arguments(data: Path, out: Path) -> list[str]:
    # The encoder of overlays does not always give the same bytes for the same pictures.
    given = [data / 'videos', data / 'labels', '--out', out, '--method', 'flow']
    return list(map(str, given))


HOLD = f"""
import time
from stdpose_mm.cli.videos import VideoRecord

finish, finished = VideoRecord.finish, []

def hold(self, *arguments):
    if finished:
        time.sleep({warm_commands.LIMIT})
    finished.append(self)
    return finish(self, *arguments)

VideoRecord.finish = hold
"""
"""Let no process finish its second video."""


def start(
    data: Path, out: Path, launcher: str = 'pytorch', first: str = ''
) -> warm_commands.WarmCommand:
    """Two processes that share the videos."""
    return warm_commands.start(
        'tools/propagate.py',
        *(*arguments(data, out), '--launcher', launcher),
        cwd=data,
        processes=2,
        first=first,
        launcher=launcher,
    )


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob('[!.]*')}


def test_killed_in_the_middle_and_resumed(data, alone, tmp_path):
    out = tmp_path / 'out'
    records = out / '.stdpose'
    first = start(data, out, first=HOLD)
    while len(finished := done(records)) < 2:
        assert first.is_running
        time.sleep(0.01)
    first.kill()
    assert first.wait().returncode != 0
    left = contents(out)
    for name in finished:
        assert left[name] == alone[name]
    times = {name: (out / name).stat().st_mtime_ns for name in finished}

    second = start(data, out).wait()
    printed = second.stdout
    assert second.returncode == 0, second.stderr
    assert printed.count('video ') == 1
    assert printed.splitlines()[-1] == (
        f'4 videos: {4 - len(finished)} done, {len(finished)} done before, 0 failed'
    )
    assert contents(out) == alone
    assert {name: (out / name).stat().st_mtime_ns for name in finished} == times


def test_processes_of_slurm_share_the_videos_too(data, alone, tmp_path):
    out = tmp_path / 'out'
    finished = start(data, out, 'slurm').wait()
    assert finished.returncode == 0, finished.stderr
    # PyTorch may also warn of its sockets, in brackets.
    lines = re.findall(r'^\[(\d)/2\] ', finished.stderr, re.MULTILINE)
    assert sorted(lines) == [*'1122']
    assert finished.stdout.count('4 videos: ') == 1
    assert finished.stdout.endswith('4 videos: 4 done, 0 done before, 0 failed\n')
    assert contents(out) == alone


def done(records: Path) -> list[str]:
    """Names of the outputs of finished videos."""
    texts = {path.stem: path.read_text() for path in records.glob('[!.]*')}
    return sorted(name for name, text in texts.items() if '"seconds"' in text)
