"""Which label files a folder, a list or a text file stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import find_label_files, frame_sources, write_label_list
from stdpose_mm.structures import Skeleton, VideoFrame, VideoLabels

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


def test_windows_paths_are_found_below_the_folder(tmp_path: Path) -> None:
    frames = (VideoFrame(0, 'cam1\\0.jpg'), VideoFrame(1, '..\\0.jpg'))
    labels = VideoLabels('cam1', Skeleton(('nose',)), frames[:1])
    of_video = VideoLabels(
        'cam1', Skeleton(('nose',)), frames[:1], (), {'info': {'video': 'a\\b.mp4'}}
    )

    assert frame_sources(labels, tmp_path, None) == {0: (f'{tmp_path}/cam1/0.jpg', None)}
    assert frame_sources(of_video, '', tmp_path) == {0: (f'{tmp_path}/a/b.mp4', 0)}
    with pytest.raises(InputError, match='is not below the folder'):
        frame_sources(VideoLabels('cam1', Skeleton(('nose',)), frames), tmp_path, None)
