"""The STDPose that comes with the package, through the whole command."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import Skeleton, VideoFrame, VideoLabels

UPPER_BODY = (
    'nose',
    *(f'{s}_{j}' for s in ('left', 'right') for j in ('shoulder', 'elbow', 'wrist')),
)
PLACES = np.array([[30, 10], [24, 20], [20, 28], [18, 36], [36, 20], [40, 28], [42, 36]], float)


@pytest.fixture
def run(run_main):
    return partial(run_main, propagate.main)


@pytest.fixture
def labels(label, tmp_path):
    people = tuple(label(n, PLACES + n, bbox=np.array([14, 6, 34, 36])) for n in (0, 5))
    video = VideoLabels('movie', Skeleton(UPPER_BODY), tuple(map(VideoFrame, range(6))), people)
    path = tmp_path / 'upper.json'
    write_labels(video, path)
    return path


def poses(path):
    return np.array([a['keypoints'] for a in json.loads(path.read_text())['annotations']])


def test_the_command_says_that_it_is_used_and_it_can_be_left_out(run, movie, labels, tmp_path):
    used, left_out = tmp_path / 'used.json', tmp_path / 'left_out.json'
    code, printed, said = run(movie, labels, '--out', used, '--cache', 'off')
    assert (code, said) == (0, [])
    assert "heatmaps of the package's STDPose for 7 of 7 joints" in printed
    code, printed, said = run(movie, labels, '--out', left_out, '--cache', 'off', '--no-stdpose')
    assert (code, said) == (0, [])
    assert 'without a pose network' in printed
    assert poses(used).shape == poses(left_out).shape
    assert np.abs(poses(used) - poses(left_out)).max() > 0.01


def test_a_cache_filled_with_it_does_not_serve_a_run_without(run, movie, labels, tmp_path):
    cached = ['--cache', tmp_path / 'cache']
    outs = [tmp_path / f'{name}.json' for name in ('used', 'left_out', 'fresh')]
    assert run(movie, labels, '--out', outs[0], *cached)[0] == 0
    assert run(movie, labels, '--out', outs[1], *cached, '--no-stdpose')[0] == 0
    assert run(movie, labels, '--out', outs[2], '--cache', 'off', '--no-stdpose')[0] == 0
    np.testing.assert_array_equal(poses(outs[1]), poses(outs[2]))
