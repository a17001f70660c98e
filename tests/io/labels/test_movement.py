"""movement's netCDF files. Tests of movement itself are skipped without it: `make test-sleap`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import netcdf_file

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels, sniff_format, write_labels
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


def estimates() -> VideoLabels:
    """Two subjects in frames 0 and 2, estimated with scores."""
    scores = [0.1, 0, 0.30000000000000004]
    fields = {'scores': scores, 'source': 'propagated'}
    return sample(persons=tuple(person(i, who, **fields) for i in (0, 2) for who in (4, 7)))


def edit_with_xarray(path: Path, change: Any, **options: Any) -> None:
    """Change a dataset as movement's editor does, and save it."""
    xarray = pytest.importorskip('xarray', reason='optional, see `make test-sleap`')
    with xarray.open_dataset(path) as opened:
        dataset = opened.load()
    change(dataset)
    dataset.to_netcdf(path, **options)


def test_estimates_come_back_with_their_scores_to_the_digit(tmp_path: Path):
    write_labels(estimates(), tmp_path / 'a.nc')

    assert sniff_format(tmp_path / 'a.nc') == 'movement'
    labels = read_labels(tmp_path / 'a.nc')
    assert labels.skeleton.keypoint_names == estimates().skeleton.keypoint_names
    for label, expected in zip(labels.persons, estimates().persons, strict=True):
        assert (label.frame_index, label.track_id) == (expected.frame_index, expected.track_id)
        np.testing.assert_array_equal(label.keypoints, expected.keypoints)
        np.testing.assert_array_equal(label.scores, expected.scores)
        assert label.keypoint_sources.tolist() == expected.keypoint_sources.tolist()


@pytest.mark.parametrize('engine', ['scipy', 'h5netcdf'])
def test_edited_points_are_labels(tmp_path: Path, engine: str):
    """One joint is dragged, one added and one removed."""
    if engine == 'h5netcdf':
        pytest.importorskip('h5netcdf', reason='writes netCDF 4, optional')
    write_labels(estimates(), tmp_path / 'a.nc', None, lambda index: index / 25)

    def change(dataset: Any) -> None:
        dataset.position[0, :, 0, 0] = [33.5, 44.25]
        dataset.position[0, :, 1, 0] = [1.5, 2.5]
        dataset.confidence[0, :2, 0] = np.nan
        dataset.position[0, :, 2, 1] = np.nan

    edit_with_xarray(tmp_path / 'a.nc', change, engine=engine)
    first, second, *others = read_labels(tmp_path / 'a.nc').persons
    assert (first.source, first.keypoint_sources.tolist()) == (
        'given',
        ['given', 'given', 'propagated'],
    )
    assert first.keypoints.tolist() == [[33.5, 44.25], [1.5, 2.5], [30, 40.25]]
    assert first.scores[2] == 0.30000000000000004
    assert (second.source, second.visibility.tolist()) == ('propagated', [2, 0, 0])
    assert [p.source for p in others] == ['propagated'] * 2


def test_without_any_confidence_only_labels_of_this_package_are_given(tmp_path: Path):
    write_labels(sample(persons=(person(0, 4),)), tmp_path / 'a.nc')
    (label,) = read_labels(tmp_path / 'a.nc').persons
    assert (label.source, label.scores) == ('given', None)

    data = (tmp_path / 'a.nc').read_bytes()
    (tmp_path / 'a.nc').write_bytes(data.replace(b'stdpose\0', b'octron\0\0', 1))
    (label,) = read_labels(tmp_path / 'a.nc').persons
    assert (label.source, label.scores) == ('propagated', None)


@pytest.mark.parametrize(
    ('unit', 'fps', 'times', 'frames'),
    [
        (b'frames', None, [0, 2], [0, 2]),
        (b'seconds', 25.0, [0, 0.08], [0, 2]),
        (b'seconds', None, [0, 0.08], 'times'),
    ],
)
def test_frames_of_a_dataset_without_them_follow_from_its_times(
    tmp_path: Path, unit: bytes, fps: float | None, times: list[float], frames: Any
):
    with netcdf_file(tmp_path / 'a.nc', 'w', version=2) as file:
        file.time_unit = unit
        if fps:
            file.fps = fps
        sizes = dict(time=2, space=2, keypoints=1, individuals=1, letters=4)
        for name, size in sizes.items():
            file.createDimension(name, size)
        file.createVariable('time', 'd', ('time',))[:] = times
        file.createVariable('position', 'd', DIMENSIONS)[:] = 5.5
        for name, text in (('keypoints', b'nose'), ('individuals', b'anna')):
            letters = np.frombuffer(text, 'S1').reshape(1, 4)
            file.createVariable(name, 'c', (name, 'letters'))[:] = letters

    labels = read_labels(tmp_path / 'a.nc')
    assert labels.skeleton.keypoint_names == ('nose',)
    assert labels.persons[0].extra['track_name'] == 'anna'
    if frames == 'times':
        assert (labels.numbering.kind, dict(labels.numbering.times)) == ('times', {0: 0, 1: 0.08})
    else:
        assert [p.frame_index for p in labels.persons] == frames


@pytest.mark.parametrize('damage', [lambda data: data[:90], lambda data: b'CDF\x01' + bytes(200)])
def test_a_damaged_dataset_is_refused(tmp_path: Path, damage: Any):
    write_labels(estimates(), tmp_path / 'a.nc')
    (tmp_path / 'a.nc').write_bytes(damage((tmp_path / 'a.nc').read_bytes()))

    with pytest.raises(InputError, match=r'a\.nc is no dataset of poses of movement'):
        read_labels(tmp_path / 'a.nc')
