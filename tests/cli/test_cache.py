"""`stdpose cache`: what is kept is seen and cleared."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.cli import cache
from stdpose_mm.io.cache_folder import CacheFolder
from support.refusals import refusal


@pytest.fixture
def run(run_main):
    return partial(run_main, cache.main)


@pytest.fixture
def filled(cache_folder: Path) -> Path:
    for video, entries in (('clip', 2), ('a longer name', 1)):
        results = CacheFolder(cache_folder).open(video, video, dict, dict)
        for number in range(entries):
            results[str(number)] = {'x': np.zeros(25_000)}
    return cache_folder


def test_what_is_kept_is_listed_by_video(run, filled):
    code, printed, errors = run()
    assert (code, errors) == (0, [])
    first, header, *rows = printed.splitlines()
    assert first == f'{filled}: 0.6 MB of at most 1000.0 MB'
    assert header.split() == ['video', 'entries', 'size', 'last', 'used']
    assert sorted(row.split()[:-2] for row in rows) == [
        ['a', 'longer', 'name', '1', '0.2', 'MB'],
        ['clip', '2', '0.4', 'MB'],
    ]


def test_it_is_cleared(run, filled):
    assert run('clear') == (0, f'{filled}: 3 entries removed\n', [])
    assert run() == (0, f'{filled}: 0.0 MB of at most 1000.0 MB\n', [])


def test_another_folder_and_none(run, filled, tmp_path):
    assert run('clear', '--cache', tmp_path) == (0, f'{tmp_path}: 0 entries removed\n', [])
    assert run('clear', '--cache', 'off') == (0, 'nothing is kept: the cache is off\n', [])
    assert len(CacheFolder(filled).usage()) == 2


def test_another_word_is_one_line(run, filled):
    assert "invalid choice: 'clean'" in refusal(run, 'clean')
    assert len(CacheFolder(filled).usage()) == 2
