"""Calibration files of anipose, Lightning Pose, Caliscope and Pose2Sim (TOML)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from stdpose_mm.errors import InputError, note, system_errors_of
from stdpose_mm.structures.camera import Camera
from stdpose_mm.text import counted

from .disk.atomic import PathLike, write_text
from .disk.file_names import frames_name
from .labels.fields import Record, require_distinct

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NUM_DISTORTIONS = (4, 5, 8, 12, 14)
"""How many distortions a camera may have in OpenCV's model; those of its fisheye model are 4."""


_CODED = 16
"""Coders work on blocks of so many pixels."""


def read_calibration(path: PathLike) -> tuple[Camera, ...]:
    """Read the cameras of a calibration, in the order of the file.

    The file has a table for each camera with ``name``, ``size``, ``matrix``, ``distortions``,
    ``rotation`` (a Rodrigues vector or a matrix), ``translation`` and perhaps ``fisheye``; in
    Caliscope's own files they are ``[cameras.1]``, ... without names, which are then ``cam_1``, ...
    Lengths keep the unit of the file.

    Raises:
        InputError: If the file is not TOML, has fewer than two cameras or two of one name, or a
            value of a camera cannot be right.
    """
    path = Path(path)
    try:
        with system_errors_of(str(path)):
            tables = tomllib.loads(path.read_text('utf-8-sig'))
    except ValueError as error:
        raise InputError(f'{path} is not a calibration in TOML: {error}') from error
    if isinstance(tables.get('cameras'), dict):
        tables = {f'cam_{number}': table for number, table in tables['cameras'].items()}
    cameras = tuple(
        _parse_camera(Record(path, key, table))
        for key, table in tables.items()
        if isinstance(table, dict) and {'matrix', 'rotation', 'translation'} & table.keys()
    )
    if len(cameras) < 2:
        raise InputError(
            f'{path} has {counted(len(cameras), "camera")}, expected at least 2 tables with '
            'name, size, matrix, distortions, rotation and translation'
        )
    require_distinct(path, 'the name of a camera', [camera.name for camera in cameras])
    return cameras


def _parse_camera(table: Record) -> Camera:
    width, height = table.numbers('size', 2)
    if min(width, height) < 1 or width % 1 or height % 1:
        raise table.error('size', 'the width and height of the pictures in pixels')
    matrix = _matrix(table, 'matrix')
    centre_in_reach = (np.abs(matrix[:2, 2] / (width, height) - 0.5) < 1).all()
    if min(matrix[0, 0], matrix[1, 1]) <= 0 or not centre_in_reach or list(matrix[2]) != [0, 0, 1]:
        raise table.error('matrix', '[[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels of its size')
    distortions = table.numbers('distortions')
    fisheye = table.flag('fisheye', False)
    if len(distortions) not in ((4,) if fisheye else NUM_DISTORTIONS):
        counts = '4' if fisheye else '4, 5, 8, 12 or 14'
        raise table.error('distortions', f'a list of {counts} numbers')
    if np.ndim(table.peek('rotation')) == 1:
        rotation = cv2.Rodrigues(table.numbers('rotation', 3))[0]
    else:
        rotation = _matrix(table, 'rotation')
    is_orthonormal = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3)
    if not is_orthonormal or np.linalg.det(rotation) < 0:
        raise table.error('rotation', 'a vector of 3 numbers or a rotation matrix')
    return Camera(
        table.text('name', table.where),
        (int(width), int(height)),
        matrix,
        distortions,
        rotation,
        table.numbers('translation', 3),
        fisheye,
    )


def _matrix(table: Record, name: str) -> np.ndarray:
    rows = table.number_lists(name, 3)
    if len(rows) != 3:
        raise table.error(name, '3 lists of 3 numbers')
    return np.stack(rows)


def fit_size(camera: Camera, video: Path, size: tuple[int, int]) -> Camera:
    """Return a camera with the size (width, height) of the pictures of its video.

    Coders fill pictures up to multiples of 16 pixels at the right and below, and some players cut
    this off again: the pixels stay where they are.

    Raises:
        InputError: If the pictures have a size that this does not explain.
    """
    if size == camera.size:
        return camera
    given = (
        f'{video} has pictures of {size[0]}x{size[1]} pixels, but the camera {camera.name} was '
        f'calibrated with {camera.size[0]}x{camera.size[1]}'
    )
    pairs = [sorted(pair) for pair in zip(size, camera.size, strict=True)]
    if any(more not in (less, -(-less // _CODED) * _CODED) for less, more in pairs):
        raise InputError(f'{given}: give it as it was calibrated')
    note(f'{given}: the difference is taken for what a coder adds at the right and below')
    return replace(camera, size=size)


class CameraVideo(NamedTuple):
    """The camera of a video, and the session of which the video is a view."""

    camera: Camera
    session: str


def pair_videos(cameras: Sequence[Camera], videos: Sequence[Path]) -> list[CameraVideo]:
    """Find the camera and the session of videos.

    The name of a camera is a word of the name of its videos (``camA.mp4``, ``trial1_camA.mp4``), or
    else of their folder. Videos that differ only in this word are of one session; so are all videos
    of a folder if each camera has only one of them.

    Raises:
        InputError: If a video has no camera, a session has two videos of one camera, or it has
            videos of fewer than two cameras, or two sessions have the same name.
    """
    located = [_find_camera(cameras, video) for video in videos]
    in_folder: dict[Path, list[str]] = {}
    for camera, folder, _ in located:
        in_folder.setdefault(folder, []).append(camera.name)
    of_session: dict[tuple[Path, str], list[str]] = {}
    keys = []
    for camera, folder, rest in located:
        is_one_session = len(in_folder[folder]) == len({*in_folder[folder]})
        keys.append((folder, '' if is_one_session else rest))
        of_session.setdefault(keys[-1], []).append(camera.name)
    names: dict[tuple[Path, str], str] = {}
    for (folder, rest), names_there in of_session.items():
        words = [rest] if rest and len(in_folder) == 1 else [folder.name, rest]
        name = '_'.join(filter(None, words))
        if name in names.values():
            (other, _) = next(key for key in names if names[key] == name)
            raise InputError(
                f'{other} and {folder} have sessions of the same name {name}, rename one of them'
            )
        names[folder, rest] = name
        if len(names_there) < 2 or len(names_there) > len({*names_there}):
            raise InputError(
                f'the session {name} has videos of the cameras {", ".join(names_there)}, expected '
                'one video of each of two cameras or more'
            )
    missing = {camera.name for camera in cameras}.difference(*in_folder.values())
    if missing:
        cameras_named = ', '.join(sorted(missing))
        note(f'cameras of the calibration without a video are left out: {cameras_named}')
    return [
        CameraVideo(camera, names[key]) for (camera, *_), key in zip(located, keys, strict=True)
    ]


def _find_camera(cameras: Sequence[Camera], video: Path) -> tuple[Camera, Path, str]:
    """Find the camera of a video, the folder of its session, and the rest of the video's name."""
    folder = video.resolve().parent
    for place, name in ((folder, frames_name(video)), (folder.parent, folder.name)):
        for camera in sorted(cameras, key=lambda camera: -len(camera.name)):
            word = rf'(?<![^\W_]){re.escape(camera.name)}(?![^\W_])'
            before, *after = re.split(word, name, maxsplit=1, flags=re.IGNORECASE)
            if after:
                rest = '_'.join(filter(None, (part.strip(' ._-') for part in (before, *after))))
                return camera, place, rest if place == folder else frames_name(video)
    names = ', '.join(camera.name for camera in cameras)
    raise InputError(
        f'the name of {video} has none of the cameras of the calibration ({names}), rename it or '
        'leave it out'
    )


def write_calibration(cameras: Sequence[Camera], path: PathLike) -> None:
    """Write cameras as the TOML file that :func:`read_calibration` reads."""
    tables = []
    for index, camera in enumerate(cameras):
        fields = {
            'name': json.dumps(camera.name, ensure_ascii=False),
            'size': list(camera.size),
            'matrix': camera.matrix.tolist(),
            'distortions': camera.distortions.tolist(),
            'rotation': cv2.Rodrigues(camera.rotation)[0].ravel().tolist(),
            'translation': camera.translation.tolist(),
            'fisheye': str(camera.fisheye).lower(),
        }
        lines = [f'{name} = {value}' for name, value in fields.items()]
        tables.append('\n'.join([f'[cam_{index}]', *lines, '']))
    write_text(path, '\n'.join(tables))
