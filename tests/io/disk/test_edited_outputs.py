"""Copies of outputs that somebody may have edited."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path

import pytest

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.disk.outputs import keep_edited
from support.platforms import posix


def replace(path: Path, content: str, cache: Path | None) -> Path | None:
    """Write a file as the commands do; return the copy of its former version."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always', InputWarning)
        with keep_edited(cache, path):
            path.write_text(content)
    return Path(str(notes[0].message).partition(' is kept as ')[2]) if notes else None


def folder_of(path: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in path.parent.iterdir() if file.is_file()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / 'labels').mkdir()
    return tmp_path / 'labels' / 'dense.json'


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / 'cache'


def test_what_a_command_wrote_is_replaced(out: Path, cache: Path) -> None:
    assert replace(out, 'first', cache) is None
    assert replace(out, 'second', cache) is None
    assert folder_of(out) == {'dense.json': 'second'}


def test_what_was_edited_is_kept(out: Path, cache: Path) -> None:
    replace(out, 'first', cache)
    out.write_text('edited')
    assert replace(out, 'second', cache) == out.with_name('dense.json.bak')
    assert folder_of(out) == {'dense.json': 'second', 'dense.json.bak': 'edited'}


def test_every_edited_version_is_kept(out: Path, cache: Path) -> None:
    for content in ('one', 'two', 'three'):
        out.write_text(content)
        replace(out, 'computed', cache)
    assert folder_of(out) == {
        'dense.json': 'computed',
        'dense.json.bak': 'one',
        'dense.json.2.bak': 'two',
        'dense.json.3.bak': 'three',
    }


def test_without_a_cache_any_other_content_is_kept(out: Path) -> None:
    replace(out, 'first', None)
    assert replace(out, 'first', None) is None
    assert replace(out, 'second', None) == out.with_name('dense.json.bak')
    assert folder_of(out) == {'dense.json': 'second', 'dense.json.bak': 'first'}


def test_an_edit_that_equals_the_new_file_is_kept_only_when_it_is_replaced(
    out: Path, cache: Path
) -> None:
    out.write_text('edited')
    assert replace(out, 'edited', cache) is None
    assert folder_of(out) == {'dense.json': 'edited'}
    assert replace(out, 'computed', cache) == out.with_name('dense.json.bak')


def test_an_error_leaves_no_copy(out: Path, cache: Path) -> None:
    out.write_text('edited')
    with pytest.raises(ValueError, match='broken'), keep_edited(cache, out):
        raise ValueError('broken')
    assert folder_of(out) == {'dense.json': 'edited'}


@posix
def test_a_copy_has_the_mode_of_the_file(out: Path, cache: Path) -> None:
    out.write_text('edited')
    out.chmod(0o600)
    copy = replace(out, 'computed', cache)
    assert copy is not None
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@posix
def test_a_copy_lies_beside_the_file_that_a_link_leads_to(
    out: Path, cache: Path, tmp_path: Path
) -> None:
    out.write_text('edited')
    link = tmp_path / 'link.json'
    os.symlink(out, link)
    assert replace(link, 'computed', cache) == out.with_name('dense.json.bak')
    assert folder_of(out) == {'dense.json': 'computed', 'dense.json.bak': 'edited'}
