"""Writing of OpenPose's files: a folder with a JSON file for each frame, as Pose2Sim reads it."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json
from stdpose_mm.io.atomic import PathLike, require_writable_folder
from stdpose_mm.io.file_names import PICTURE_SUFFIXES
from stdpose_mm.structures import PersonLabel, VideoLabels
from stdpose_mm.text import counted

from .fields import shown
from .frame_numbers import base_name
from .openpose import ENDING, ENDING_FIELD
from .poses import joint_scores

_LEAST_CONFIDENCE = 1e-6
"""Confidence of a joint with a place and the score 0, which would mean that it was not found."""

_NOT_WRITTEN = ('face_keypoints_2d', 'hand_left_keypoints_2d', 'hand_right_keypoints_2d')


def write_openpose(labels: VideoLabels, path: PathLike) -> None:
    """Write a file for every frame of a video to a folder, each atomically.

    The files have the names that they were read by; those of added frames are formed alike. Labels
    of other files become ``<picture>_keypoints.json``, or ``<video>_000000000012_keypoints.json``
    without names of pictures. Joints are in the order of the skeleton, which is that of the files
    that were read. A joint without a place is 0, 0, 0; its confidence is its score, 1 if unknown.
    Sources, occlusion, boxes and people without a labelled joint are not written.

    Args:
        labels: The labels.
        path: The folder; files of the same names in it are replaced.

    Raises:
        InputError: If the folder cannot be written to, or holds other JSON files, which would be
            read as frames of this video.
    """
    require_writable_folder(path)
    folder = Path(path)
    files = _file_names(labels)
    others = sorted({file.name for file in folder.glob('*.json')} - {*files.values()})
    if others:
        raise InputError(
            f'{path} holds {counted(len(others), "other JSON file")}, such as {shown(others[0])}, '
            f'which would be read as frames of {labels.name}, give another folder'
        )
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in files.items():
        people = [_person(person) for person in labels[index] if person.labelled.any()]
        write_json(folder / name, {'version': 1.3, 'people': people})


def _person(person: PersonLabel) -> dict[str, Any]:
    scores = joint_scores(person)
    confidence = np.where(person.labelled, np.maximum(scores, _LEAST_CONFIDENCE), 0.0)
    places = np.where(person.labelled[:, None], person.keypoints, 0.0)
    return {
        'person_id': [-1 if person.track_id is None else person.track_id],
        'pose_keypoints_2d': np.column_stack([places, confidence]).ravel().tolist(),
        **{name: [] for name in _NOT_WRITTEN},
    }


def _file_names(labels: VideoLabels) -> dict[int, str]:
    """Name the file of each frame after its picture, or else like those of the other frames."""
    stems = {frame.index: _stem(frame.file_name) for frame in labels.frames}
    numbered = {
        (found[1], len(found[2]), int(found[2]) - index)
        for index, stem in stems.items()
        if (found := re.fullmatch(r'(.*?)([0-9]{1,18})', stem))
    }
    prefix, width, first = f'{PurePosixPath(labels.name).name or "video"}_', 12, 0
    is_known = len({*stems.values()}) == len(stems) and all(stems.values())
    is_alike = len(numbered) == 1 and min(stems) + min(numbered)[2] >= 0
    if is_alike:
        prefix, width, first = min(numbered)
    ending = labels.extra.get(ENDING_FIELD)
    ending = ending if ending == '' else ENDING
    return {
        index: (stem if is_known else f'{prefix}{index + first:0{width}}') + f'{ending}.json'
        for index, stem in sorted(stems.items())
    }


def _stem(file_name: str) -> str:
    name = PurePosixPath(base_name(file_name))
    return name.stem if name.suffix.lower() in PICTURE_SUFFIXES else name.name
