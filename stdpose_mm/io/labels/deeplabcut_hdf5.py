"""DeepLabCut's ``.h5`` files (pandas tables in HDF5), converted to the rows of its CSV files.

Read and written with h5py, an optional requirement. DeepLabCut itself uses pandas and PyTables,
which unpickle the content of a file and so may run code of the file's author.
"""

from __future__ import annotations

import importlib
import io
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, note, require_packages
from stdpose_mm.io import PathLike, atomic_path
from stdpose_mm.io.limits import MAX_FRAME_INDEX, MAX_UNZIPPED
from stdpose_mm.text import listed

from .fields import quote
from .label_source import LabelSource

_KEY = 'df_with_missing'
"""Name of the table in DeepLabCut's files."""

Names = tuple[str, ...]

Table = tuple[list[Names], list[Names], list[tuple[list[Names], np.ndarray]]]
"""Names of the columns, texts of the index, and blocks of cells, each with its columns."""


def read_hdf5_rows(source: LabelSource, headers: Sequence[Names]) -> list[list[str]]:
    """Read a table in one of the two formats that pandas writes, 'fixed' and 'table'.

    Args:
        source: The file.
        headers: Row names of every known header; the headers differ in their numbers of rows.

    Returns:
        The rows of the CSV file with the same content.

    Raises:
        InputError: If h5py is not installed, or the file does not hold such a table.
    """
    require_packages(str(source), 'h5py')
    try:
        table = _find_table(source)
        columns, index, blocks = (_read_table if 'table' in table else _read_fixed)(table)
        (names,) = (names for names in headers if len(names) == len(columns[0]))
        place_of = {column: place for place, column in enumerate(columns)}
        if len(index) * len(columns) * 8 > MAX_UNZIPPED:
            raise ValueError('the table is too large')
        cells = np.full((len(index), len(columns)), np.nan)
        for items, block in blocks:
            cells[:, [place_of[item] for item in items]] = block
    except Exception as error:
        # h5py, pickle and numpy raise various errors for a damaged file.
        raise InputError(
            f'{source} is HDF5 but not a DeepLabCut table ({type(error).__name__} '
            f'{quote(str(error))}), expected one, or a SLEAP project (.slp)'
        ) from error
    blank = [''] * (len(index[0]) - 1 if index else 0)
    named = zip(names, zip(*columns, strict=True), strict=True)
    header = [[name, *blank, *row] for name, row in named]
    texts = (['' if cell != cell else repr(cell) for cell in row] for row in cells.tolist())
    return [*header, *([*place, *row] for place, row in zip(index, texts, strict=True))]


def _find_table(source: LabelSource) -> Any:
    tables = [name for name, node in source.hdf5.items() if 'pandas_type' in node.attrs]
    if len(tables) != 1 and _KEY not in tables:
        raise ValueError(f'{len(tables)} tables of pandas in {listed([*source.hdf5], 3)}')
    if len(tables) > 1:
        note(f'{source} holds the tables {listed(tables, 5)}: {_KEY} is read')
    return source.hdf5[_KEY if _KEY in tables else tables[0]]


def find_blocks(source: LabelSource) -> list[tuple[str, str | None, bool, list[int]]]:
    """List the arrays with the cells of a table that :func:`read_hdf5_rows` has read.

    Returns:
        For each, the name of the dataset, the field in it, if any, whether its rows are the
        columns of the table, and the columns of the table that it holds, counted from 0.
    """
    table = _find_table(source)
    columns, _, blocks = (_read_table if 'table' in table else _read_fixed)(table)
    place_of = {column: place for place, column in enumerate(columns)}
    places = [[place_of[item] for item in items] for items, _ in blocks]
    if 'table' in table:
        rows = table['table']
        fields = [name for name in rows.dtype.names if name.startswith('values_block_')]
        return [(rows.name, f, False, of) for f, of in zip(fields, places, strict=True)]
    values = [table[f'block{number}_values'] for number in range(len(blocks))]
    return [
        (data.name, None, 'transposed' not in data.attrs, of)
        for data, of in zip(values, places, strict=True)
    ]


def _read_fixed(table: Any) -> Table:
    blocks = []
    for number in range(int(table.attrs['nblocks'])):
        values = table[f'block{number}_values']
        block = _array(values) if 'transposed' in values.attrs else _array(values).T
        blocks.append((_read_axis(table, f'block{number}_items'), block))
    return _read_axis(table, 'axis0'), _read_axis(table, 'axis1'), blocks


def _read_table(table: Any) -> Table:
    rows = table['table']
    ((_, columns),) = _unpickle(table.attrs['non_index_axes'])
    values = _array(rows)
    names = [name for name in rows.dtype.names if name.startswith('values_block_')]
    blocks = [(_unpickle(rows.attrs[f'{name}_kind']), values[name]) for name in names]
    return columns, [(text,) for text in _texts(values['index'])], blocks


def _read_axis(table: Any, name: str) -> list[Names]:
    if f'{name}_nlevels' not in table.attrs:
        return [(text,) for text in _texts(_array(table[name]))]
    levels = []
    for number in range(int(table.attrs[f'{name}_nlevels'])):
        # The code -1 stands for no text.
        texts = [*_texts(_array(table[f'{name}_level{number}'])), '']
        levels.append([texts[code] for code in _array(table[f'{name}_label{number}']).tolist()])
    return [*zip(*levels, strict=True)]


def _array(data: Any) -> np.ndarray:
    if data.nbytes > MAX_UNZIPPED or len(data) > MAX_FRAME_INDEX or data.dtype.hasobject:
        raise ValueError(f'{data.name} is too large or not an array of numbers or texts')
    return np.asarray(data[()])


def _texts(values: np.ndarray) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values.tolist()]


class _Unpickler(pickle.Unpickler):
    """Unpickler of texts, numbers, lists and dictionaries only, so that it cannot run code."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f'it would call {module_name}.{global_name}')


def _unpickle(data: bytes) -> Any:
    return _Unpickler(io.BytesIO(data)).load()


def write_hdf5_rows(path: PathLike, rows: Sequence[Sequence[str]], num_header: int) -> None:
    """Write a table in the format 'fixed' of pandas, atomically.

    Args:
        path: The file.
        rows: The rows of the CSV file with the same content; the first three columns are the path.
        num_header: Number of header rows.
    """
    h5py = importlib.import_module('h5py')
    header, body = rows[:num_header], rows[num_header:]
    names, columns = [row[0] for row in header], [*zip(*(row[3:] for row in header), strict=True)]
    axes = [('axis0', names, columns), ('block0_items', names, columns), ('axis1', [''] * 3, body)]
    # The temporary file is locked already.
    with atomic_path(path) as temporary, h5py.File(temporary, 'w', locking=False) as file:
        table = file.create_group(_KEY)
        table.attrs.update(pandas_type='frame', encoding='UTF-8', nblocks=1, ndim=2)
        for axis, levels, labels in axes:
            table.attrs.update({f'{axis}_variety': 'multi', f'{axis}_nlevels': len(levels)})
            for number, name in enumerate(levels):
                texts, codes = np.unique([label[number] for label in labels], return_inverse=True)
                level = np.char.encode(texts, 'utf-8') if len(texts) else np.empty(0, 'S1')
                node = table.create_dataset(f'{axis}_level{number}', data=level)
                node.attrs.update({'kind': 'string', **({'name': name} if name else {})})
                table.create_dataset(f'{axis}_label{number}', data=codes.astype(np.int32))
        cells = [[float(cell or 'nan') for cell in row[3:]] for row in body]
        values = np.reshape(cells, (len(body), len(columns))).astype(float)
        table.create_dataset('block0_values', data=values).attrs['transposed'] = 1
