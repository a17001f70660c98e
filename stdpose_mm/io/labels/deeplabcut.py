"""DeepLabCut's labels: ``CollectedData_<scorer>.csv`` of one animal or of several.

Read with the standard library: sleap-io, which reads these files too, leaves out every frame whose
picture is not on the disk, numbers frames by their place among those, and sorts the joints by name.

DeepLabCut marks a joint that cannot be seen by leaving it out, so labelled joints are visible.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import (
    NOT_LABELLED,
    VISIBLE,
    PersonLabel,
    Skeleton,
    VideoFrame,
    VideoLabels,
)

from .coco_records import TRACK_NAME, video_name
from .fields import MAX_COORDINATE, errors_of, read_bytes, require_distinct, shown
from .frame_numbers import frame_indices

_HEADER = ('scorer', 'bodyparts', 'coords')
_HEADER_OF_SEVERAL = ('scorer', 'individuals', 'bodyparts', 'coords')


@dataclass(frozen=True)
class _Layout:
    """Contents of the header.

    Args:
        rows: Number of header rows.
        path_columns: Number of columns that the path of a picture is spread over.
        skeleton: The joints of all individuals, in the order of their first columns.
        columns: For every individual, [(joint, column of x)]; y is the next column.
    """

    rows: int
    path_columns: int
    skeleton: Skeleton
    columns: dict[str, list[tuple[int, int]]]


def read_deeplabcut(path: PathLike) -> list[VideoLabels]:
    """Read labels of DeepLabCut.

    Args:
        path: ``CollectedData_<scorer>.csv``; not the predictions of ``analyze_videos``.

    Returns:
        One entry per folder of pictures, named after it. Frame indices are the numbers in the
        names of the pictures (``img0042.png`` is frame 42 of the video it was taken from), see
        :func:`~stdpose_mm.io.labels.frame_numbers.frame_indices`. Track ids are the positions of
        the individuals in the header, 0 for a single animal. Limbs are in DeepLabCut's
        ``config.yaml`` and not read.

    Raises:
        InputError: If the file is not as described.
    """
    try:
        text = read_bytes(path).decode('utf-8-sig')
        # Data rows may be followed by empty lines.
        rows = [row for row in csv.reader(io.StringIO(text, newline='')) if row]
    except UnicodeDecodeError as error:
        raise InputError(f'{path} is not UTF-8 text (byte {error.start})') from error
    except csv.Error as error:
        raise InputError(f'{path} is not CSV: {error}') from error
    layout = _read_header(path, rows)
    folders: dict[PurePosixPath, list[tuple[str, list[str]]]] = {}
    for number, row in enumerate(rows[layout.rows :], start=layout.rows + 1):
        if len(row) != len(rows[0]):
            raise InputError(
                f'{path}: row {number} must have {len(rows[0])} columns as the header, got '
                f'{len(row)}'
            )
        picture = '/'.join(row[: layout.path_columns]).replace('\\', '/')
        folders.setdefault(PurePosixPath(picture).parent, []).append((picture, row))
    require_distinct(path, 'picture', [name for group in folders.values() for name, _ in group])
    names = [folder.name or video_name(path) for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [
        _read_video(path, name, layout, group)
        for name, group in zip(names, folders.values(), strict=True)
    ]


def _read_header(path: PathLike, rows: Sequence[Sequence[str]]) -> _Layout:
    first = tuple(row[0] for row in rows[:4])
    if first == _HEADER_OF_SEVERAL:
        header = rows[:4]
    elif first[:3] == _HEADER:
        header = rows[:3]
    else:
        raise InputError(
            f'{path} is no CollectedData file of DeepLabCut: expected header rows scorer, '
            f'(individuals,) bodyparts, coords, got {shown(first)}'
        )
    coords = header[-1]
    path_columns = next((i for i, cell in enumerate(coords) if i and cell), len(coords))
    width = len(coords)
    if any(len(row) != width for row in header) or list(coords[path_columns:]) != ['x', 'y'] * (
        (width - path_columns) // 2
    ):
        raise InputError(
            f'{path}: columns of coords must be x, y, x, y, ..., got '
            f'{shown(",".join(coords[path_columns:]))}; predictions of DeepLabCut are not read'
        )
    bodyparts = header[-2]
    joints = list(dict.fromkeys(bodyparts[path_columns:]))
    columns: dict[str, list[tuple[int, int]]] = {}
    for x in range(path_columns, width, 2):
        individual = header[1][x] if len(header) == 4 else ''
        if any(row[x] != row[x + 1] for row in header[:-1]):
            raise InputError(f'{path}: columns {x + 1} and {x + 2} must be x and y of one bodypart')
        columns.setdefault(individual, []).append((joints.index(bodyparts[x]), x))
    for individual, places in columns.items():
        require_distinct(path, f'a bodypart of {individual!r}', [joints[j] for j, _ in places])
    with errors_of(path):
        skeleton = Skeleton(tuple(joints), category='animal')
    return _Layout(len(header), path_columns, skeleton, columns)


def _read_video(
    path: PathLike, name: str, layout: _Layout, pictures: Sequence[tuple[str, list[str]]]
) -> VideoLabels:
    names = [picture for picture, _ in pictures]
    indices, numbering = frame_indices(path, names, first_number=0)
    persons = []
    frames = []
    for index, (picture, row) in zip(indices, pictures, strict=True):
        people = [
            PersonLabel(
                frame_index=index,
                keypoints=points,
                visibility=np.where(labelled, VISIBLE, NOT_LABELLED),
                track_id=track_id,
                extra={TRACK_NAME: individual} if individual else {},
            )
            for track_id, (individual, places) in enumerate(layout.columns.items())
            for points, labelled in [_read_points(path, picture, row, layout, places)]
            if labelled.any()
        ]
        frames.append(VideoFrame(index, picture, is_labeled=True if people else None))
        persons += people
    if any(a.index > b.index for a, b in pairwise(frames)):
        frames.sort(key=lambda frame: frame.index)
        persons.sort(key=lambda person: person.frame_index)
    return VideoLabels(name, layout.skeleton, tuple(frames), tuple(persons), numbering=numbering)


def _read_points(
    path: PathLike,
    picture: str,
    row: Sequence[str],
    layout: _Layout,
    places: Sequence[tuple[int, int]],
) -> tuple[np.ndarray, np.ndarray]:
    """Read the points [K, 2] in pixels, and [K] whether labelled, of one individual."""
    points = np.zeros((layout.skeleton.num_keypoints, 2))
    labelled = np.zeros(len(points), dtype=bool)
    for joint, x in places:
        cells = row[x : x + 2]
        try:
            values = [float(cell) if cell.strip() else math.nan for cell in cells]
        except ValueError:
            values = [math.inf]
        if all(map(math.isnan, values)):
            continue
        if not all(abs(value) <= MAX_COORDINATE for value in values):
            raise InputError(
                f'{path}: {layout.skeleton.keypoint_names[joint]} of {picture} must be two numbers '
                f'within +-1e7, or empty, got {shown(",".join(cells))}'
            )
        points[joint], labelled[joint] = values, True
    return points, labelled
