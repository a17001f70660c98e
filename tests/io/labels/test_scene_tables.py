"""Joints in space as CSV, TRC and netCDF."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.io import netcdf_file

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels.tables import read_scene, write_scene
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.scene_poses import ScenePoses

UNKNOWN = np.nan


def scene(people=(3, 7)) -> ScenePoses:
    """Two joints of people at the times 2 and 3, the second joint of the first one once unknown."""
    points = np.arange(2 * len(people) * 2 * 3, dtype=np.float64).reshape(2, len(people), 2, 3) / 8
    points[0, 0, 1] = UNKNOWN
    errors = np.where(np.isnan(points[..., 0]), np.nan, 0.25)
    views = np.where(np.isnan(errors), 1, 3)
    return ScenePoses(Skeleton(('nose', 'tail')), people, range(2, 4), points, errors, views)


def test_csv_has_a_row_for_each_known_joint(tmp_path):
    write_scene(scene(), tmp_path / 'scene.csv', 10, 'm')
    rows = list(csv.DictReader((tmp_path / 'scene.csv').open()))
    assert [(row['frame'], row['person'], row['joint']) for row in rows] == [
        ('2', '3', 'nose'), ('2', '7', 'nose'), ('2', '7', 'tail'),
        ('3', '3', 'nose'), ('3', '3', 'tail'), ('3', '7', 'nose'), ('3', '7', 'tail'),
    ]  # fmt: skip
    last = [rows[-1][name] for name in ('time', 'x', 'y', 'z', 'error', 'views')]
    assert last == ['0.3', '2.625', '2.75', '2.875', '0.25', '3']


def test_trc_names_markers_by_person_and_counts_from_1(tmp_path):
    write_scene(scene(), tmp_path / 'scene.trc', 10, 'mm')
    _, _, values, markers, _, first, _ = (tmp_path / 'scene.trc').read_text().splitlines()
    assert values.split('\t') == ['10.0', '10.0', '2', '4', 'mm', '10.0', '3', '2']
    assert markers.split() == ['Frame#', 'Time', '3_nose', '3_tail', '7_nose', '7_tail']
    assert first.split('\t')[:8] == ['3', '0.2', '0.0', '0.125', '0.25', '', '', '']


def test_trc_of_one_person_has_plain_names(tmp_path):
    write_scene(scene((5,)), tmp_path / 'scene.trc', 10, 'm')
    assert 'Time\tnose\t\t\ttail\t' in (tmp_path / 'scene.trc').read_text()


def test_netcdf_has_the_axes_of_movement(tmp_path):
    write_scene(scene(), tmp_path / 'scene.nc', 10, 'm')
    with netcdf_file(tmp_path / 'scene.nc', mmap=False) as file:
        position = file.variables['position']
        assert position.dimensions == ('time', 'space', 'keypoints', 'individuals')
        np.testing.assert_array_equal(position[:].transpose(0, 3, 2, 1), scene().points)
        assert file.variables['space'][:].tobytes() == b'xyz'
        assert file.variables['reprojection_error'][1, 0, 0] == 0.25
        assert file.variables['num_views'][0, :, 0].tolist() == [3, 1]
        assert file.variables['time'][:].tolist() == [0.2, 0.3]


@pytest.mark.parametrize('suffix', ['.csv', '.trc'])
def test_written_scenes_are_read_again(tmp_path, suffix):
    write_scene(scene(), tmp_path / f'scene{suffix}', 10, 'm')
    again = read_scene(tmp_path / f'scene{suffix}')
    assert (again.people, again.times) == ((3, 7), range(2, 4))
    assert again.skeleton.keypoint_names == ('nose', 'tail')
    np.testing.assert_array_equal(again.points, scene().points)


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('a.csv', 'frame,x\n1,2\n', 'expected the columns frame, person, joint, x, y and z'),
        ('a.csv', 'frame,person,joint,x,y,z\n1,0,nose,1,2,far\n', 'line 2'),
        ('a.csv', 'frame,person,joint,x,y,z\n', 'holds no joint'),
        ('a.trc', 'PathFileType\n', 'is no marker file'),
        ('a.nc', 'CDF', 'expected a .csv or .trc file'),
    ],
)
def test_files_that_hold_no_scene(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=r'a\.(csv|trc|nc)') as error:
        read_scene(tmp_path / name)
    assert message in str(error.value)
