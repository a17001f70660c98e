from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.benchmarks.soak import SoakClip
from support.tools import load_tool

pytestmark = pytest.mark.slow


@pytest.fixture
def soak(run_main):
    return lambda *arguments: run_main(load_tool('analysis_tools/soak').main, *arguments)


def test_people_of_a_clip_are_in_the_picture_and_apart():
    clip = SoakClip(70, (320, 240), 500)
    poses = np.stack([clip.poses(frame) for frame in (0, 13, 69)])
    assert (poses >= 0).all()
    assert (poses < (320, 240)).all()
    centres = poses.mean(axis=2)
    distance = np.linalg.norm(centres[:, :, None] - centres[:, None], axis=-1)
    assert distance[:, ~np.eye(500, dtype=bool)].min() > 2


@pytest.mark.parametrize(('most', 'code'), [(1000, 0), (0.5, 1)])
def test_memory_is_printed_for_each_length_and_too_much_is_told(soak, most, code):
    """A ratio is at least 1, that of the shortest, so that 0.5 is exceeded in any case."""
    lengths = ('--frames', 22, 11, '--people', 2, '--size', 64, 48, '--max-ratio', most)
    ended, printed, errors = soak('--commands', 'propagate', '--method', 'linear', *lengths)
    assert (ended, errors) == (code, [])
    header, short, long, last = (line.split() for line in printed.splitlines())
    assert ' '.join(header) == 'command people frames peak MiB ratio seconds processor seconds'
    assert [row[:3] for row in (short, long)] == [['propagate', '2', n] for n in ('11', '22')]
    assert float(short[4]) == 1
    assert float(long[4]) == pytest.approx(float(long[3]) / float(short[3]), abs=0.002)
    assert 30 < float(short[3]) < 2000
    assert all(0 < float(row[6]) < 600 for row in (short, long))
    assert last[:2] == ['largest', 'ratio']


def test_a_run_that_fails_is_one_line(soak):
    code, _, errors = soak('--commands', 'propagate', '--method', 'nothing', '--frames', 11)
    assert (code, len(errors)) == (2, 1)
    assert 'propagate of 11 frames ended with 2' in errors[0]
