"""Eight videos by two processes of torchrun: killed in the middle, resumed, as by one process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.io.video import write_video
from support.paths import ROOT

pytestmark = pytest.mark.slow

NUM_VIDEOS = 8


@pytest.fixture
def data(tmp_path: Path, pictures: np.ndarray, label_fields: dict[str, Any]) -> Path:
    """``videos/*.mp4`` of 90 frames and more, no two alike, and ``labels/*.json``."""
    root = tmp_path / 'data'
    for folder in ('videos', 'labels'):
        (root / folder).mkdir(parents=True)
    label_fields['images'] = [{'id': n + 1, 'frame_index': n} for n in (0, 4, 8)]
    for number in range(NUM_VIDEOS):
        longer = np.tile(np.roll(pictures, number, axis=2), (10, 1, 1, 1))
        longer = np.concatenate([longer, longer[: 2 * number]])
        write_video(root / 'videos' / f'{number}.mp4', longer, fps=10)
        (root / 'labels' / f'{number}.json').write_text(json.dumps(label_fields))
    return root


def arguments(data: Path, out: Path) -> list[str]:
    # The encoder of overlays does not always give the same bytes for the same pictures.
    given = [data / 'videos', data / 'labels', '--out', out, '--method', 'flow']
    return list(map(str, given))


def start(data: Path, out: Path) -> subprocess.Popen[str]:
    """Two processes of torchrun."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = listener.getsockname()[1]
    launcher = ['-m', 'torch.distributed.run', '--nproc_per_node=2', f'--master_port={port}']
    command = [sys.executable, *launcher, str(ROOT / 'tools' / 'propagate.py')]
    one = {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    return subprocess.Popen(
        [*command, *arguments(data, out), '--launcher', 'pytorch'],
        env={**os.environ, **one},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def children(process: int) -> list[int]:
    tasks = Path(f'/proc/{process}/task').glob('*/children')
    return [int(child) for task in tasks for child in task.read_text().split()]


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob('[!.]*')}


def test_killed_in_the_middle_and_resumed(data, tmp_path, run_main):
    out, alone = tmp_path / 'out', tmp_path / 'alone'
    assert run_main(propagate.main, *arguments(data, alone), '--cache', 'off')[0] == 0

    records = out / '.stdpose'
    first = start(data, out)
    deadline = time.monotonic() + 300
    while len(finished := done(records)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    for process in children(first.pid):
        os.kill(process, signal.SIGKILL)
    first.communicate(timeout=60)
    assert first.returncode != 0
    finished = done(records)
    assert 2 <= len(finished) < NUM_VIDEOS
    left = contents(out)
    for name in finished:
        assert left[name] == contents(alone)[name]
    times = {name: (out / name).stat().st_mtime_ns for name in finished}

    second = start(data, out)
    printed, _ = second.communicate(timeout=300)
    assert second.returncode == 0
    assert printed.count('video ') == 1
    assert printed.splitlines()[-1] == (
        f'8 videos: {8 - len(finished)} done, {len(finished)} done before, 0 failed'
    )
    assert contents(out) == contents(alone)
    assert {name: (out / name).stat().st_mtime_ns for name in finished} == times


def done(records: Path) -> list[str]:
    """Names of the outputs of finished videos."""
    texts = {path.stem: path.read_text() for path in records.glob('[!.]*')}
    return sorted(name for name, text in texts.items() if '"seconds"' in text)
