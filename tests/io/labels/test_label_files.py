"""Which label files a folder, a list or a text file stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import find_label_files, write_label_list


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    labels = tmp_path / 'labels'
    labels.mkdir()
    for name in ('b.json', 'a.json', 'c.json.gz', 'notes.md'):
        (labels / name).touch()
    return labels


def names(files: list[str]) -> list[str]:
    return [Path(file).name for file in files]


def test_folder_means_its_label_files_by_name(folder: Path) -> None:
    assert names(find_label_files(folder)) == ['a.json', 'b.json', 'c.json.gz']


def test_what_a_killed_run_was_writing_is_no_label_file(folder: Path) -> None:
    (folder / '.123.partial.d.json').touch()
    assert names(find_label_files(folder)) == ['a.json', 'b.json', 'c.json.gz']


def test_single_file_and_list_mean_themselves_in_their_order(folder: Path) -> None:
    assert names(find_label_files(str(folder / 'b.json'))) == ['b.json']
    files = [str(folder / 'b.json'), str(folder / 'a.json')]
    assert find_label_files(files) == files


def test_list_may_hold_folders_and_text_files(folder: Path, tmp_path: Path) -> None:
    other, listing = tmp_path / 'other', tmp_path / 'train.txt'
    other.mkdir()
    (other / 'd.json').touch()
    write_label_list(listing, [str(folder / 'a.json')])
    found = find_label_files([str(folder), str(other), str(listing)])
    assert names(found) == ['a.json', 'b.json', 'c.json.gz', 'd.json', 'a.json']


def test_what_holds_no_labels_within_a_list_is_named(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / 'empty.txt'
    empty.touch()
    with pytest.raises(InputError, match=r'^the list .*empty\.txt holds no label file'):
        find_label_files([str(folder), str(empty)])
    with pytest.raises(InputError, match=r'^the list of labels of Y is empty: do Z$'):
        find_label_files([], owner='Y', hint='do Z')


def test_text_file_lists_paths_from_its_own_folder(folder: Path, tmp_path: Path) -> None:
    listing = tmp_path / 'splits' / 'train.txt'
    write_label_list(listing, [str(folder / 'b.json'), str(folder / 'a.json')])
    assert listing.read_text() == '../labels/b.json\n../labels/a.json\n'
    assert names(find_label_files(listing)) == ['b.json', 'a.json']


def test_missing_files_are_named_with_owner_and_hint(folder: Path) -> None:
    with pytest.raises(InputError, match=r'^the labels .*x\.json of Y do not exist: do Z$'):
        find_label_files([str(folder / 'x.json')], owner='Y', hint='do Z')


def test_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='holds no label file'):
        find_label_files(tmp_path)
