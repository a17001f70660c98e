"""The netCDF files of movement, which analyses how animals move, in datasets of xarray.

Written with scipy in netCDF's classic form, which every library of netCDF reads.
"""

from __future__ import annotations

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import VideoLabels

from .deeplabcut import OWN_SCORER, name_individuals, people_by_individual, track_names
from .tables import TimeOf

_DIMENSIONS = ('time', 'space', 'keypoints', 'individuals')


def write_movement(labels: VideoLabels, path: PathLike, time_of: TimeOf | None = None) -> None:
    """Write a dataset of poses as movement defines it, atomically.

    ``position`` is in pixels, ``confidence`` the score; both are NaN where unknown. ``time`` is in
    seconds, or counts frames from 0 if times are not known; the coordinate ``frame`` always does.
    Individuals are called by the names of their tracks, else ``individual<track id>``. Frames that
    are not listed have no entry. Sources, occlusion, boxes and limbs are not written.

    Args:
        labels: The labels.
        path: The ``.nc`` file to write.
        time_of: Seconds of a frame from the first one, None if unknown.

    Raises:
        InputError: If no joint has a place.
    """
    from scipy.io import netcdf_file

    rows = {index: people_by_individual(labels[index]) for index in sorted(labels)}
    names = name_individuals(track_names(rows), has_unique=False)
    if not names:
        raise InputError(f'{path}: movement needs poses, but {labels.name} has no labelled joint')
    position = np.full((len(rows), 2, labels.skeleton.num_keypoints, len(names)), np.nan)
    confidence = np.full_like(position[:, 0], np.nan)
    for row, people in enumerate(rows.values()):
        for column, person in enumerate(map(people.get, names)):
            if person is not None:
                joints = person.labelled
                position[row, :, joints, column] = person.keypoints[joints]
                if person.scores is not None:
                    confidence[row, joints, column] = person.scores[joints]
    times = [time for index in rows if time_of and (time := time_of(index)) is not None]
    texts = {
        'space': ['x', 'y'],
        'keypoints': labels.skeleton.keypoint_names,
        'individuals': [name or 'individual0' for name in names.values()],
    }
    with atomic_path(path) as temporary, netcdf_file(str(temporary), 'w', version=2) as file:
        file.ds_type, file.source_software, file.time_unit = 'poses', OWN_SCORER, 'frames'
        file.createDimension('time', len(rows))
        file.createVariable('frame', 'i', ('time',))[:] = [*rows]
        if 1 < len(times) == len(rows):
            file.time_unit, file.fps = 'seconds', (len(times) - 1) / (times[-1] - times[0])
            file.createVariable('time', 'd', ('time',))[:] = times
        else:
            file.createVariable('time', 'i', ('time',))[:] = [*rows]
        for name, values in texts.items():
            letters = np.char.encode(values, 'utf-8')
            file.createDimension(name, len(letters))
            file.createDimension(f'{name}_length', letters.itemsize)
            text = file.createVariable(name, 'c', (name, f'{name}_length'))
            text[:], text._Encoding = letters.view('S1').reshape(len(letters), -1), 'utf-8'
        for name, array in (('position', position), ('confidence', confidence)):
            own = _DIMENSIONS if array is position else (_DIMENSIONS[0], *_DIMENSIONS[2:])
            data = file.createVariable(name, 'd', own)
            data[:], data.coordinates = array, 'frame'
