"""Tables of DeepLabCut and of Lightning Pose, which uses the same format.

Labels made by hand are ``CollectedData_<scorer>.csv``, with one row per picture; predictions have
one row per frame and a column ``likelihood`` next to x and y. Both hold one animal or, with a
fourth header row, several. Labels that were made from predictions may still have the column
``likelihood``; since version 2.4, labels of Lightning Pose may have ``visible`` there, COCO's v.

Read and written with the standard library: sleap-io also reads these files, but leaves out every
frame whose picture is missing, renumbers the remaining frames, and sorts the joints by name;
movement needs pandas and reads only predictions.

DeepLabCut leaves out joints that cannot be seen, so all its labelled joints are visible.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress, count
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike, write_text
from stdpose_mm.io.disk.file_names import is_picture, video_name
from stdpose_mm.io.disk.outputs import project_file
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_FRAME_INDEX
from stdpose_mm.structures import NOT_LABELLED, OCCLUDED, TRACK_NAME, VISIBLE, Skeleton, VideoLabels
from stdpose_mm.text import listed

from .deeplabcut_hdf5 import read_hdf5_rows, write_hdf5_rows
from .fields import errors_of, number_in, quote
from .frame_numbers import base_name, frame_indices
from .label_source import LabelSource
from .labelled_pictures import LabelledPicture, videos_of_pictures
from .poses import Person, video_of_frames, without_placeholders

_HEADER = ('scorer', 'bodyparts', 'coords')
_HEADER_OF_SEVERAL = ('scorer', 'individuals', 'bodyparts', 'coords')
HEADERS = (_HEADER, _HEADER_OF_SEVERAL)
_PLACE = ['x', 'y']
_PREDICTIONS, _VISIBLE = [*_PLACE, 'likelihood'], [*_PLACE, 'visible']

_NEEDED = {'z', 'likelihood', 'visible'}
"""Kinds of columns without which x and y would be misunderstood."""

_LABELS = 'CollectedData'
"""Start of the names of files of labels."""

_FRAME = re.compile(r'[0-9]+(?:\.0*)?')

OWN_SCORER = 'stdpose'
"""Scorer in files that this package wrote from labels that are not all given."""

_UNIQUE = 'single'
"""DeepLabCut's name for the individual of the unique bodyparts, which exist only once, such as the
corner of an arena. It has columns only for these bodyparts, and other individuals have none."""

_PROJECT_FIELDS = 'deeplabcut'
"""Key of ``VideoLabels.extra`` for the individuals and unique bodyparts of a project."""


@dataclass(frozen=True)
class _Layout:
    """Contents of the header.

    Args:
        scorer: Name of the annotator or model.
        rows: Number of header rows.
        num_paths: Number of columns before the joints; they hold the path of a picture.
        skeleton: The joints of all individuals, in the order of their first columns.
        individuals: Names of the individuals, '' for a single animal.
        columns: [I, K, C] column of each kind of each joint of each individual; -1 for none.
        kinds: The C kinds of the columns of a joint, such as x and y.
        is_prediction: Whether a network made the file, according to its name, else its columns.
    """

    scorer: str
    rows: int
    num_paths: int
    skeleton: Skeleton
    individuals: list[str]
    columns: np.ndarray
    kinds: list[str]
    is_prediction: bool

    @property
    def extra(self) -> dict[str, Any]:
        """The fields for ``VideoLabels.extra``; empty without unique bodyparts."""
        is_unique = np.array([name == _UNIQUE for name in self.individuals])
        has_column = self.columns[:, :, 0] >= 0
        unique = has_column[is_unique].any(axis=0)
        if not unique.any() or (has_column[~is_unique] & unique).any():
            return {}
        others = [name for name in self.individuals if name != _UNIQUE]
        names = [*compress(self.skeleton.keypoint_names, unique)]
        return {_PROJECT_FIELDS: {'individuals': others, 'unique_bodyparts': names}}


def tables_in(folder: LabelSource) -> list[LabelSource]:
    """List the tables of people's labels in ``labeled-data/<video>``, each as CSV if possible."""
    files = {Path(file): file for file in folder.files if Path(file).name.startswith(_LABELS)}
    tables = {p.stem: f for s in ('.h5', '.csv') for p, f in files.items() if p.suffix == s}
    if len(tables) > 1:
        # Results that were put beside the labels to train on.
        tables.pop(f'{_LABELS}_{OWN_SCORER}', None)
    return sorted(tables.values(), key=os.fspath)


def is_deeplabcut(source: LabelSource) -> bool:
    """Tell whether a file is DeepLabCut's CSV."""
    return source.head.startswith(b'scorer,')


def is_deeplabcut_hdf5(source: LabelSource) -> bool:
    """Tell whether a file may be DeepLabCut's HDF5."""
    return source.is_hdf5


def read_deeplabcut(path: PathLike) -> list[VideoLabels]:
    """Read labels or predictions of DeepLabCut or Lightning Pose.

    Labels are 'given', or 'propagated' if this package wrote the file from propagated labels. A
    file ``CollectedData...`` holds labels, whatever its columns; ``machinelabels...`` holds
    predictions. Predictions are 'propagated', as estimates of a network, with the likelihood as
    score. A joint without likelihood gets the score 1; an individual without any has no scores.

    Args:
        path: ``CollectedData_<scorer>.csv``, or the folder ``labeled-data/<video>`` with this file,
            or the CSV of ``analyze_videos``, of Lightning Pose's predictions or of EKS, or
            DeepLabCut's ``.h5`` with the same content.

    Returns:
        One entry per folder of pictures, named after it. Frame indices are the numbers in the
        names of the pictures (``img0042.png`` is frame 42 of its video), see
        :func:`~stdpose_mm.io.labels.frame_numbers.frame_indices`. Predictions of a video are one
        entry, named after the file without the scorer; their rows are named by frame. Track ids
        are the positions of the individuals in the header, 0 for a single animal. The unique
        bodyparts of a project are joints of the individual ``single``. Limbs are not read, because
        they are in DeepLabCut's ``config.yaml``. Further columns are left out with a note.

    Raises:
        InputError: If the file is not as described.
    """
    source = LabelSource.of(path)
    if source.is_folder:
        tables = tables_in(source)
        if len(tables) != 1:
            files = listed([Path(table).name for table in tables], 5) or 'none'
            raise InputError(f'{path} is a folder, expected one {_LABELS} file in it, got {files}')
        path = source = tables[0]
    rows = read_hdf5_rows(source, HEADERS) if source.is_hdf5 else _read_csv_rows(source)
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            expected = len(rows[0])
            raise InputError(f'{path}: row {number} has {len(row)} columns, expected {expected}')
    layout = read_layout(path, rows)
    body = rows[layout.rows :]
    if body and _names_index(body[0], layout):
        del body[0]
    by_frame = layout.is_prediction and all(_FRAME.fullmatch(row[0]) for row in body)
    names = [f'frame {row[0]}' if by_frame else '/'.join(row[: layout.num_paths]) for row in body]
    groups = _read_people(path, names, body, layout)
    if by_frame:
        if not layout.scorer:
            raise InputError(f'{path} has an empty scorer, expected the name of the network there')
        indices = [int(row[0].partition('.')[0][:18]) for row in body]
        if max(indices, default=0) > MAX_FRAME_INDEX:
            raise InputError(f'{path}: frame numbers must be at most 1e7, got {max(indices)}')
        # The files are named <video><scorer>.csv.
        name = video_name(path).split(layout.scorer)[0] or video_name(path)
        frames = zip(indices, groups, strict=True)
        return [video_of_frames(path, name, layout.skeleton, frames, layout.extra)]
    by_hand = not layout.is_prediction
    pictures = (
        LabelledPicture(name, people, None, True if people and by_hand else None, str(path))
        for name, people in zip(names, groups, strict=True)
    )
    videos = videos_of_pictures(path, pictures, layout.skeleton, first_number=0)
    return [replace(video, extra={**video.extra, **layout.extra}) for video in videos]


def _names_index(row: Sequence[str], layout: _Layout) -> bool:
    """Tell whether the first row after the header holds the names of pandas' index."""
    last, *cells = row[layout.num_paths - 1 :]
    return not any(cells) and not last.isdigit() and not is_picture(Path(base_name(last)))


def _read_csv_rows(source: LabelSource) -> list[list[str]]:
    try:
        # The file may end in empty lines.
        return [row for row in csv.reader(io.StringIO(source.text(), newline='')) if row]
    except csv.Error as error:
        raise InputError(f'{source} is not CSV: {error}') from error


def read_layout(path: PathLike, rows: Sequence[Sequence[str]]) -> _Layout:
    """Read the header of a table.

    Raises:
        InputError: If it is not a table of DeepLabCut.
    """
    first = tuple(row[0] for row in rows[:4])
    header = rows[:3] if first[:3] == _HEADER else rows[:4] if first == _HEADER_OF_SEVERAL else []
    columns = [*enumerate(zip(*header, strict=True))][1:]
    present = {column[-1] for _, column in columns} - {''}
    kinds = next((kinds for kinds in (_PREDICTIONS, _VISIBLE) if present.issuperset(kinds)), _PLACE)
    further = sorted(present.difference(kinds))
    num_paths = next((i for i, column in columns if column[-1]), 0)
    # The columns may be in any order: they are identified by their names.
    columns = [(i, column) for i, column in columns if column[-1] in kinds]
    place_of = {(column[:-1], column[-1]): i for i, column in columns}
    joints = [*dict.fromkeys(joint for joint, _ in place_of)]
    scorers = [*dict.fromkeys(joint[0] for joint in joints)]
    if len(scorers) > 1:
        raise InputError(
            f'{path} holds columns of {len(scorers)} scorers ({listed(scorers, 5)}), expected '
            'those of one person or network: remove the others'
        )
    is_complete = len(joints) * len(kinds) == len(place_of) == len(columns) > 0
    if not is_complete or _NEEDED.intersection(further):
        raise InputError(
            f'{path} is not a DeepLabCut file: expected header rows scorer, (individuals,) '
            'bodyparts, coords with x, y, or x, y, visible, or x, y, likelihood, once per '
            f'bodypart, got {quote(sorted(present) if header else first)}'
        )
    if further:
        note(f'{path}: only the columns {", ".join(kinds)} are read, not {listed(further, 8)}')
    names = [*dict.fromkeys(joint[-1] for joint in joints)]
    individuals = [*dict.fromkeys(joint[1:-1] for joint in joints)]
    places = np.full((len(individuals), len(names), len(kinds)), -1)
    for joint in joints:
        place = individuals.index(joint[1:-1]), names.index(joint[-1])
        places[place] = [place_of[joint, kind] for kind in kinds]
    with errors_of(path):
        skeleton = Skeleton(tuple(names), category='animal')
    name = Path(path).name.lower()
    by_columns = kinds is _PREDICTIONS and not name.startswith(_LABELS.lower())
    layout = scorers[0], len(header), num_paths, skeleton, [*map(''.join, individuals)], places
    return _Layout(*layout, kinds, by_columns or name.startswith('machinelabels'))


def _read_people(
    path: PathLike, names: Sequence[str], body: Sequence[Sequence[str]], layout: _Layout
) -> list[list[Person]]:
    """Read the fields of a label for every individual with a joint in each of the R rows."""
    columns = layout.columns.ravel().tolist()
    cells = [[number_in(row[i]) if i >= 0 else math.nan for i in columns] for row in body]
    values = np.reshape(cells, (-1, *layout.columns.shape))  # [R, I, K, C]
    if layout.kinds is _VISIBLE:
        values = without_placeholders(values)
    lacks = np.isnan(values)
    labelled = ~lacks[..., 0]
    is_wrong = (lacks[..., 0] != lacks[..., 1]) | (np.abs(values) > MAX_COORDINATE).any(axis=-1)
    visibility = np.full(labelled.shape, VISIBLE)
    if layout.kinds is _VISIBLE:
        visibility = np.where(lacks[..., 2], VISIBLE, values[..., 2])
        is_wrong |= ~np.isin(visibility, (NOT_LABELLED, OCCLUDED, VISIBLE))
        labelled &= visibility != NOT_LABELLED
    for r, i, k in np.argwhere(is_wrong)[:1]:
        texts = ','.join(body[r][column] for column in layout.columns[i, k])
        raise InputError(
            f'{path}: a joint of {names[r]} must be two numbers within +-1e7, or empty, got '
            f'{quote(texts)}'
        )
    is_scored = ~lacks[..., -1] & labelled
    is_scored &= layout.is_prediction and layout.kinds is _PREDICTIONS
    # A joint that was corrected in DeepLabCut has no likelihood; it is certain.
    scores = np.where(is_scored, values[..., -1], labelled)
    points = np.where(labelled[..., None], values[..., :2], 0.0)
    visibility = np.where(labelled, visibility, NOT_LABELLED)
    is_estimate = layout.is_prediction or layout.scorer == OWN_SCORER
    groups: list[list[Person]] = [[] for _ in body]
    for r, i in np.argwhere(labelled.any(axis=-1)).tolist():
        individual = layout.individuals[i]
        fields = {
            'keypoints': points[r, i],
            'visibility': visibility[r, i],
            'track_id': i,
            'scores': scores[r, i] if is_scored[r, i].any() else None,
            'source': 'propagated' if is_estimate else 'given',
            'extra': {TRACK_NAME: individual} if individual else {},
        }
        groups[r].append(fields)
    return groups


def write_lightning_pose(labels: VideoLabels, path: PathLike) -> None:
    """Write Lightning Pose's form: see :func:`write_deeplabcut`, with ``visible``."""
    write_deeplabcut(labels, path, visible=True)


def write_deeplabcut(labels: VideoLabels, path: PathLike, visible: bool = False) -> None:
    """Write the joints of a video as DeepLabCut's ``CollectedData_<scorer>``, atomically.

    All joints with coordinates are written, given or propagated: DeepLabCut does not distinguish
    them. If one of them is propagated, the scorer is ``stdpose``, which the reader recognises. A
    second file ``<name of the file>_config.yaml`` holds the fields for the project's
    ``config.yaml``. Pictures are named ``labeled-data/<video>/img0042.png``, unless their names in
    the labels already hold the frame numbers. People without a track id use columns that are free
    in the frame. Occluded joints become visible; scores and boxes are not written.

    Unique bodyparts are those of the file that was read, else the joints that only a person named
    ``single`` has. Only the individual ``single`` has columns for them, and for no other joints;
    joints that have no column because of this are left out with a warning.

    Args:
        labels: The labels.
        path: The ``.csv`` file to write, or the ``.h5`` file, which DeepLabCut reads directly.
        visible: Write Lightning Pose's form: with a column ``visible``, which marks occluded
            joints, and without a project file. A warning says if there are several animals, because
            Lightning Pose reads only one per file.
    """
    poses, track_names = poses_by_individual(labels)
    joints_of, key_of = _columns(labels, poses, track_names)
    by_hand = not any(p.has_propagated_joint for p in labels.persons)
    scorer = 'annotator' if by_hand else OWN_SCORER
    columns = [(name, joint) for name, joints in joints_of.items() for joint in joints]
    names = labels.skeleton.keypoint_names
    kinds = _VISIBLE if visible else _PLACE
    several = any(joints_of)
    if visible and several:
        note(f'{path} holds {len(joints_of)} animals, but Lightning Pose reads only one per file')
    left_out = [
        f'{names[joint]} of {quote(name)}'
        for name, key in key_of.items()
        for joint in _labelled_joints(poses[key])
        if joint not in joints_of[name]
    ]
    if left_out:
        note(
            f'{path}: {len(left_out)} joints are left out, such as {left_out[0]}: in DeepLabCut '
            f'the individual {_UNIQUE!r} has the unique bodyparts, and no others'
        )
    heads = [(scorer, name, names[joint], kind) for name, joint in columns for kind in kinds]
    header = zip(_HEADER_OF_SEVERAL, zip(*heads, strict=True), strict=True)
    table = [[word, '', '', *row] for word, row in header if several or word != 'individuals']
    folder = PurePosixPath(labels.name).name or 'video'
    pictures = _picture_names(labels)
    for row, index in enumerate(sorted(labels)):
        cells: list[str] = []
        for name, joint in columns:
            place = poses[key_of[name]][row, joint].tolist() if name in key_of else [math.nan] * 3
            x, y, flag = place[:3]
            texts = ['', '', '0'] if math.isnan(x) else [repr(x), repr(y), f'{flag:.0f}']
            cells += texts[: len(kinds)]
        if {*cells} - {'', '0'}:
            table.append(['labeled-data', folder, pictures[index], *cells])
    suffix = Path(path).suffix
    if visible:
        table = [['/'.join(filter(None, row[:3])), *row[3:]] for row in table]
    else:
        write_text(project_file(path, 'deeplabcut'), _config(labels, scorer, joints_of, suffix))
    if suffix == '.h5':
        write_hdf5_rows(path, table, 3 + several)
        return
    text = io.StringIO(newline='')
    csv.writer(text, lineterminator='\n').writerows(table)
    write_text(path, text.getvalue())


Individual = tuple[bool, int]
"""(False, track id), or (True, position among the people of a frame without a track id)."""

Poses = dict[Individual, np.ndarray]
"""Individual -> [F, K, 5] x, y, visibility, score and whether it is given (0 or 1) of the joints in
ascending frames; NaN for joints without a label, and for unknown scores."""


def poses_by_individual(labels: VideoLabels) -> tuple[Poses, dict[Individual, str]]:
    """Collect the poses of all individuals with a labelled joint, and their track names or ''."""
    poses: Poses = {}
    names: dict[Individual, str] = {}
    for row, index in enumerate(sorted(labels)):
        unnamed = count()
        for person in labels[index]:
            joints = person.labelled
            if not joints.any():
                continue
            track_id = person.track_id
            key = (True, next(unnamed)) if track_id is None else (False, track_id)
            names[key] = names.get(key) or str(person.extra.get(TRACK_NAME) or '')
            if key not in poses:
                poses[key] = np.full((len(labels), len(joints), 5), np.nan)
            scores = np.full(len(joints), np.nan) if person.scores is None else person.scores
            flags = (person.visibility, scores, person.given)
            fields = np.column_stack([person.keypoints, *flags])
            poses[key][row, joints] = fields[joints]
    return poses, names


def _labelled_joints(poses: np.ndarray) -> list[int]:
    """List the joints of all labelled places in poses [F, K, 5]."""
    joints: list[int] = np.nonzero(~np.isnan(poses[..., 0]))[1].tolist()
    return joints


def _columns(
    labels: VideoLabels, poses: Poses, track_names: Mapping[Individual, str]
) -> tuple[dict[str, list[int]], dict[str, Individual]]:
    """Choose the columns of a file.

    Returns:
        Name -> joints of every individual, in the order of the columns (the unique bodyparts, if
        any, are those of ``single``, which comes last; the name is '' for a single animal without
        a name); and name -> individual.
    """
    stated, unique = _stated_project(labels)
    if not unique:
        of: dict[bool, set[int]] = {True: set(), False: set()}
        for key, name in track_names.items():
            of[name == _UNIQUE].update(_labelled_joints(poses[key]))
        unique = sorted(of[True]) if of[False] and not of[True] & of[False] else []
    names = name_individuals(track_names, bool(unique))
    shared = [joint for joint in range(labels.skeleton.num_keypoints) if joint not in unique]
    listed = [*stated, *(name for name in names.values() if name != _UNIQUE)]
    joints_of = dict.fromkeys(listed, shared)
    if unique:
        joints_of[_UNIQUE] = unique
    return joints_of or {'': shared}, {name: key for key, name in names.items()}


def _stated_project(labels: VideoLabels) -> tuple[list[str], list[int]]:
    """Return the individuals and unique joints of the file that was read, if it has unique ones."""
    fields = labels.extra.get(_PROJECT_FIELDS)
    # The fields may have passed through a file that was edited by hand.
    fields = fields if isinstance(fields, dict) else {}
    values = [fields.get(name) for name in ('individuals', 'unique_bodyparts')]
    lists = [value if isinstance(value, list) else [] for value in values]
    individuals, bodyparts = ([i for i in items if isinstance(i, str)] for items in lists)
    unique = [j for j, name in enumerate(labels.skeleton.keypoint_names) if name in bodyparts]
    return [name for name in individuals if unique and name not in ('', _UNIQUE)], unique


def name_individuals(named: Mapping[Individual, str], has_unique: bool) -> dict[Individual, str]:
    """Give every individual a distinct name; a single individual may stay without one.

    Args:
        named: Individual -> its name so far, or ''.
        has_unique: Whether there are unique bodyparts, so that one may be named ``single``.
    """
    if not has_unique and len(named) <= 1 and _UNIQUE not in named.values():
        return dict(named)
    names: dict[Individual, str] = {}
    for key in sorted(named):
        name = named[key]
        if not name or name in names.values() or (name == _UNIQUE and not has_unique):
            name = f'individual{len(names)}' if key[0] else f'individual{key[1]}'
        while name in names.values():
            name += '_'
        names[key] = name
    return names


def _picture_names(labels: VideoLabels) -> dict[int, str]:
    """Name the pictures of all frames so that each name holds its frame index."""
    names = {frame.index: base_name(frame.file_name) for frame in labels.frames}
    if all(names.values()):
        indices, numbering = frame_indices('', [*names.values()], first_number=0)
        # Names that may hold times do not identify frames.
        if indices == [*names] and not numbering.times:
            return names
    # DeepLabCut writes as many digits as the length of the video needs. Its project names the
    # pictures of the labelled frames like this, so all rows must use the same number of digits.
    extracted = [re.fullmatch(r'img(\d+)\.png', name) for name in names.values()]
    digits = max((len(name[1]) for name in extracted if name), default=4)
    digits = max(digits, len(str(max(labels, default=0))))
    return {index: f'img{index:0{digits}d}.png' for index in labels}


def _config(
    labels: VideoLabels, scorer: str, joints_of: Mapping[str, Sequence[int]], suffix: str
) -> str:
    """Make the fields of DeepLabCut's ``config.yaml``; JSON values are YAML too.

    Args:
        labels: The labels.
        scorer: Name of the scorer in the table.
        joints_of: Name -> joints of every individual; the name is '' in a project of one animal.
        suffix: Suffix of the table's file.
    """
    names = labels.skeleton.keypoint_names
    several = any(joints_of)
    fields: dict[str, Any] = {'scorer': scorer, 'multianimalproject': several}
    if several:
        unique = joints_of.get(_UNIQUE, [])
        fields |= {
            # DeepLabCut adds the individual of the unique bodyparts automatically.
            'individuals': [name for name in joints_of if name != _UNIQUE],
            'multianimalbodyparts': [n for j, n in enumerate(names) if j not in unique],
            'uniquebodyparts': [names[joint] for joint in unique],
        }
    fields['bodyparts'] = 'MULTI!' if several else names
    fields['skeleton'] = [[names[a], names[b]] for a, b in labels.skeleton.limbs]
    lines = [f'{key}: {json.dumps(value, ensure_ascii=False)}' for key, value in fields.items()]
    return (
        "# Copy these fields into the project's config.yaml, and the table next to this file to\n"
        f'# labeled-data/{PurePosixPath(labels.name).name}/'
        f'CollectedData_{scorer}{suffix};\n'
        '# deeplabcut.convertcsv2h5(config) turns CSV into the .h5 that DeepLabCut trains on.\n'
        + ''.join(f'{line}\n' for line in lines)
    )
