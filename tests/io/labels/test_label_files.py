"""Which label files a folder, a list or a text file stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import (
    find_label_files,
    frame_sources,
    read_selected_videos,
    write_label_list,
)
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
    (tmp_path / 'long.txt').write_text('x' * 400 + '.json')
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


def test_a_folder_without_json_holds_the_files_of_another_format(tmp_path: Path) -> None:
    for name in ('a.csv', 'b.xml', 'a.xml.gz', 'clip.mp4', '.c.xml'):
        (tmp_path / name).touch()
    files = find_label_files(tmp_path, any_format=True)
    assert [Path(file).name for file in files] == ['a.xml.gz', 'b.xml']
    with pytest.raises(InputError, match='holds no label file'):
        find_label_files(tmp_path)


@pytest.mark.parametrize(
    ('entry', 'sentence'),
    [
        (['labels', 'empty.txt'], r'^the list empty\.txt of Y holds no label file .*: do Z$'),
        ([], r'^the list of labels of Y is empty: do Z$'),
        (['labels/x.json'], r'^the labels labels/x\.json of Y do not exist: do Z$'),
        ('long.txt', r'^the labels x{400}\.json of Y do not exist: do Z$'),
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


# SHA-256 begins with ca97 for 'a' (0.791 of its range), 3e23 for 'b' (0.243) and ba78 for 'abc'
# (0.728).
NAMES = ['a', 'abc', 'b']


def selected(names: list[str], share: float, held_out: str, files: int = 1) -> list[str]:
    """Return the names of the selected videos, which are spread over some files."""
    of_file = {str(n): names[n::files] for n in range(files)}

    def read(file: str) -> list[VideoLabels]:
        return [VideoLabels(name, Skeleton(('nose',)), ()) for name in of_file[file]]

    chosen = read_selected_videos([*of_file], read, share, held_out, 'X')
    return sorted(labels.name for _, labels in chosen)


@pytest.mark.parametrize('files', [1, 2, 3])
@pytest.mark.parametrize(
    ('share', 'held_out', 'expected'),
    [
        (0.25, 'only', NAMES[2:]),
        (0.75, 'only', NAMES[1:]),
        (0.8, 'only', NAMES),
        (0.25, 'exclude', NAMES[:2]),
        # None is held out, so nothing is chosen.
        (0, 'exclude', NAMES),
        (0, 'only', NAMES),
    ],
)
def test_videos_below_the_share_are_held_out(
    share: float, held_out: str, expected: list[str], files: int
) -> None:
    assert selected(NAMES, share, held_out, files) == expected


@given(st.sets(st.text('abcdef0123456789_', min_size=1), max_size=30))
def test_other_videos_do_not_change_the_side_of_one(others: set[str]) -> None:
    held_out = selected([*NAMES, *(others - {*NAMES})], 0.25, 'only')
    assert 'b' in held_out
    assert not {'a', 'abc'} & set(held_out)


@pytest.mark.parametrize(
    ('share', 'held_out', 'message'),
    [
        (0.1, 'only', r"held_out_share=0\.1 with held_out='only' leaves none of the 3 videos of X"),
        (0.8, 'exclude', r"held_out_share=0\.8 with held_out='exclude' leaves none"),
        (1, 'only', 'held_out_share must be at least 0 and less than 1, got 1'),
        (0.1, 'both', "held_out must be one of exclude, only, got 'both'"),
    ],
)
def test_what_holds_nothing_out_is_refused(share: float, held_out: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        selected(NAMES, share, held_out)
