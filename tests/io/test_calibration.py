"""Calibration files in TOML."""

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.calibration import read_calibration, write_calibration

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
