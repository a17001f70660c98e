import ntpath
import os
from pathlib import Path, PureWindowsPath

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk import file_names
from stdpose_mm.io.disk.file_names import distinct_file_names, file_name, path_below, path_from


@pytest.mark.parametrize(
    ('name', 'file'),
    [
        ('000342_mpii_test', '000342_mpii_test'),
        ('clip-1.v2', 'clip-1.v2'),
        ('日本', '日本'),
        ('../../../x', 'x'),
        ('/etc/passwd', 'etc_passwd'),
        ('a\\..\\b', 'a_.._b'),
        ('.hidden', 'hidden'),
        ('a\0b\nc', 'a_b_c'),
        ('..', ''),
        ('aux', '_aux'),
        ('Con.1', '_Con.1'),
        ('lpt1', '_lpt1'),
        ('auxiliary', 'auxiliary'),
    ],
)
def test_a_name_becomes_a_file_name(name, file):
    assert file_name(name) == file
    assert Path(file).name == file


def test_long_names_stay_apart():
    assert file_name('a' * 150) == 'a' * 150
    assert len(file_name('a' * 151)) == 150
    first, second = (file_name('é' * 5000 + end) for end in 'ab')
    assert first != second
    assert max(len(first.encode()), len(second.encode())) <= 150


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['x_y', 'x/y'], "the video names 'x_y' and 'x/y' give the same"),
        # One file on a Mac and on Windows.
        (['A', 'a'], "the video names 'A' and 'a' give the same"),
        (['..'], r"the video name '\.\.' cannot be turned into a file name"),
    ],
)
def test_names_that_are_alike_or_none_as_files_are_refused(names, message):
    assert distinct_file_names(['a', 'a', 'b'], 'video') == {'a': 'a', 'b': 'b'}
    with pytest.raises(InputError, match=message):
        distinct_file_names(names, 'video')


def test_pictures_lie_below_their_folder(tmp_path):
    assert path_below(tmp_path, 'a/b.jpg', 'labels') == tmp_path / 'a' / 'b.jpg'
    assert path_below(tmp_path, 'a/../b.jpg', 'labels') == tmp_path / 'a' / '..' / 'b.jpg'
    assert path_below('', 'a.jpg', 'labels') == Path('a.jpg')
    inside = str(tmp_path / 'a.jpg')
    assert path_below(tmp_path, inside, 'labels') == Path(inside)
    assert path_below('/', inside, 'labels') == Path(inside)


@pytest.mark.parametrize('name', ['../b.jpg', '/etc/passwd', 'a/../../b.jpg', '..'])
def test_pictures_elsewhere_are_read_if_that_is_asked_for(tmp_path, monkeypatch, name):
    with pytest.raises(InputError, match='which is not below the folder'):
        path_below(tmp_path, name, 'labels')
    monkeypatch.setenv('STDPOSE_PICTURES_ANYWHERE', '1')
    assert path_below(tmp_path, name, 'labels') == tmp_path / name


@pytest.mark.parametrize(
    ('name', 'leaves'),
    [('a\\b.jpg', False), ('C:b.jpg', True), ('\\b.jpg', True), ('/b.jpg', True), ('..\\b', True)],
)
def test_drives_and_roots_of_windows_leave_a_folder(monkeypatch, name, leaves):
    monkeypatch.setattr(file_names, 'PurePath', PureWindowsPath)
    assert file_names.leaves_folder(name) is leaves


def test_a_path_on_another_drive_of_windows_is_absolute(monkeypatch):
    assert path_from('a/b', 'a/c.mp4') == os.path.join('..', 'c.mp4')
    monkeypatch.setattr(file_names.os, 'path', ntpath)
    assert path_from('C:\\a\\b', 'C:\\a\\c.mp4') == '..\\c.mp4'
    assert path_from('C:\\a', 'D:\\c.mp4') == 'D:\\c.mp4'


def test_a_zero_byte_is_no_name(tmp_path):
    with pytest.raises(InputError, match='without a zero byte'):
        path_below(tmp_path, 'a\0.jpg', 'labels')
