"""Tables of joints over time, in pictures and in space: tidy CSV, TRC, and movement's netCDF.

CSV and TRC are written with the standard library: pandas would write the same CSV file, and the
libraries for TRC only read it. movement analyses animal motion in xarray datasets; scipy writes
these in netCDF's classic form, which every netCDF library reads.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike, atomic_path, write_text
from stdpose_mm.io.disk.atomic import finished_name
from stdpose_mm.structures import Skeleton, VideoLabels
from stdpose_mm.structures.scene_poses import ScenePoses

from .deeplabcut import OWN_SCORER, name_individuals, poses_by_individual
from .fields import quote
from .label_source import read_text

TimeOf = Callable[[int], float | None]
"""Frame -> seconds from the first frame; None if unknown."""

_FORMULA_STARTS = ('=', '+', '-', '@', '\t', '\r', '\n', "'")

COLUMNS = ('frame', 'time', 'person', 'joint', 'x', 'y', 'score', 'source')
SCENE_COLUMNS = (*COLUMNS[:6], 'z', 'error', 'views')

_FEW_FRAMES, _MAX_EMPTY = 100_000, 100
"""Above the first number of rows, there may be at most the second number of rows per listed
frame, so that a few labels cannot make a huge file."""

_TRC_FIELDS = (
    *('DataRate', 'CameraRate', 'NumFrames', 'NumMarkers', 'Units'),
    *('OrigDataRate', 'OrigDataStartFrame', 'OrigNumFrames'),
)

TIMES_NEEDED = (
    'TRC needs the time of every frame, but the frame rate is not known; give a video file, or '
    'write another format and convert it with `stdpose convert --fps`'
)


def write_tidy_csv(labels: VideoLabels, path: PathLike, time_of: TimeOf | None = None) -> None:
    """Write every labelled joint as a row, for R, pandas or a spreadsheet, atomically.

    ``frame`` counts from 0, ``time`` is in seconds, ``person`` is the track id, x and y are pixels,
    ``source`` is 'given' or 'propagated'. Unknown values are left empty. Occlusion, boxes, and
    frames and people without joints are not written. A name that a spreadsheet would run as a
    formula, and one that begins with an apostrophe, gets an apostrophe in front.

    Args:
        labels: The labels.
        path: The ``.csv`` file to write; gzipped if it ends in ``.gz``.
        time_of: Frame -> seconds from the first frame; None if unknown.
    """
    table = io.StringIO(newline='')
    writer = csv.writer(table, lineterminator='\n')
    writer.writerow(COLUMNS)
    for person in sorted(labels.persons, key=lambda person: person.frame_index):
        time = None if time_of is None else time_of(person.frame_index)
        start = [person.frame_index, None if time is None else round(time, 6), person.track_id]
        for joint in person.labelled.nonzero()[0]:
            place = (
                _no_formula(labels.skeleton.keypoint_names[joint]),
                *person.keypoints[joint].tolist(),
            )
            score = None if person.scores is None else float(person.scores[joint])
            writer.writerow([*start, *place, score, person.keypoint_sources[joint]])
    write_text(path, table.getvalue())


def _no_formula(name: str) -> str:
    """Keep a spreadsheet from running a name; reversible, as one apostrophe in front is removed."""
    return f"'{name}" if name.startswith(_FORMULA_STARTS) else name


def known_times(frames: Iterable[int], time_of: TimeOf | None) -> list[float]:
    """List the times of frames in seconds, without those that are unknown."""
    return [time for frame in frames if time_of and (time := time_of(frame)) is not None]


def require_dense(
    path: PathLike, labels: VideoLabels, frames: range, format: str, lowest: int = 0
) -> None:
    """Refuse to write a row for every one of ``frames`` if the labels list few of very many."""
    if not lowest <= len(frames) <= max(_FEW_FRAMES, _MAX_EMPTY * len(labels)):
        raise InputError(
            f'{path}: {format} has a row for every frame and needs two or more, but {labels.name} '
            f'lists {len(labels)} of {len(frames)} frames, propagate the labels first'
        )


def write_trc(labels: VideoLabels, path: PathLike, time_of: TimeOf | None = None) -> None:
    """Write the joints of a video as markers for OpenSim, Pose2Sim and Sports2D, atomically.

    Video labels are two-dimensional and not in metres, so the file follows Sports2D's pixel form: x
    to the right and y down in pixels, z = 0. Sports2D converts it to metres by the person's height.
    There is a row for every frame from the first to the last of the labels, counted from 1 as the
    format requires. With several people, markers are named ``<track id>_<joint>``. Unlabelled
    joints are empty. Scores, sources, boxes and occlusion are not written.

    Args:
        labels: The labels; people need track ids.
        path: The ``.trc`` file to write.
        time_of: Frame -> seconds from the first frame.

    Raises:
        InputError: If the times are not known, a person has no track id, the labels list few of
            very many frames, or the name of a joint contains a tab or a line break.
    """
    placed = labels.with_persons([person for person in labels.persons if person.has_joint])
    if any(person.track_id is None for person in placed.persons):
        raise InputError(f'{path}: TRC needs track ids, but {labels.name} has people without one')
    people = placed.track_ids
    frames = range(min(labels), max(labels) + 1) if len(labels) else range(0)
    require_dense(path, labels, frames, 'TRC', 2)
    seconds = known_times(frames, time_of)
    if len(seconds) < len(frames):
        raise InputError(f'{path}: {TIMES_NEEDED}')
    markers = [
        joint if len(people) == 1 else f'{track_id}_{joint}'
        for track_id in people
        for joint in labels.skeleton.keypoint_names
    ]
    bad = [name for name in markers if {*name} & {*'\t\n\r'}]
    if bad:
        raise InputError(f'{path}: TRC allows no tab or line break in {quote(bad[0])}, rename it')
    places = np.full((len(frames), len(markers), 3), np.nan)
    rows = np.array([*labels]) - frames[0]
    places[rows, :, :2] = placed.to_array().reshape(len(labels), -1, 2)
    places[..., 2] = np.where(np.isnan(places[..., 0]), np.nan, 0)
    _write_markers(path, markers, frames, seconds, places, 'px')


def _write_markers(
    path: PathLike,
    markers: Sequence[str],
    frames: range,
    seconds: Sequence[float],
    places: np.ndarray,
    unit: str,
) -> None:
    """Write markers as TRC.

    Args:
        path: The file.
        markers: M names.
        frames: F frames, counted from 0.
        seconds: Their times.
        places: [F, M, 3], NaN where unknown.
        unit: Unit of length.
    """
    rate = round((len(seconds) - 1) / (seconds[-1] - seconds[0]), 6)
    values = (rate, rate, len(frames), len(markers), unit, rate, frames[0] + 1, len(frames))
    lines = [
        f'PathFileType\t4\t(X/Y/Z)\t{finished_name(path)}',
        '\t'.join(_TRC_FIELDS),
        '\t'.join(map(str, values)),
        'Frame#\tTime\t' + '\t\t\t'.join(markers) + '\t\t',
        '\t\t' + '\t'.join(f'X{i}\tY{i}\tZ{i}' for i in range(1, len(markers) + 1)),
    ]
    for frame, time, row in zip(frames, seconds, places.tolist(), strict=True):
        cells = [str(frame + 1), repr(round(time, 6))]
        for place in row:
            cells += ['', '', ''] if math.isnan(place[0]) else map(repr, place)
        lines.append('\t'.join(cells))
    write_text(path, '\n'.join(lines) + '\n')


def write_movement(labels: VideoLabels, path: PathLike, time_of: TimeOf | None = None) -> None:
    """Write a dataset of poses as defined by movement, atomically.

    ``position`` is in pixels, ``confidence`` is the score; both are NaN where unknown. ``time`` is
    in seconds, or the frame counted from 0 if times are not known; the coordinate ``frame`` is
    always counted from 0. Individuals have the names of their tracks, else
    ``individual<track id>``. Frames that are not listed have no entry. Sources, occlusion, boxes
    and limbs are not written.

    Args:
        labels: The labels.
        path: The ``.nc`` file to write.
        time_of: Frame -> seconds from the first frame; None if unknown.

    Raises:
        InputError: If no joint is labelled.
    """
    poses, track_names = poses_by_individual(labels)
    names, rows = name_individuals(track_names, has_unique=False), sorted(labels)
    if not names:
        raise InputError(f'{path}: movement needs poses, but {labels.name} has no labelled joint')
    array = np.stack([poses[key] for key in names], axis=-1)  # [F, K, 5, N]
    _write_dataset(
        path,
        rows,
        known_times(rows, time_of),
        labels.skeleton.keypoint_names,
        [name or 'individual0' for name in names.values()],
        {'position': array[:, :, :2].swapaxes(1, 2), 'confidence': array[:, :, 3]},
    )


def _write_dataset(
    path: PathLike,
    rows: Sequence[int],
    times: Sequence[float],
    joints: Sequence[str],
    individuals: Sequence[str],
    variables: Mapping[str, np.ndarray],
) -> None:
    """Write a dataset of poses of movement.

    Args:
        path: The file.
        rows: F frames.
        times: Their times in seconds; fewer if unknown.
        joints: Names of the K joints.
        individuals: Names of the N individuals.
        variables: Name -> [F, space, K, N], or [F, K, N] without an axis for space.
    """
    from scipy.io import netcdf_file

    texts = {
        'space': ['x', 'y', 'z'][: variables['position'].shape[1]],
        'keypoints': joints,
        'individuals': individuals,
    }
    with atomic_path(path) as temporary, netcdf_file(str(temporary), 'w', version=2) as file:
        file.ds_type, file.source_software, file.time_unit = 'poses', OWN_SCORER, 'frames'
        file.createDimension('time', len(rows))
        file.createVariable('frame', 'i', ('time',))[:] = rows
        if 1 < len(times) == len(rows):
            file.time_unit, file.fps = 'seconds', (len(times) - 1) / (times[-1] - times[0])
            file.createVariable('time', 'd', ('time',))[:] = times
        else:
            file.createVariable('time', 'i', ('time',))[:] = rows
        for name, values in texts.items():
            letters = np.char.encode(values, 'utf-8')
            file.createDimension(name, len(letters))
            file.createDimension(f'{name}_length', letters.itemsize)
            text = file.createVariable(name, 'c', (name, f'{name}_length'))
            text[:], text._Encoding = letters.view('S1').reshape(len(letters), -1), 'utf-8'
        for name, array in variables.items():
            axes = ('time', *['space'][: array.ndim - 3], 'keypoints', 'individuals')
            data = file.createVariable(name, 'd', axes)
            data[:], data.coordinates = array, 'frame'


def write_scene(poses: ScenePoses, path: PathLike, fps: float, unit: str) -> None:
    """Write poses in space as TRC (``.trc``), CSV (``.csv``) or a dataset of movement (``.nc``).

    Axes and lengths are those of the calibration. The table has a row for each known joint, and it
    and the dataset tell the error in pixels and the number of views. With several people, markers
    of TRC are named ``<track id>_<joint>``.

    Args:
        poses: The poses.
        path: The file.
        fps: Frames per second.
        unit: Unit of length, for TRC: m or mm.
    """
    joints, suffix = poses.skeleton.keypoint_names, Path(path).suffix
    seconds = [time / fps for time in poses.times]
    if suffix == '.trc':
        names = ['' if len(poses.people) == 1 else f'{track_id}_' for track_id in poses.people]
        markers = [f'{name}{joint}' for name in names for joint in joints]
        places = poses.points.reshape(len(seconds), -1, 3)
        _write_markers(path, markers, poses.times, seconds, places, unit)
    elif suffix == '.nc':
        variables = {
            'position': poses.points.transpose(0, 3, 2, 1),
            'reprojection_error': poses.errors.swapaxes(1, 2),
            'num_views': poses.views.swapaxes(1, 2),
        }
        people = [f'individual{track_id}' for track_id in poses.people]
        _write_dataset(path, poses.times, seconds, joints, people, variables)
    else:
        table = io.StringIO(newline='')
        writer = csv.writer(table, lineterminator='\n')
        writer.writerow(SCENE_COLUMNS)
        for row, column, joint in np.argwhere(np.isfinite(poses.points[..., 0])).tolist():
            at = row, column, joint
            start = poses.times[row], round(seconds[row], 6), poses.people[column]
            end = round(float(poses.errors[at]), 3), int(poses.views[at])
            place = poses.points[at].tolist()
            writer.writerow([*start, _no_formula(joints[joint]), *place, *end])
        write_text(path, table.getvalue())


def read_scene(path: PathLike) -> ScenePoses:
    """Read poses in space from CSV or TRC, see :func:`write_scene`; errors and views are unknown.

    The table needs the columns frame, person, joint, x, y and z.

    Raises:
        InputError: If the file is not as described, or holds no joint.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in ('.csv', '.trc'):
        raise InputError(f'{path} holds no joints in space, expected a .csv or .trc file')
    lines = read_text(path).splitlines()
    try:
        places = _table_places(lines) if suffix == '.csv' else _marker_places(lines)
    except (ValueError, LookupError) as error:
        what = 'table' if suffix == '.csv' else 'marker file (TRC)'
        raise InputError(f'{path} is no {what} of joints in space: {error}') from error
    if not places:
        raise InputError(f'{path} holds no joint')
    frames, people, joints = (list(dict.fromkeys(values)) for values in zip(*places, strict=True))
    times = range(min(frames), max(frames) + 1)
    if len(times) > max(_FEW_FRAMES, _MAX_EMPTY * len(frames)):
        raise InputError(f'{path} has {len(frames)} of {len(times)} frames, expected all')
    people.sort()
    points = np.full((len(times), len(people), len(joints), 3), np.nan)
    for (frame, person, joint), place in places.items():
        points[frame - times.start, people.index(person), joints.index(joint)] = place
    unknown = np.full(points.shape[:3], np.nan)
    skeleton = Skeleton(tuple(joints))
    return ScenePoses(skeleton, tuple(people), times, points, unknown, np.zeros(unknown.shape, int))


_Places = dict[tuple[int, int, str], tuple[float, ...]]
"""Frame, person and joint -> its place."""


def _table_places(lines: Sequence[str]) -> _Places:
    reader = csv.DictReader(lines)
    needed = ('frame', 'person', 'joint', 'x', 'y', 'z')
    if not {*needed} <= {*(reader.fieldnames or ())}:
        raise ValueError('expected the columns frame, person, joint, x, y and z')
    places: _Places = {}
    for row in reader:
        try:
            place = float(row['x']), float(row['y']), float(row['z'])
            places[int(row['frame']), int(row['person']), row['joint']] = place
        except (TypeError, ValueError) as error:
            raise ValueError(f'line {reader.line_num}: {error}') from error
    return places


def _marker_places(lines: Sequence[str]) -> _Places:
    """Read markers, of which ``<number>_<joint>`` is one of that person."""
    markers = [name for name in lines[3].split('\t')[2:] if name]
    named = [re.fullmatch(r'(?:([0-9]{1,18})_)?(.*)', name) for name in markers]
    places: _Places = {}
    for line in lines[5:]:
        cells = line.split('\t')
        for number, name in enumerate(named):
            place = cells[2 + 3 * number : 5 + 3 * number]
            if name is not None and len(place) == 3 and all(place):
                key = int(cells[0]) - 1, int(name[1] or 0), name[2]
                places[key] = tuple(map(float, place))
    return places
