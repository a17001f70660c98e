"""OpenPose's output: one ``<name>_keypoints.json`` per frame, with the people found in it.

Read and written with the standard library: no light library for poses reads these files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.atomic import PathLike, json_text, write_texts
from stdpose_mm.io.disk.file_names import file_stem
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, PersonLabel, VideoLabels

from .fields import Record
from .joints import FURTHER_JOINTS, note_unread
from .known_skeletons import OPENPOSE_FAMILY, unnamed_skeleton
from .labelled_pictures import LabelledPicture, frame_files, videos_of_pictures
from .poses import Person, estimated_person, joint_scores

_ENDING = '_keypoints'
"""End of the names of OpenPose's files; files of Pose2Sim's own networks do not have it."""

_ENDING_FIELD = 'openpose_ending'
"""Key of ``VideoLabels.extra`` for another end of the names."""

_LEAST_CONFIDENCE = 1e-6
"""Confidence written for a labelled joint with score 0, because 0 means that it was not found."""

_NOT_READ = ('face_keypoints_2d', 'hand_left_keypoints_2d', 'hand_right_keypoints_2d')


def is_openpose(data: Any) -> bool:
    """Tell whether parsed JSON is a file of OpenPose."""
    return isinstance(data, dict) and isinstance(data.get('people'), list)


def parse_openpose(path: PathLike, files: Iterable[tuple[Path, Any]]) -> list[VideoLabels]:
    """Read the bodies of one output file of OpenPose or of a folder of them.

    Every joint with a confidence above 0 is 'propagated', as an estimate of a network, with its
    confidence as score. Hands, faces and 3D points are not read.

    Args:
        path: A file ``<name>_keypoints.json``, or a folder of them, which is one video named after
            the folder or file.
        files: Each file and its parsed JSON.

    Raises:
        InputError: If a file is not as described, or people have different numbers of joints.
    """
    pictures = []
    unread: list[str] = []
    for file, data in files:
        people = []
        for person in Record(file, '', data).records('people'):
            unread += [name for name in _NOT_READ if person.peek(name)]
            people.append(_person(person))
        placed = [person for person in people if len(person['keypoints'])]
        pictures.append(
            LabelledPicture(file_stem(file).removesuffix(_ENDING), placed, where=str(file))
        )
    everybody = [person for picture in pictures for person in picture.people]
    counts = {len(person['keypoints']) for person in everybody}
    if len(counts) != 1:
        raise InputError(f'{path} has people with {len(counts)} numbers of joints, expected one')
    note_unread(path, FURTHER_JOINTS, unread)
    remedy = 'if that is wrong, convert them and correct the names in the result'
    skeleton = unnamed_skeleton(path, counts.pop(), remedy, OPENPOSE_FAMILY)
    videos = videos_of_pictures(path, pictures, skeleton, video_names=('', 0))
    is_usual = any(file_stem(picture.where).endswith(_ENDING) for picture in pictures)
    return videos if is_usual else [replace(v, extra={_ENDING_FIELD: ''}) for v in videos]


def _person(person: Record) -> Person:
    # Before OpenPose 1.0 the field had the shorter name.
    name = 'pose_keypoints_2d' if 'pose_keypoints_2d' in person else 'pose_keypoints'
    # Pose2Sim writes NaN for missing joints, and objects without fields for missing people.
    flat = person.numbers(name, lacking=True) if name in person else np.empty(0)
    if len(flat) % 3:
        raise person.error(name, 'a list of x, y, confidence of the joints')
    joints = flat.reshape(-1, 3)
    visibility = np.where(joints[:, 2] > 0, VISIBLE, NOT_LABELLED)
    identity = person.identity('person_id', may_be_list=True)
    return estimated_person(joints[:, :2], joints[:, 2], visibility=visibility, identity=identity)


def write_openpose(labels: VideoLabels, path: PathLike) -> None:
    """Write a file for every frame of a video to a folder, atomically, as Pose2Sim reads it.

    Files that were read in this format keep their names; added frames get names of the same form.
    Labels of other formats become ``<picture>_keypoints.json``, or
    ``<video>_000000000012_keypoints.json`` without names of pictures. Joints are in the order of
    the skeleton. An unlabelled joint is 0, 0, 0; the confidence of a labelled one is its score, 1
    if unknown. Sources, occlusion, boxes and people without a labelled joint are not written.

    Args:
        labels: The labels.
        path: The folder; see :func:`frame_files` and
            :func:`~stdpose_mm.io.disk.atomic.atomic_folder`.
    """
    ending = '' if labels.extra.get(_ENDING_FIELD) == '' else _ENDING
    names = frame_files(labels, path, f'*{ending}.json')
    write_texts(path, ((name, _text(labels[index])) for index, name in names.items()))


def _text(labelled: Iterable[PersonLabel]) -> str:
    people = [_fields(person) for person in labelled if person.has_joint]
    return json_text({'version': 1.3, 'people': people})


def _fields(person: PersonLabel) -> dict[str, Any]:
    scores = joint_scores(person)
    confidence = np.where(person.labelled, np.maximum(scores, _LEAST_CONFIDENCE), 0.0)
    return {
        'person_id': [-1 if person.track_id is None else person.track_id],
        'pose_keypoints_2d': np.column_stack([person.keypoints, confidence]).ravel().tolist(),
        **{name: [] for name in _NOT_READ},
    }
