"""OpenPose's output: one ``<name>_keypoints.json`` per frame, with the people found in it.

Read with the standard library: of the light libraries for poses none reads these files.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, Skeleton, VideoLabels

from .fields import Record, read_json
from .known_skeletons import OPENPOSE_FAMILY, unnamed_skeleton
from .labelled_pictures import LabelledPicture, label_files_in, videos_of_pictures

_ENDING = '_keypoints'


def is_openpose(data: Any) -> bool:
    """Tell whether parsed JSON is a file of OpenPose."""
    return isinstance(data, dict) and isinstance(data.get('people'), list)


def read_openpose(path: PathLike) -> list[VideoLabels]:
    """Read the bodies of one output file of OpenPose or of a folder of them.

    Every joint with a confidence above 0 is 'propagated', an estimate of a network, with its
    confidence as score. Hands, faces and 3D points are left out.

    Args:
        path: A file ``<name>_keypoints.json``, or a folder of them; it is one video, called after
            the file names without the frame's number.

    Raises:
        InputError: If a file is not as described, people have different numbers of joints, or
            coordinates are fractions of the picture.
    """
    files = label_files_in(path, lambda file: file.suffix.lower() == '.json')
    people = {file: Record(file, '', read_json(file)).records('people') for file in files}
    arrays = {file: [_points(person) for person in group] for file, group in people.items()}
    counts = {len(points) for group in arrays.values() for points in group if len(points)}
    if len(counts) != 1:
        raise InputError(
            f'{path} holds people of {len(counts)} numbers of joints {sorted(counts)[:5]}, '
            'expected one; give the files of one model'
        )
    _require_pixels(path, [points for group in arrays.values() for points in group])
    skeleton = unnamed_skeleton(
        path,
        counts.pop(),
        OPENPOSE_FAMILY,
        'convert them and name the joints in the result if that is wrong',
    )
    pictures = [
        LabelledPicture(
            name=file.stem.removesuffix(_ENDING),
            people=[
                _person(person, points, skeleton)
                for person, points in zip(people[file], arrays[file], strict=True)
                if len(points)
            ],
            where=str(file),
        )
        for file in files
    ]
    return videos_of_pictures(path, pictures, skeleton, first_number=0)


def _points(person: Record) -> np.ndarray:
    """Read [K, 3] x, y, confidence."""
    # Before version 1.0 the field had the shorter name.
    name = 'pose_keypoints_2d' if 'pose_keypoints_2d' in person else 'pose_keypoints'
    flat = person.numbers(name, of='x, y, confidence of the joints')
    if len(flat) % 3:
        raise person.error(name, 'a list of x, y, confidence of the joints')
    return np.asarray(flat.reshape(-1, 3))


def _require_pixels(path: PathLike, people: list[np.ndarray]) -> None:
    found = np.concatenate([points[points[:, 2] > 0, :2] for points in people])
    if len(found) and np.abs(found).max() <= 1:
        raise InputError(
            f'{path} holds fractions of the picture, expected pixels; run OpenPose with '
            '--keypoint_scale 0'
        )


def _person(person: Record, points: np.ndarray, skeleton: Skeleton) -> dict[str, Any]:
    ids = person.numbers('person_id', default=np.array([-1.0]))
    track_id = int(ids[0]) if len(ids) and ids[0] >= 0 else None
    return {
        'keypoints': points[:, :2],
        'visibility': np.where(points[:, 2] > 0, VISIBLE, NOT_LABELLED),
        'scores': points[:, 2],
        'track_id': track_id,
        'source': 'propagated',
    }
