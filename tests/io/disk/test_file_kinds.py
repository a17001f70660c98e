"""What a file is, and labels and videos in each other's place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.file_names import kind_of_file, require_video
from stdpose_mm.io.video import write_video

PICTURES = np.zeros((3, 32, 32, 3), np.uint8)


@pytest.mark.parametrize('suffix', ['mp4', 'mkv', 'mov', 'avi', 'm4v', 'ts', 'h264'])
def test_videos_are_known_by_their_content(tmp_path, suffix):
    write_video(tmp_path / f'a.{suffix}', PICTURES, fps=10)
    (tmp_path / f'a.{suffix}').rename(tmp_path / 'a.json')
    assert kind_of_file(tmp_path / 'a.json') == 'a video'


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'bmp', 'webp', 'tif', 'ppm'])
def test_pictures(tmp_path, suffix):
    cv2.imwrite(str(tmp_path / f'a.{suffix}'), PICTURES[0])
    assert kind_of_file(tmp_path / f'a.{suffix}') == 'a picture'


@pytest.mark.parametrize('name', ['a.json', 'A.JSON', 'a.json.gz', 'a.xml', 'a.slp', 'a.csv'])
def test_label_files(tmp_path, name):
    (tmp_path / name).write_text('{}')
    assert kind_of_file(tmp_path / name) == 'a label file'


def test_unknown_and_missing_files(tmp_path):
    (tmp_path / 'a.dat').write_text('GIF')
    (tmp_path / 'empty').touch()
    for name in ('a.dat', 'empty', 'nowhere', '.'):
        assert kind_of_file(tmp_path / name) is None


def test_swapped_arguments_are_named(tmp_path, movie, label_file, folder):
    for video in (movie, folder):
        require_video(video, label_file)
        with pytest.raises(InputError, match='give the video first and then the labels'):
            require_video(label_file, video)
        with pytest.raises(
            InputError, match='is a video or pictures, expected a file with their lab'
        ):
            require_video(movie, video)
    with pytest.raises(InputError, match=r'labels\.json is a label file, expected a video file'):
        require_video(label_file, label_file)
    with pytest.raises(InputError, match='does not exist, expected a video file or a folder'):
        require_video(tmp_path / 'nowhere', label_file)


def test_a_folder_of_pictures_with_labels_beside_them_is_no_video(tmp_path, movie, folder):
    (folder / '000001.txt').write_text('0 0.5 0.5 0.1 0.1 0.5 0.5 2')
    require_video(movie, folder)
