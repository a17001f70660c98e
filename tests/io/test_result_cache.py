"""Results in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.io.cache_folder import ResultCache


def open_cache(folder: Path) -> ResultCache[dict[str, np.ndarray]]:
    return ResultCache(folder, dict, dict)


def test_results_come_back_to_the_last_bit(tmp_path: Path) -> None:
    arrays = {'boxes': np.random.default_rng(0).normal(size=(2, 4)), 'ids': np.int8([1, 2])}
    open_cache(tmp_path)['key'] = arrays
    back = open_cache(tmp_path)['key']
    assert list(back) == ['boxes', 'ids']
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].tobytes() == array.tobytes()


def test_a_cache_is_a_mapping_on_the_disk(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / 'folder')
    assert (list(cache), len(cache), 'a' in cache) == ([], 0, False)
    assert not (tmp_path / 'folder').exists()
    cache['a'] = cache['b'] = {'x': np.ones(1)}
    del cache['a']
    assert list(open_cache(tmp_path / 'folder')) == ['b']


@pytest.mark.parametrize('length', [0, 50])
def test_a_broken_file_is_no_entry(tmp_path: Path, length: int) -> None:
    cache = open_cache(tmp_path)
    cache['a'] = {'boxes': np.ones((2, 4))}
    (path,) = tmp_path.glob('a.npz')
    path.write_bytes(path.read_bytes()[:length])
    assert 'a' not in cache


def test_what_cannot_be_decoded_is_no_entry(tmp_path: Path) -> None:
    open_cache(tmp_path)['a'] = {'x': np.ones(1)}
    assert 'a' not in ResultCache(tmp_path, dict, lambda arrays: arrays['y'])
