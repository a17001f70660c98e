"""movement's netCDF files (``.nc``) of poses, as its editor saves them after corrections.

movement analyses animal motion in xarray datasets. Points that a person edited there have no
confidence. The classic form of netCDF is read with scipy, netCDF 4 with h5py, an optional
requirement.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_UNZIPPED
from stdpose_mm.structures import FrameNumbering, Skeleton, VideoLabels

from .deeplabcut import OWN_SCORER
from .fields import quote
from .label_source import LabelSource
from .poses import people_of_tracks, video_of_frames

AXES = ('time', 'individuals', 'keypoints', 'space')

_Dataset = tuple[dict[str, tuple[tuple[str, ...], Any]], dict[str, Any]]
"""Name of a variable -> its dimensions and values; and the attributes of the file."""


def is_movement(source: LabelSource) -> bool:
    """Tell from its content whether a file is a dataset of movement."""
    return source.hdf5_names >= {'position', 'individuals'} or source.head.startswith(b'CDF')


def read_movement(path: PathLike) -> VideoLabels:
    """Read the poses of a dataset of movement.

    Joints with a confidence are 'propagated' with it as their score. Joints without one are
    'given', because a person placed them, if the file has other joints with one or was written by
    this package; else all joints are 'propagated', without scores.

    Args:
        path: The ``.nc`` file.

    Returns:
        The frames of the dataset: its coordinate ``frame``, else the times in frames or seconds.
        Individuals named ``individual<number>`` have the number as track id, for others see
        :func:`number_tracks`.

    Raises:
        InputError: If the file is not as described, or h5py is needed and not installed.
    """
    source = LabelSource.of(path)
    if source.is_hdf5:
        require_packages(str(path), 'h5py')
    try:
        read = _read_netcdf4 if source.is_hdf5 else _read_classic
        variables, attributes = read(source)
        xy = _array(variables, 'position', AXES)
        confidence = np.full(xy.shape[:3], np.nan)
        if 'confidence' in variables:
            confidence = _array(variables, 'confidence', AXES[:3])
        names, joints = (_texts(variables[name][1]) for name in ('individuals', 'keypoints'))
        shape = (len(variables['time'][1]), len(names), len(joints))
        if (xy.shape, confidence.shape) != ((*shape, 2), shape):
            raise ValueError(f'position of shape {xy.shape}, expected x and y of {shape}')
        if (np.abs(xy) > MAX_COORDINATE).any():
            raise ValueError('a joint beyond +-1e7 pixels')
        indices, times = _frames(variables, attributes)
        skeleton = Skeleton(tuple(joints), category='animal')
    except Exception as error:
        # The libraries raise various errors for a damaged file.
        raise InputError(
            f'{path} is no dataset of poses of movement: {quote(str(error))}'
        ) from error
    labelled = ~np.isnan(xy).any(axis=3)
    is_edited = np.isfinite(confidence).any() or attributes.get('source_software') == OWN_SCORER
    is_given = labelled & np.isnan(confidence) & is_edited
    if all(re.fullmatch('individual[0-9]{1,18}', name) for name in names):
        names = [name.removeprefix('individual') for name in names]
    people = people_of_tracks(source, names, xy, confidence, is_given)
    video = video_of_frames(path, video_name(path), skeleton, zip(indices, people, strict=True))
    if not times:
        return video
    text = 'the times of the dataset'
    return replace(video, numbering=FrameNumbering('times', text, len(people), times=times))


def _read_classic(source: LabelSource) -> _Dataset:
    from scipy.io import netcdf_file

    with netcdf_file(io.BytesIO(source.content), mmap=False) as file:
        variables = {n: (tuple(v.dimensions), v[:].copy()) for n, v in file.variables.items()}
        return variables, {n: _text(value) for n, value in file._attributes.items()}


def _read_netcdf4(source: LabelSource) -> _Dataset:
    file = source.hdf5
    if sum(data.nbytes for data in file.values()) > MAX_UNZIPPED:
        raise ValueError('it is too large')
    variables = {
        name: (
            tuple(axis[0].name.strip('/') if len(axis) else name for axis in data.dims),
            data[()],
        )
        for name, data in file.items()
    }
    return variables, {name: _text(value) for name, value in file.attrs.items()}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _texts(values: np.ndarray) -> list[str]:
    """Read texts, stored as rows of letters or as objects."""
    if values.dtype.kind == 'S' and values.ndim == 2:
        values = np.array([b''.join(row).rstrip(b'\0 ') for row in values.tolist()], dtype=object)
    return [_text(value) for value in values.tolist()]


def _array(
    variables: Mapping[str, tuple[tuple[str, ...], Any]], name: str, axes: tuple[str, ...]
) -> np.ndarray:
    """Read a variable with its axes in the given order."""
    dimensions, values = variables[name]
    return np.transpose(values, [dimensions.index(axis) for axis in axes]).astype(np.float64)


def _frames(
    variables: Mapping[str, tuple[tuple[str, ...], Any]], attributes: Mapping[str, Any]
) -> tuple[list[int], dict[int, float]]:
    """Find the frames, or positions with times in seconds if the frames are not known."""
    name = 'frame' if 'frame' in variables else 'time'
    values = np.asarray(variables[name][1], dtype=np.float64)
    rate = float(attributes.get('fps') or 0)
    if name == 'frame' or attributes.get('time_unit') != 'seconds':
        return values.round().astype(int).tolist(), {}
    if rate:
        return (values * rate).round().astype(int).tolist(), {}
    return [*range(len(values))], dict(enumerate(values.tolist()))
