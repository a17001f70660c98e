"""Finished work that all runs share."""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.cache_folder import CacheFolder, ResultCache, cache_limit, choose_cache_folder
from support.platforms import posix

ENTRY = {'x': np.zeros(64)}
SIZE = 784
"""Bytes of the file of an entry."""


def in_context(
    cache: CacheFolder, *context: Any, video: str = 'clip'
) -> ResultCache[dict[str, np.ndarray]]:
    return cache.open(context, video, dict, dict)


def age(folder: Path, key: str, seconds: float) -> None:
    """Let an entry be last used some seconds after 1970."""
    (path,) = folder.glob(f'*/{key}.npz')
    os.utime(path, (seconds, seconds))


def keys(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob('*/[!.]*.npz'))


def test_results_come_back_to_the_last_bit(tmp_path: Path) -> None:
    arrays = {'boxes': np.random.default_rng(0).normal(size=(2, 4)), 'ids': np.int8([1, 2])}
    in_context(CacheFolder(tmp_path), 'one')['a'] = arrays
    back = in_context(CacheFolder(tmp_path), 'one')['a']
    assert list(back) == ['boxes', 'ids']
    for name, array in arrays.items():
        assert (back[name].dtype, back[name].tobytes()) == (array.dtype, array.tobytes())


def test_a_cache_is_a_mapping_on_the_disk(tmp_path: Path) -> None:
    cache = in_context(CacheFolder(tmp_path / 'folder'), 'one')
    assert (list(cache), len(cache), 'a' in cache) == ([], 0, False)
    assert not (tmp_path / 'folder').exists()
    cache['a'] = cache['b'] = ENTRY
    del cache['a']
    assert list(in_context(CacheFolder(tmp_path / 'folder'), 'one')) == ['b']


def test_an_entry_that_is_not_exactly_what_was_written_is_not_there(tmp_path: Path) -> None:
    cache = in_context(CacheFolder(tmp_path))
    cache['a'] = {'x': np.arange(3), 'name': np.str_('b')}
    (path,) = tmp_path.glob('*/a.npz')
    whole = path.read_bytes()
    flips = [(place, 1 << place % 8) for place in range(len(whole))]
    # In a zip's directory, these bits say that a file is encrypted or needs a newer program.
    directory = whole.index(b'PK\x01\x02')
    for place, bit in [*flips, (directory + 8, 1), (directory + 10, 99)]:
        damaged = bytearray(whole)
        damaged[place] ^= bit
        path.write_bytes(damaged)
        assert 'a' not in cache
    for damaged in (b'', whole[:50], whole[:-1], whole + b'x', whole[:-16]):
        path.write_bytes(damaged)
        assert 'a' not in cache
    path.write_bytes(whole)
    assert cache['a']['x'].tolist() == [0, 1, 2]
    # An entry under another key is not what was written for this key.
    path.rename(path.with_name('b.npz'))
    assert 'b' not in cache


def test_another_context_and_other_code_have_no_entries_and_remove_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CacheFolder(tmp_path)
    in_context(cache, 'one')['a'] = ENTRY
    other = in_context(cache, 'two')
    assert 'a' not in other
    other['b'] = ENTRY
    monkeypatch.setattr('stdpose_mm.io.cache_folder.code_fingerprint', lambda: 'other code')
    assert 'a' not in in_context(cache, 'one')
    assert keys(tmp_path) == ['a', 'b']


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, limit=100 * SIZE)
    old, new = in_context(cache, 'old'), in_context(cache, 'new')
    old['a'] = old['b'] = new['c'] = new['d'] = ENTRY
    for seconds, key in enumerate('abcd', start=1):
        age(tmp_path, key, seconds)
    # Reading counts as use.
    assert old['a']
    assert CacheFolder(tmp_path, limit=4 * SIZE).trim() == 0
    assert CacheFolder(tmp_path, limit=3 * SIZE).trim() == 2
    assert keys(tmp_path) == ['a', 'd']


def test_storing_keeps_to_the_limit(tmp_path: Path) -> None:
    # Ten entries: every entry is more than a twentieth, after which the folder is looked at.
    results = in_context(CacheFolder(tmp_path, limit=10 * SIZE), 'one')
    for number in range(30):
        results[str(number)] = ENTRY
        assert len(keys(tmp_path)) <= 10
    assert '29' in results


def test_clearing_leaves_no_folder_and_touches_no_other_file(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path)
    in_context(cache, 'one')['a'] = in_context(cache, 'two')['b'] = ENTRY
    mine = {tmp_path / 'data.npz', tmp_path / 'thesis', tmp_path / 'thesis' / 'data.npz'}
    (tmp_path / 'thesis').mkdir()
    for path in mine - {tmp_path / 'thesis'}:
        path.write_text('mine')
    assert cache.clear() == 2
    assert set(tmp_path.rglob('*')) == mine


def test_what_a_killed_run_left_half_written_is_removed_once_it_is_old(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path)
    in_context(cache, 'one')['a'] = ENTRY
    (context,) = tmp_path.iterdir()
    for name, seconds in (('.1.partial.b.npz', 1), ('.2.partial.c.npz', None)):
        (context / name).write_bytes(b'half')
        if seconds:
            os.utime(context / name, (seconds, seconds))
    cache.clear()
    assert {path.name for path in context.iterdir()} == {'.2.partial.c.npz', 'about.json'}


def test_usage_is_told_by_video_the_last_used_first(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path)
    in_context(cache, 'gaps of b', video='b')['a'] = ENTRY
    in_context(cache, 'gaps of a', video='a')['c'] = ENTRY
    in_context(cache, 'boxes of a', video='a')['d'] = ENTRY
    for seconds, key in enumerate('cda', start=1):
        age(tmp_path, key, seconds)
    assert cache.usage() == [('b', 1, SIZE, 3), ('a', 2, 2 * SIZE, 2)]
    none = CacheFolder(tmp_path / 'none')
    assert (none.usage(), none.clear(), none.trim()) == ([], 0, 0)
    assert not (tmp_path / 'none').exists()


def test_a_folder_that_cannot_be_written_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    folder = tmp_path / 'file' / 'cache'
    results = in_context(CacheFolder(folder), 'one')
    sentence = (
        f'finished work cannot be kept in {folder} (Not a directory), set STDPOSE_CACHE to '
        'another folder'
    )
    with pytest.warns(InputWarning, match=re.escape(sentence)):
        results['a'] = ENTRY
    assert 'a' not in results


def store_and_trim(folder: Path, number: int) -> None:
    cache = CacheFolder(folder, limit=5 * SIZE)
    results = in_context(cache, 'shared')
    for step in range(60):
        key = str((number + step) % 12)
        found = results.get(key)
        assert found is None or found['x'].tolist() == [int(key)] * 64
        results[key] = {'x': np.full(64, int(key))}
        if step % 20 == number:
            cache.clear()


@posix
def test_several_processes_use_it_at_once(tmp_path: Path) -> None:
    fork = multiprocessing.get_context('fork')
    tasks = [fork.Process(target=store_and_trim, args=(tmp_path, n)) for n in range(3)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join(timeout=60)
    assert [task.exitcode for task in tasks] == [0, 0, 0]
    CacheFolder(tmp_path, limit=5 * SIZE).trim()
    assert len(keys(tmp_path)) <= 5


def test_threads_read_at_once(tmp_path: Path) -> None:
    """Python 3.11.7 fails where a collection of garbage lets another thread parse a header."""
    context = in_context(CacheFolder(tmp_path))
    context['a'] = {'values': np.arange(3)}

    def read(depth: int) -> list[int]:
        if depth:
            return read(depth - 1)
        return [int(context['a']['values'].sum()) for _ in range(20)]

    def let_others_run(*_: object) -> None:
        time.sleep(1e-4)

    threshold = gc.get_threshold()
    gc.set_threshold(50)
    gc.callbacks.append(let_others_run)
    try:
        with ThreadPoolExecutor(4) as threads:
            sums = list(threads.map(read, (0, 20, 40, 60)))
    finally:
        gc.callbacks.remove(let_others_run)
        gc.set_threshold(*threshold)
    assert sums == [[3] * 20] * 4


def test_the_folder_follows_option_variable_and_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('STDPOSE_CACHE', 'of the variable')
    assert choose_cache_folder('of the option') == Path('of the option')
    assert choose_cache_folder() == Path('of the variable')
    assert choose_cache_folder('off') is None
    monkeypatch.setenv('STDPOSE_CACHE', 'off')
    assert choose_cache_folder() is None
    monkeypatch.delenv('STDPOSE_CACHE')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert choose_cache_folder() == tmp_path / 'stdpose_mm'


def test_the_limit_is_one_gigabyte_or_that_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('STDPOSE_CACHE_GB', raising=False)
    assert cache_limit() == 10**9
    monkeypatch.setenv('STDPOSE_CACHE_GB', '2.5')
    assert cache_limit() == 2_500_000_000
    for text in ('0', '-1', 'much', 'nan', 'inf'):
        monkeypatch.setenv('STDPOSE_CACHE_GB', text)
        with pytest.raises(InputError, match=f"STDPOSE_CACHE_GB is '{text}', expected a number"):
            cache_limit()
