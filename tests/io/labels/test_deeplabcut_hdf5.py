"""Need h5py, and pandas with PyTables as DeepLabCut does, else are skipped: `make test-sleap`."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels, sniff_format, write_labels
from support.label_samples import person, sample

pytestmark = pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
pandas = pytest.importorskip('pandas', reason='optional, see `make test-sleap`')
h5py = pytest.importorskip('h5py', reason='optional, see `make test-sleap`')
pytest.importorskip('tables', reason='optional, see `make test-sleap`')
SINGLE = ('scorer', 'bodyparts', 'coords')
SEVERAL = ('scorer', 'individuals', 'bodyparts', 'coords')


def test_deeplabcut_reads_what_its_own_conversion_of_the_csv_file_makes(tmp_path: Path):
    for number, persons in enumerate(([person(0), person(2)], [person(0, 0), person(0, 3)])):
        labels = sample(persons=tuple(persons))
        write_labels(labels, tmp_path / f'{number}.csv', 'deeplabcut')
        write_labels(labels, tmp_path / f'{number}.h5')

        # As deeplabcut.convertcsv2h5 does it, and deeplabcut reads tables without naming them.
        rows = 3 + number
        expected = pandas.read_csv(
            tmp_path / f'{number}.csv', index_col=[0, 1, 2], header=[*range(rows)]
        )
        found = pandas.read_hdf(tmp_path / f'{number}.h5')

        assert [*found.columns.names] == [*(SEVERAL if number else SINGLE)]
        assert [*found.columns] == [*expected.columns]
        assert [*found.index] == [*expected.index]
        np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy(dtype=float))
    project = (tmp_path / '1_config.yaml').read_text()
    assert 'labeled-data/clip/CollectedData_annotator.h5;\n' in project


def table(names: tuple[str, ...], coords: tuple[str, ...], index: Any) -> Any:
    """A table of nose and tail, whose cells are 0.5, 1.5, ..., the first joint left out."""
    columns = [
        ('ann', *animal, joint, coord)
        for animal in ([('mouse',), ('rat',)] if names == SEVERAL else [()])
        for joint in ('nose', 'tail')
        for coord in coords
    ]
    cells = np.arange(len(index) * len(columns)).reshape(len(index), len(columns)) + 0.5
    cells[0, :2] = np.nan
    return pandas.DataFrame(cells, index, pandas.MultiIndex.from_tuples(columns, names=names))


def labels_index() -> Any:
    return pandas.MultiIndex.from_tuples(
        [('labeled-data', 'clip', f'img{number:04d}.png') for number in (12, 30, 7)]
    )


@pytest.mark.parametrize(
    ('names', 'rows'), [(SINGLE, 'pictures'), (SEVERAL, 'paths'), (SINGLE, 'windows paths')]
)
def test_labels_that_pandas_wrote_are_read(tmp_path: Path, names: tuple[str, ...], rows: str):
    """Projects before DeepLabCut 2.2 hold the path of a picture as one text."""
    index = labels_index()
    if rows != 'pictures':
        index = [('/' if rows == 'paths' else '\\').join(place) for place in index]
    path = tmp_path / 'CollectedData_ann.h5'
    table(names, ('x', 'y'), index).to_hdf(path, key='df_with_missing', mode='w')

    assert sniff_format(path) == 'deeplabcut-h5'
    labels = read_labels(path)

    assert labels.name == 'clip'
    assert labels.skeleton.keypoint_names == ('nose', 'tail')
    assert [frame.index for frame in labels.frames] == [7, 12, 30]
    width = 4 * (2 if names == SEVERAL else 1)
    (first, *_) = labels[12]
    assert first.visibility.tolist() == [0, 2]
    assert first.keypoints[1].tolist() == [2.5, 3.5]
    assert labels[30][0].keypoints.tolist() == [
        [width + 0.5, width + 1.5],
        [width + 2.5, width + 3.5],
    ]
    assert {p.source for p in labels.persons} == {'given'}
    assert labels.track_ids == ((0, 1) if names == SEVERAL else (0,))
    # The name of the file tells who made it.
    made = path.rename(tmp_path / 'machinelabels.h5')
    assert {p.source for p in read_labels(made).persons} == {'propagated'}


@pytest.mark.parametrize(('names', 'form'), [(SINGLE, 'table'), (SEVERAL, 'fixed')])
def test_predictions_that_pandas_wrote_are_estimates(
    tmp_path: Path, names: tuple[str, ...], form: str
):
    """``analyze_videos`` writes the form 'table', whose columns are pickled."""
    path = tmp_path / 'mondayann.h5'
    frame = table(names, ('x', 'y', 'likelihood'), range(4))
    (frame / 10).to_hdf(path, key='df_with_missing', mode='w', format=form)

    labels = read_labels(path)

    assert labels.name == 'monday'
    assert [frame.index for frame in labels.frames] == [0, 1, 2, 3]
    width = 6 * (2 if names == SEVERAL else 1)
    first = labels[1][0]
    assert first.source == 'propagated'
    cells = (np.arange(6) + width + 0.5) / 10
    np.testing.assert_array_equal(first.keypoints, cells.reshape(2, 3)[:, :2])
    np.testing.assert_array_equal(first.scores, cells.reshape(2, 3)[:, 2])


def test_columns_of_whole_numbers_keep_their_places(tmp_path: Path):
    """pandas stores columns of another type as a block of their own."""
    path = tmp_path / 'CollectedData_ann.h5'
    frame = table(SINGLE, ('x', 'y'), labels_index())
    frame[('ann', 'tail', 'x')] = [4, 5, 6]
    frame.to_hdf(path, key='df_with_missing', mode='w')
    assert read_labels(path)[7][0].keypoints.tolist() == [[8.5, 9.5], [6, 11.5]]

    both = pandas.concat([frame, frame.rename(columns={'ann': 'bob'}, level=0)], axis=1)
    both.to_hdf(path, key='df_with_missing', mode='w')
    with pytest.raises(InputError, match=r'columns of 2 scorers \(ann, bob\)'):
        read_labels(path)


class Call:
    """What would make a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._folder),)


def test_a_file_runs_no_code(tmp_path: Path):
    path = tmp_path / 'mondayann.h5'
    table(SINGLE, ('x', 'y', 'likelihood'), range(4)).to_hdf(
        path, key='df_with_missing', mode='w', format='table'
    )
    with h5py.File(path, 'a') as file:
        call = pickle.dumps(Call(tmp_path / 'made'), protocol=0)
        file['df_with_missing'].attrs['non_index_axes'] = np.bytes_(call)

    with pytest.raises(
        InputError, match=r'not a DeepLabCut table \(UnpicklingError .it would call posix\.mkdir'
    ):
        read_labels(path)
    assert not (tmp_path / 'made').exists()


@pytest.mark.parametrize('forms', [('fixed', 'table'), ('table', 'fixed'), ('fixed', 'fixed')])
@pytest.mark.parametrize('first', ['keypoints', 'df_with_missing'])
def test_of_two_tables_deeplabcuts_own_is_read(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, forms: tuple[str, str], first: str
):
    """napari-deeplabcut adds its own table; ``info`` is one of PyTables, not of pandas."""
    path = tmp_path / 'CollectedData_ann.h5'
    labels = table(SINGLE, ('x', 'y'), [f'labeled-data/clip/img{i}.png' for i in range(3)])
    tables = {'df_with_missing': (labels, forms[0]), 'keypoints': (labels + 100, forms[1])}
    for key in sorted(tables, key=lambda key: key != first):
        tables[key][0].to_hdf(path, key=key, mode='a', format=tables[key][1])
    with h5py.File(path, 'a') as file:
        file.create_dataset('info', data=np.arange(3))

    assert read_labels(path)[1][0].keypoints.tolist() == [[4.5, 5.5], [6.5, 7.5]]
    (warning,) = recwarn
    assert str(warning.message) == (
        f'{path} holds the tables df_with_missing, keypoints: df_with_missing is read'
    )


def test_a_table_of_any_name_is_read(tmp_path: Path):
    path = tmp_path / 'CollectedData_ann.h5'
    table(SINGLE, ('x', 'y'), labels_index()).to_hdf(path, key='keypoints', mode='w')
    assert read_labels(path)[7][0].keypoints[1].tolist() == [10.5, 11.5]


def test_a_folder_with_an_h5_file_alone_is_read(tmp_path: Path):
    folder = tmp_path / 'labeled-data' / 'clip'
    folder.mkdir(parents=True)
    data = table(SINGLE, ('x', 'y'), labels_index())
    data.to_hdf(folder / 'CollectedData_ann.h5', key='df_with_missing', mode='w')
    assert [*read_labels(folder)] == [7, 12, 30]


def copy_table(file: Any) -> None:
    file.move('df_with_missing', 'a')
    file.copy('a', 'b')


def rename_header(file: Any) -> None:
    file['df_with_missing'].attrs.update(axis0_nlevels=2, block0_items_nlevels=2)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (copy_table, 'ValueError .2 tables of pandas in a, b'),
        (lambda file: file['df_with_missing'].attrs.pop('pandas_type'), 'ValueError .0 tables of'),
        (lambda file: file['df_with_missing'].pop('axis1_label0'), 'KeyError'),
        (rename_header, 'ValueError'),
        (lambda file: file['df_with_missing/axis1_label2'].__setitem__(0, 99), 'IndexError'),
    ],
    ids=['two tables', 'no table', 'no index', 'another header', 'a code without a text'],
)
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, change: Any, words: str):
    path = tmp_path / 'a.h5'
    write_labels(sample(), path)
    with h5py.File(path, 'a') as file:
        change(file)

    with pytest.raises(
        InputError,
        match=rf'a\.h5 is HDF5 but not a DeepLabCut table \({words}.* project \(\.slp\)$',
    ):
        read_labels(path)


@pytest.mark.parametrize('keep', [0.01, 0.95])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, keep: float):
    path = tmp_path / 'a.h5'
    write_labels(sample(), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])

    with pytest.raises(InputError, match=r'a\.h5 is HDF5 but not a DeepLabCut table \(OSError'):
        read_labels(path)


def test_a_small_file_does_not_fill_the_memory(tmp_path: Path):
    path = tmp_path / 'a.h5'
    write_labels(sample(), path)
    with h5py.File(path, 'a') as file:
        group = file['df_with_missing']
        del group['block0_values']
        values = group.create_dataset('block0_values', (10**8, 12), chunks=(10**5, 12), dtype=float)
        values.attrs['transposed'] = 1
    assert path.stat().st_size < 10**6

    with pytest.raises(InputError, match='block0_values is too large'):
        read_labels(path)
