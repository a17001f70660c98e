"""movement's netCDF files. Tests of movement itself are skipped without it: `make test-sleap`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import netcdf_file

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import VideoLabels
from support.label_samples import for_placed_labels, person, sample

DIMENSIONS = ('time', 'space', 'keypoints', 'individuals')


def read(path: Path) -> dict[str, Any]:
    """Attributes, and (dimensions, values) of the variables, texts joined."""
    with netcdf_file(path, mmap=False) as file:
        found = dict(file._attributes)
        for name, variable in file.variables.items():
            values = variable[:]
            if variable.typecode() == 'c':
                values = [b''.join(row).rstrip(b'\0').decode() for row in values.tolist()]
            found[name] = (variable.dimensions, values)
    return found


def test_a_dataset_has_the_dimensions_of_movement(tmp_path: Path):
    persons = (
        person(0, 4, scores=[0.5, 0, 0.25], source='propagated'),
        person(2, 4),
        person(2, 7, extra={'track_name': 'Küken'}),
    )
    write_labels(sample(persons=persons), tmp_path / 'a.nc', None, lambda index: index / 25)
    found = read(tmp_path / 'a.nc')

    assert found['position'][0] == DIMENSIONS
    assert found['position'][1].shape == (3, 2, 3, 2)
    np.testing.assert_array_equal(
        found['position'][1][0, :, :, 0], [[10.5, np.nan, 30], [20, np.nan, 40.25]]
    )
    assert np.isnan(found['position'][1][1]).all()
    assert found['confidence'][0] == ('time', 'keypoints', 'individuals')
    np.testing.assert_array_equal(found['confidence'][1][0, :, 0], [0.5, np.nan, 0.25])
    assert np.isnan(found['confidence'][1][1:]).all()
    assert found['individuals'][1] == ['individual4', 'Küken']
    assert found['keypoints'][1] == ['nose', 'left_hand', 'right_hand']
    assert found['space'][1] == ['x', 'y']
    assert found['time'][1].tolist() == [0, 0.04, 0.08]
    assert found['frame'][1].tolist() == [0, 1, 2]
    assert (found['ds_type'], found['time_unit'], found['fps']) == (b'poses', b'seconds', 25)


def test_without_times_frames_are_counted_and_labels_of_nobody_refused(tmp_path: Path):
    write_labels(sample(), tmp_path / 'a.nc')
    found = read(tmp_path / 'a.nc')

    assert found['time'][1].tolist() == [0, 1, 2]
    assert (found['time_unit'], 'fps' in found) == (b'frames', False)
    with pytest.raises(InputError, match='movement needs poses, but clip has no labelled joint'):
        write_labels(sample(persons=()), tmp_path / 'b.nc')


@for_placed_labels
def test_movement_holds_places_scores_and_frames(
    tmp_path_factory: pytest.TempPathFactory, labels: VideoLabels
):
    placed = [p for p in labels.persons if p.labelled.any()]
    path = tmp_path_factory.mktemp('labels') / 'a.nc'
    write_labels(labels, path)
    found = read(path)

    assert found['keypoints'][1] == [*labels.skeleton.keypoint_names]
    assert found['frame'][1].tolist() == [frame.index for frame in labels.frames]
    position, confidence = found['position'][1], found['confidence'][1]
    tracks = sorted({p.track_id for p in placed})
    assert len(found['individuals'][1]) == len(tracks)
    places, scores = np.full_like(position, np.nan), np.full_like(confidence, np.nan)
    for p in placed:
        row = found['frame'][1].tolist().index(p.frame_index)
        for joint in np.flatnonzero(p.labelled):
            column = tracks.index(p.track_id)
            places[row, :, joint, column] = p.keypoints[joint]
            scores[row, joint, column] = np.nan if p.scores is None else p.scores[joint]
    np.testing.assert_array_equal(position, places)
    np.testing.assert_array_equal(confidence, scores)


def test_movement_takes_it_for_a_dataset_of_poses(tmp_path: Path):
    xarray = pytest.importorskip('xarray', reason='optional, see `make test-sleap`')
    validators = pytest.importorskip(
        'movement.validators.datasets', reason='optional, see `make test-sleap`'
    )
    write_labels(sample(), tmp_path / 'a.nc', None, lambda index: index / 25)

    with xarray.open_dataset(tmp_path / 'a.nc') as dataset:
        validators.ValidPosesInputs.validate(dataset)
        nose = dataset.position.sel(keypoints='nose', individuals='individual1', time=0)
        assert nose.to_numpy().tolist() == [10.5, 20]
        assert set(dataset.coords) == {*DIMENSIONS, 'frame'}
        assert dataset.attrs['fps'] == 25
        # As it makes one of arrays itself.
        own = validators.ValidPosesInputs(
            position_array=dataset.position.to_numpy(),
            individual_names=[*dataset.individuals.to_numpy()],
            keypoint_names=[*dataset.keypoints.to_numpy()],
            fps=25.0,
        ).to_dataset()
        xarray.testing.assert_equal(own.position, dataset.position.drop_vars('frame'))
