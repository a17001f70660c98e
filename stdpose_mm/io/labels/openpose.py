"""OpenPose's output: one ``<name>_keypoints.json`` per frame, with the people found in it.

Read with the standard library: of the light libraries for poses none reads these files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, VideoLabels

from .fields import Record
from .known_skeletons import OPENPOSE_FAMILY, unnamed_skeleton
from .labelled_pictures import LabelledPicture, videos_of_pictures
from .poses import Person, estimated_person, read_identity

ENDING = '_keypoints'
"""End of the names of OpenPose's files; those of Pose2Sim's own networks do without."""

ENDING_FIELD = 'openpose_ending'
"""Key of ``VideoLabels.extra`` for another end."""


def is_openpose(data: Any) -> bool:
    """Tell whether parsed JSON is a file of OpenPose."""
    return isinstance(data, dict) and isinstance(data.get('people'), list)


def parse_openpose(path: PathLike, files: Iterable[tuple[Path, Any]]) -> list[VideoLabels]:
    """Read the bodies of one output file of OpenPose or of a folder of them.

    Every joint with a confidence above 0 is 'propagated', an estimate of a network, with its
    confidence as score. Hands, faces and 3D points are left out.

    Args:
        path: A file ``<name>_keypoints.json``, or a folder of them; it is one video, called after
            the file names without the frame's number.
        files: Each file and its parsed JSON.

    Raises:
        InputError: If a file is not as described, people have different numbers of joints, or
            coordinates are fractions of the picture.
    """
    pictures = []
    for file, data in files:
        people = [_person(person) for person in Record(file, '', data).records('people')]
        found = [person for person in people if len(person['keypoints'])]
        pictures.append(LabelledPicture(file.stem.removesuffix(ENDING), found, where=str(file)))
    everybody = [person for picture in pictures for person in picture.people]
    counts = {len(person['keypoints']) for person in everybody}
    if len(counts) != 1:
        raise InputError(f'{path} holds people of {len(counts)} numbers of joints, expected one')
    points = np.concatenate([person['keypoints'][person['scores'] > 0] for person in everybody])
    if len(points) and np.abs(points).max() <= 1:
        raise InputError(f'{path} holds fractions, expected pixels (OpenPose --keypoint_scale 0)')
    remedy = 'convert them and name the joints in the result if that is wrong'
    skeleton = unnamed_skeleton(path, counts.pop(), remedy, OPENPOSE_FAMILY)
    videos = videos_of_pictures(path, pictures, skeleton, video_names=('', 0))
    is_usual = any(Path(picture.where).stem.endswith(ENDING) for picture in pictures)
    return videos if is_usual else [replace(v, extra={ENDING_FIELD: ''}) for v in videos]


def _person(person: Record) -> Person:
    # Before version 1.0 the field had the shorter name.
    name = 'pose_keypoints_2d' if 'pose_keypoints_2d' in person else 'pose_keypoints'
    flat = person.numbers(name)
    if len(flat) % 3:
        raise person.error(name, 'a list of x, y, confidence of the joints')
    joints = flat.reshape(-1, 3)
    return estimated_person(
        joints[:, :2],
        joints[:, 2],
        visibility=np.where(joints[:, 2] > 0, VISIBLE, NOT_LABELLED),
        track_id=read_identity(person, 'person_id'),
    )
