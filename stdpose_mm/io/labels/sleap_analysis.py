"""SLEAP's analysis files (``.h5``): dense poses of one video, exported from a project.

They do not tell labels from predictions, so all poses are estimates here. Read with h5py, an
optional requirement; sleap-io is not needed.
"""

from __future__ import annotations

import json
from pathlib import PureWindowsPath
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_UNZIPPED
from stdpose_mm.structures import Skeleton, VideoLabels

from .fields import quote
from .joints import possible_limbs
from .label_source import LabelSource
from .labelled_pictures import LabelledPicture, videos_of_pictures
from .poses import people_of_tracks, video_of_frames

_AXES = ('frame', 'track', 'node', 'xy')


def is_sleap_analysis(source: LabelSource) -> bool:
    """Tell from its content whether a file is an analysis file of SLEAP."""
    return source.hdf5_names >= {'tracks', 'track_occupancy'}


def read_sleap_analysis(path: PathLike) -> list[VideoLabels]:
    """Read an analysis file of SLEAP.

    All poses are 'propagated'. A joint without a score gets 1; a pose without any, such as that of
    a user instance, has no scores.

    Args:
        path: The ``.h5`` file that SLEAP or sleap-io has exported.

    Returns:
        All frames of the video, which is named after its file. If the video is a list of pictures,
        one entry per folder, see :func:`videos_of_pictures`. Track ids: see :func:`number_tracks`.

    Raises:
        InputError: If h5py is not installed, or the file is not as described.
    """
    require_packages(str(path), 'h5py')
    try:
        file = LabelSource.of(path).hdf5
        joints, tracks, files = (
            [text.decode() for text in np.ravel(file.get(name, [])).tolist()]
            for name in ('node_names', 'track_names', 'video_path')
        )
        xy, scores = _array(file['tracks']), _array(file['point_scores'])
        limbs = file['edge_inds'][()].tolist() if 'edge_inds' in file else []
        tracks = tracks or [''] * xy.shape[1]
        shape = (len(xy), len(tracks), len(joints))
        if (xy.shape, scores.shape) != ((*shape, 2), shape) or (abs(xy) > MAX_COORDINATE).any():
            raise ValueError(f'poses of shape {xy.shape}, or beyond +-1e7 pixels')
        skeleton = Skeleton(tuple(joints), possible_limbs(str(path), limbs, len(joints)))
    except Exception as error:
        # h5py, json and numpy raise various errors for a damaged file.
        raise InputError(f'{path} is no analysis file of SLEAP: {quote(str(error))}') from error
    people = people_of_tracks(path, tracks, xy, scores)
    if len(files) == len(people) > 1:
        return videos_of_pictures(path, map(LabelledPicture, files, people), skeleton)
    # Of paths with slashes or backslashes.
    name = PureWindowsPath(''.join(files[:1])).stem or video_name(path)
    return [video_of_frames(path, name, skeleton, enumerate(people))]


def _array(data: Any) -> np.ndarray:
    """Read an array with its axes in the order frame, track, joint, xy."""
    if data.nbytes > MAX_UNZIPPED:
        raise ValueError(f'{data.name} is too large')
    return in_order(data[()], data.attrs)


def in_order(array: np.ndarray, attributes: Any) -> np.ndarray:
    """Put the axes of an array in the order frame, track, joint, xy, by the file's attributes."""
    names = json.loads(attributes.get('dims', '["track", "xy", "node", "frame"]'))
    axes = [_AXES.index(name) for name in names if name != 'xy' or array.ndim == 4]
    return np.transpose(array, np.argsort(axes))
