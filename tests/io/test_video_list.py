"""The videos of a command that takes several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels.label_files import files_of_none, find_file_of
from stdpose_mm.io.video_list import InputVideo, read_inputs


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names_of(*given: Path) -> list[str]:
    return [video.name for video in read_inputs([str(path) for path in given]).videos]


def test_videos_of_a_folder_are_listed_in_natural_order(tmp_path: Path) -> None:
    make(tmp_path, 'b10.mp4', 'b9.MOV', 'a.mkv', 'notes.txt', 'a.json', '.hidden.mp4')
    make(tmp_path, 'run.1/0.png', 'walk/1.jpg', 'labels/walk.json')
    assert names_of(tmp_path) == ['a', 'b9', 'b10', 'run.1', 'walk']
    assert names_of(tmp_path / 'b10.mp4', tmp_path / 'a.mkv') == ['b10', 'a']


def test_what_is_a_list(tmp_path: Path) -> None:
    make(tmp_path, 'set/a.mp4', 'pictures/0.png', 'pictures/made_of_them.mp4')
    one, labels = str(tmp_path / 'set' / 'a.mp4'), tmp_path / 'labels.csv'
    labels.write_text('scorer,anna,anna\nbodyparts,nose,nose\n')
    for given in (one, str(tmp_path / 'pictures'), str(labels)):
        assert not read_inputs([given]).several
    assert read_inputs([one, one]).several
    assert read_inputs([str(tmp_path / 'set')]).several


def test_a_folder_that_cannot_be_read_is_no_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, 'a.mp4', 'private/0.png')
    look = Path.iterdir

    def forbidden(folder: Path) -> Iterator[Path]:
        if folder.name == 'private':
            raise PermissionError
        return look(folder)

    monkeypatch.setattr(Path, 'iterdir', forbidden)
    assert names_of(tmp_path) == ['a']


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        (
            'set.csv',
            'video,labels,labels_video,boxes,out\n'
            'clips/a.mp4,labels/a.json,,,1/a.json\n'
            '"/far/b, c.mp4",all.json,b,boxes/b.txt,\n',
        ),
        (
            'set.csv',
            '\ufeffvideo;labels;labels_video;boxes;out\r\n'
            'clips/a.mp4;labels/a.json;;;1\\a.json\r\n'
            '/far/b, c.mp4; all.json ;b;boxes/b.txt;\r\n',
        ),
        (
            'set.jsonl',
            '{"video": "clips/a.mp4", "labels": "labels/a.json", "out": "1/a.json"}\n\n'
            '{"video": "/far/b, c.mp4", "labels": "all.json", "labels_video": "b", '
            '"boxes": "boxes/b.txt", "out": null}\n',
        ),
    ],
    ids=['csv', 'csv of a spreadsheet', 'jsonl'],
)
def test_a_dataset_file_names_files_beside_it(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding='utf-8')
    assert read_inputs([str(tmp_path / name)]).several
    labels, out = tmp_path / 'labels/a.json', PurePosixPath('1/a.json')
    assert read_inputs([str(tmp_path / name)]).videos == [
        InputVideo(tmp_path / 'clips/a.mp4', labels, out=out),
        InputVideo(Path('/far/b, c.mp4'), tmp_path / 'all.json', 'b', tmp_path / 'boxes/b.txt'),
    ]


@pytest.mark.parametrize(
    ('name', 'text', 'sentence'),
    [
        ('s.csv', 'video,label\na,a.json\n', 'line 2.label must be left out .* video, .* got .a.j'),
        ('s.csv', 'video,out\n', 'lists no video'),
        ('s.csv', 'video,out\n,a.json\n', 'line 2.video must be a video file or a folder'),
        ('s.csv', 'video,out\na, b.mp4,x.json\n', 'line 2: expected 2 values, as many as the h'),
        ('s.csv', 'video,out\na.mp4\n', 'line 2: expected 2 values'),
        ('s.csv', 'video,out\n"a.mp4,x.json\n', 'after line 1: unexpected end of data'),
        ('s.csv', 'video,out\na.mp4,../x.json\n', 'a path below the output folder'),
        ('s.csv', 'video,out\na.mp4,/x.json\n', 'a path below the output folder'),
        ('s.csv', 'video,out\na.mp4,C:\\x.json\n', 'a path below the output folder'),
        ('s.csv', 'nothing', r's\.csv does not exist'),
        ('s.csv', 'video\n\xff\xfe\n', 'is not UTF-8 text'),
        ('s.csv', 'video,out\na,b\n'.encode('utf-16').decode('latin-1'), 'is not UTF-8 text'),
        ('s.csv', 'video\tout\na\tb\n'.encode('utf-16').decode('latin-1'), 'is not UTF-8 text'),
        ('s.jsonl', '', 'lists no video'),
        ('s.jsonl', '{"video": 3}\n', 'line 1.video must be a string, got 3'),
        ('s.jsonl', '{"video": "a.mp4"\n', 'line 1, is not JSON'),
        ('s.jsonl', '["a.mp4"]\n', r'line 1 must be an object, got \[.a.mp4.\]'),
        ('s.jsonl', '{"labels": "a.json"}\n', 'line 1.video is missing'),
    ],
)
def test_a_wrong_dataset_file_is_one_sentence(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    if text != 'nothing':
        (tmp_path / name).write_bytes(text.encode('latin-1'))
    with pytest.raises(InputError, match=sentence):
        read_inputs([str(tmp_path / name)]).videos


@pytest.mark.parametrize('name', ['clip.json', 'clip.json.gz', 'clip.xml', 'clip.h5', 'clip'])
def test_a_file_of_the_same_name_belongs_to_a_video(tmp_path: Path, name: str) -> None:
    make(tmp_path, name, 'clip2.json', 'other.json', 'clip.mp4', 'clip.jpg', 'clip.html')
    assert find_file_of(tmp_path / 'clip.mp4', tmp_path) == tmp_path / name


def test_accents_that_a_mac_writes_as_characters_of_their_own_do_not_matter(tmp_path: Path) -> None:
    make(tmp_path, 'L\u00e4ufer.json')
    video = Path('La\u0308ufer.mp4')
    assert find_file_of(video, tmp_path) == tmp_path / 'L\u00e4ufer.json'
    assert files_of_none([video], tmp_path) == []


def test_a_folder_of_the_same_name_is_taken_where_there_is_no_file(tmp_path: Path) -> None:
    video = tmp_path / 'frames' / 'clip'
    make(tmp_path, 'frames/clip/0.png', 'labels/clip/0.txt')
    assert find_file_of(video, tmp_path / 'labels') == tmp_path / 'labels' / 'clip'
    make(tmp_path, 'labels/clip.json')
    assert find_file_of(video, tmp_path / 'labels') == tmp_path / 'labels' / 'clip.json'
    # Its pictures are no labels.
    with pytest.raises(InputError, match='holds no file for'):
        find_file_of(video, tmp_path / 'frames')


def test_a_video_without_a_file_or_with_two_is_one_sentence(tmp_path: Path) -> None:
    make(tmp_path, 'a.json', 'b.json', 'b.xml')
    with pytest.raises(InputError, match=r'holds no file for c.mp4, expected one such as c.json'):
        find_file_of(Path('c.mp4'), tmp_path)
    with pytest.raises(InputError, match=r'b.json and .*b.xml both belong to b.mp4'):
        find_file_of(Path('b.mp4'), tmp_path)
    make(tmp_path, 'c.mp4', '.d.json')
    (tmp_path / 'b.xml').unlink()
    assert files_of_none([Path('a.mp4')], tmp_path) == [tmp_path / 'b.json']
