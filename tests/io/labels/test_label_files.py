"""Which label files a folder, a list or a text file stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import find_label_files, write_label_list

ALL = ['a.json', 'b.json', 'c.json.gz']


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ('labels/b.json', 'labels/a.json', 'labels/c.json.gz', 'labels/notes.md'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    # What a killed run was writing is no label file.
    (tmp_path / 'labels' / '.123.partial.d.json').touch()
    (tmp_path / 'other').mkdir()
    (tmp_path / 'empty.txt').touch()
    monkeypatch.chdir(tmp_path)
    write_label_list('splits/train.txt', ['labels/b.json', 'labels/a.json'])
    return tmp_path


@pytest.mark.parametrize(
    ('entry', 'expected'),
    [
        (Path('labels'), ALL),
        ('labels/b.json', ['b.json']),
        (['labels/b.json', 'labels/a.json'], ['b.json', 'a.json']),
        ('splits/train.txt', ['b.json', 'a.json']),
        (['labels', 'splits/train.txt'], [*ALL, 'b.json', 'a.json']),
    ],
    ids=str,
)
def test_what_stands_for_label_files(here: Path, entry: object, expected: list[str]) -> None:
    assert [Path(file).name for file in find_label_files(entry)] == expected
    # A list holds paths from its own folder.
    listing = '../labels/b.json\n../labels/a.json\n'
    assert Path('splits/train.txt').read_text() == listing


@pytest.mark.parametrize(
    ('entry', 'sentence'),
    [
        (['labels', 'empty.txt'], r'^the list empty\.txt of Y holds no label file .*: do Z$'),
        ([], r'^the list of labels of Y is empty: do Z$'),
        (['labels/x.json'], r'^the labels labels/x\.json of Y do not exist: do Z$'),
        ('other', r'^the folder other of Y holds no label file'),
    ],
    ids=str,
)
def test_what_holds_no_labels_is_named_with_owner_and_hint(
    here: Path, entry: object, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        find_label_files(entry, owner='Y', hint='do Z')
