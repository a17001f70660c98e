"""Calibration files in TOML."""

from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.calibration import pair_videos, read_calibration, write_calibration
from support.view_scene import CAMERAS

CAMERA_A = """
[cam_0]
name = "A"
size = [ 1920.0, 1080.0]
matrix = [ [ 1333.0, 0.0, 959.5], [ 0.0, 1334.0, 539.5], [ 0.0, 0.0, 1.0]]
distortions = [ -0.1, 0.0, 0.0, 0.0, 0.0]
rotation = [ 0.0, 1.5707963267948966, 0.0]
translation = [ 1.0, 2.0, 3.0]
"""
CAMERA_B = CAMERA_A.replace('cam_0', 'cam_1').replace('"A"', '"B"') + 'fisheye = false\n'
# As anipose and Pose2Sim write it.
ANIPOSE = CAMERA_A + CAMERA_B + '\n[metadata]\nadjusted = false\nerror = 0.5\n'
# Caliscope's own file.
CALISCOPE = """
[cameras.1]
port = 1
rotation_count = 0
size = [1280, 720]
matrix = [[903.5, 0.0, 618.3], [0.0, 907.8, 394.2], [0.0, 0.0, 1.0]]
distortions = [-0.33, 0.04, -0.004, 0.004, 0.06]
translation = [0.1, -0.2, 0.6]
rotation = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]
"""


def read(tmp_path, text):
    path = tmp_path / 'calibration.toml'
    path.write_text(text)
    return read_calibration(path)


def test_file_of_anipose(tmp_path):
    first, second = read(tmp_path, ANIPOSE)
    assert (first.name, second.name, first.size, first.fisheye) == ('A', 'B', (1920, 1080), False)
    # A quarter turn about y.
    np.testing.assert_allclose(first.rotation, [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], atol=1e-12)
    assert first.translation.tolist() == [1, 2, 3]
    assert first.matrix[0].tolist() == [1333, 0, 959.5]
    assert first.distortions.tolist() == [-0.1, 0, 0, 0, 0]


def test_file_of_caliscope(tmp_path):
    first, second = read(tmp_path, CALISCOPE + CALISCOPE.replace('cameras.1', 'cameras.10'))
    assert (first.name, second.name) == ('cam_1', 'cam_10')
    assert first.rotation[0].tolist() == [0, 0, 1]


def test_written_cameras_are_read_again(tmp_path):
    cameras = read(tmp_path, ANIPOSE.replace('"B"', '"cam \\"2\\""'))
    write_calibration(cameras, tmp_path / 'again.toml')
    for before, after in zip(cameras, read_calibration(tmp_path / 'again.toml'), strict=True):
        assert (before.name, before.size, before.fisheye) == (after.name, after.size, after.fisheye)
        for name in ('matrix', 'distortions', 'rotation', 'translation'):
            np.testing.assert_allclose(getattr(before, name), getattr(after, name), atol=1e-12)


@pytest.mark.parametrize(
    ('before', 'after', 'message'),
    [
        ('[cam_0]', '[cam_0', 'is not a calibration in TOML'),
        (CAMERA_B, '', 'has 1 camera, expected at least 2'),
        ('"B"', '"A"', "the name of a camera 'A' appears twice"),
        ('1920.0, 1080.0', '1920.5, 1080', 'cam_0.size must be the width and height'),
        ('1333.0, 0.0, 959.5', '0.0, 0.0, 959.5', 'cam_0.matrix must be [[fx'),
        ('959.5', '9595.0', 'cam_0.matrix must be [[fx'),
        (', [ 0.0, 0.0, 1.0]]', ']', 'cam_0.matrix must be 3 lists'),
        ('0.0, 0.0, 1.0', '0.0, 0.0, nan', 'cam_0.matrix[2][2] must be a number'),
        ('[ -0.1, 0.0, 0.0, 0.0, 0.0]', '[ -0.1]', 'cam_0.distortions must be a list of 4, 5'),
        ('0.0, 1.57', '1.57', 'cam_0.rotation must be a list of 3 numbers'),
        (
            '[ 0.0, 1.5707963267948966, 0.0]',
            '[[1, 0, 0], [0, 1, 0], [0, 1, 1]]',
            'cam_0.rotation must be a vector of 3 numbers or a rotation matrix',
        ),
        ('rotation', 'turned', 'cam_0.rotation is missing'),
        ('false\n\n', 'true\n\n', 'cam_1.distortions must be a list of 4 numbers'),
    ],
)
def test_faults_are_named(tmp_path, before, after, message):
    assert before in ANIPOSE
    with pytest.raises(InputError, match=r'calibration\.toml') as error:
        read(tmp_path, ANIPOSE.replace(before, after, 1))
    assert message in str(error.value)


def named(*names):
    return [replace(CAMERAS[0], name=name) for name in names]


@pytest.mark.parametrize(
    ('videos', 'expected'),
    [
        (['monday/camA.mp4', 'monday/camB.mp4'], ['A monday', 'B monday']),
        (['monday/CAMA_0012.mp4', 'monday/camb_0013.mp4'], ['A monday', 'B monday']),
        (
            ['day/t1_camA.mp4', 'day/t1_camB.mp4', 'day/t2-camA.mp4', 'day/t2-camB.mp4'],
            ['A t1', 'B t1', 'A t2', 'B t2'],
        ),
        (
            ['camA/t1.mp4', 'camB/t1.mp4', 'camA/t2.mp4', 'camB/t2.mp4'],
            ['A t1', 'B t1', 'A t2', 'B t2'],
        ),
        (
            ['monday/camA.mp4', 'monday/camB.mp4', 'friday/camA.mp4', 'friday/camB.mp4'],
            ['A monday', 'B monday', 'A friday', 'B friday'],
        ),
    ],
)
def test_videos_are_paired_with_cameras_and_sessions(tmp_path, videos, expected):
    cameras = named('camA', 'camB')
    pairs = pair_videos(cameras, [tmp_path / video for video in videos])
    assert [f'{pair.camera.name[-1]} {pair.session}' for pair in pairs] == expected


def test_a_name_within_another_word_is_none(tmp_path):
    cameras = named('cam1', 'cam10', 'cam1_b')
    videos = ['cam10.mp4', 'cam1.mp4', 'cam1_b.mp4']
    pairs = pair_videos(cameras, [tmp_path / video for video in videos])
    assert [f'{pair.camera.name}.mp4' for pair in pairs] == videos


def test_a_camera_without_a_video_is_left_out_with_a_note(tmp_path):
    with pytest.warns(InputWarning, match='without a video are left out: camC, camD'):
        pair_videos(
            named('camD', 'camA', 'camB', 'camC'), [tmp_path / 'camA.mp4', tmp_path / 'camB.mp4']
        )


@pytest.mark.parametrize(
    ('videos', 'message'),
    [
        (
            ['camA.mp4', 'other.mp4'],
            r'other\.mp4 has none of the cameras of the calibration \(camA, camB\)',
        ),
        (['s/camA.mp4'], 'the session s has videos of the cameras camA, expected one video'),
        (
            ['s/camA.mp4', 's/camA.avi', 's/camB.mp4'],
            'the session s has videos of the cameras camA, camA',
        ),
        (
            ['1/day/camA.mp4', '1/day/camB.mp4', '2/day/camA.mp4', '2/day/camB.mp4'],
            '1/day and .*2/day have sessions of the same name day, rename one of them',
        ),
    ],
)
def test_videos_that_fit_no_cameras(tmp_path, videos, message):
    with pytest.raises(InputError, match=message):
        pair_videos(named('camA', 'camB'), [tmp_path / video for video in videos])
