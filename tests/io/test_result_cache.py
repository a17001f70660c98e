"""Finished parts on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.io.result_cache import ResultCache, remove_unfinished, unfinished_folder


def in_context(folder: Path, *context: Any) -> ResultCache[dict[str, np.ndarray]]:
    return ResultCache.for_context(folder, context, dict, dict)


def test_results_come_back_to_the_last_bit(tmp_path: Path) -> None:
    arrays = {'boxes': np.random.default_rng(0).normal(size=(2, 4)), 'ids': np.int8([1, 2])}
    in_context(tmp_path)['key'] = arrays
    back = in_context(tmp_path)['key']
    assert list(back) == ['boxes', 'ids']
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].tobytes() == array.tobytes()


def test_a_cache_is_a_mapping_on_the_disk(tmp_path: Path) -> None:
    cache = in_context(tmp_path / 'folder')
    assert (list(cache), len(cache), 'a' in cache) == ([], 0, False)
    assert not (tmp_path / 'folder').exists()
    cache['a'] = cache['b'] = {'x': np.ones(1)}
    del cache['a']
    assert list(in_context(tmp_path / 'folder')) == ['b']


def test_another_context_starts_anew(tmp_path: Path) -> None:
    in_context(tmp_path, 'one')['a'] = {'x': np.ones(1)}
    assert list(in_context(tmp_path, 'two')) == []
    assert list(tmp_path.iterdir()) == []


def test_other_code_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_context(tmp_path, 'one')['a'] = {'x': np.ones(1)}
    monkeypatch.setattr('stdpose_mm.io.result_cache.code_fingerprint', lambda: 'other code')
    assert list(in_context(tmp_path, 'one')) == []


def test_a_cache_without_a_context_removes_nothing(tmp_path: Path) -> None:
    ResultCache(tmp_path, dict, dict)['a'] = {'x': np.ones(1)}
    assert list(ResultCache(tmp_path, dict, dict)) == ['a']


@pytest.mark.parametrize('length', [0, 50])
def test_a_broken_file_is_no_entry(tmp_path: Path, length: int) -> None:
    cache = in_context(tmp_path)
    cache['a'] = {'boxes': np.ones((2, 4))}
    (path,) = tmp_path.glob('*/a.npz')
    path.write_bytes(path.read_bytes()[:length])
    assert 'a' not in cache


def test_what_cannot_be_decoded_is_no_entry(tmp_path: Path) -> None:
    ResultCache(tmp_path, dict, dict)['a'] = {'x': np.ones(1)}
    assert 'a' not in ResultCache(tmp_path, dict, lambda arrays: arrays['y'])


def test_the_folder_of_an_output_is_hidden_beside_it(tmp_path: Path) -> None:
    folder = unfinished_folder(tmp_path / 'dense.json')
    assert folder == tmp_path / '.dense.json.unfinished'
    in_context(folder)['a'] = {'x': np.ones(1)}
    remove_unfinished(tmp_path / 'dense.json')
    assert list(tmp_path.iterdir()) == []
