"""COCO keypoint results: the list of poses that MMPose and others pass to COCO's evaluation.

pycocotools reads such lists only together with their ground truth and is not used, because it
ignores videos, frames and identities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stdpose_mm.errors import note
from stdpose_mm.io import PathLike, write_json
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.limits import MAX_FRAME_INDEX
from stdpose_mm.structures import PersonLabel, VideoLabels

from .coco import category_fields, distinct_ids, plain
from .fields import Record, fields_of
from .identities import StatedIdentity, identity_field
from .known_skeletons import CONVERT_FIRST, HALPE_FAMILY, unnamed_skeleton
from .labelled_pictures import LabelledPicture, videos_of_pictures
from .poses import Person, estimated_person, joint_scores, video_of_frames

IDENTITY_FIELDS = ('track_id', 'idx', 'object_id', 'id')

PICTURE_FIELDS = ('frame_index', 'file_name', 'image_id')

_VIDEO_NAMES = (r'^(0|[1-9][0-9]*)\.jpg$', 0)
"""Pattern of the names that AlphaPose gives the frames of a video, and its first number."""


def is_coco_results(data: Any) -> bool:
    """Tell whether parsed JSON is a list of keypoint results, or a single one, as of one line."""
    data = [data] if isinstance(data, dict) else data
    return {'image_id', 'keypoints'} <= fields_of(data) or _is_openpifpaf(data)


def _is_openpifpaf(data: Any) -> bool:
    """Tell whether parsed JSON lines are OpenPifPaf's, one for each frame of a video."""
    return {'frame', 'predictions'} <= fields_of(data)


def _results_of_lines(path: PathLike, data: Any) -> list[dict[str, Any]]:
    """Convert OpenPifPaf's lines to results; it counts the frames from 1."""
    frames = Record(path, '', {'lines': data}).records('lines')
    numbers = [frame.integer('frame', low=0, high=MAX_FRAME_INDEX) for frame in frames]
    first = min([1, *numbers])
    return [
        {'frame_index': number - first, 'track_id': person.peek('id_'), **person.extra()}
        for frame, number in zip(frames, numbers, strict=True)
        for person in frame.records('predictions')
    ]


def parse_coco_results(path: PathLike, data: Any) -> list[VideoLabels]:
    """Read parsed results; all joints are 'propagated', as estimates of a network.

    Args:
        path: The file, for names and messages.
        data: List of objects with ``image_id`` or ``file_name``, ``keypoints`` (x, y, score of
            every joint; null, NaN or zeros if it was not found) and optionally a box (``bbox``,
            ``box``), an identity (``track_id``, ``idx``, ``object_id``, ``id``) and
            ``frame_index``. They are used up: joints are freed as they are read.

    Returns:
        One video. Frames are ``frame_index`` if present (as in results of this package), else
        ``image_id``. With names of pictures (``file_name``, or ids that are names), frames are the
        numbers in the names, and each folder is one video.

    Raises:
        InputError: If the file is not as described.
    """
    data = [data] if isinstance(data, dict) else data
    data = _results_of_lines(path, data) if _is_openpifpaf(data) else data
    results = Record(path, '', {'results': data}).records('results')
    count = len(results[0].numbers('keypoints', lacking=True)) // 3 if results else 0
    skeleton = unnamed_skeleton(path, count, CONVERT_FIRST, HALPE_FAMILY)
    images = [image_of_result(result) for result in results]
    people: dict[Any, list[Person]] = {}
    for result, image, identity in zip(results, images, _identities(results, images), strict=True):
        people.setdefault(image, []).append(_person(result, count, identity))
    if any(isinstance(image, str) for image in people):
        pictures = [LabelledPicture(str(i), group, where=str(path)) for i, group in people.items()]
        return videos_of_pictures(path, pictures, skeleton, video_names=_VIDEO_NAMES)
    return [video_of_frames(path, video_name(path), skeleton, people.items())]


def image_of_result(result: Record) -> int | str:
    """Return the frame of a result, or the name of its picture."""
    # Ultralytics writes the name next to an id that need not be the number of a frame.
    name = next((n for n in ('frame_index', 'file_name') if n in result), 'image_id')
    if name != 'frame_index' and result.peek(name) and isinstance(result.peek(name), str):
        return str(result.text(name))
    return int(result.integer(name, low=0, high=MAX_FRAME_INDEX))


def _identities(results: Sequence[Record], images: Sequence[int | str]) -> Sequence[StatedIdentity]:
    field, shared_fields = identity_field(results, images, IDENTITY_FIELDS)
    for name in shared_fields:
        note(f'{results[0].file}: {name} is ignored because two people in a picture share it')
    if field is None:
        return [None] * len(results)
    return [result.identity(field, may_be_list=True) for result in results]


def _person(result: Record, count: int, identity: StatedIdentity) -> Person:
    joints = result.numbers('keypoints', 3 * count, lacking=True).reshape(count, 3)
    result.release('keypoints')
    box = result.box('bbox' if 'bbox' in result else 'box')
    return estimated_person(joints[:, :2], joints[:, 2], identity=identity, bbox=box)


def write_coco_results(labels: VideoLabels, path: PathLike) -> None:
    """Write poses as COCO keypoint results, atomically.

    Image ids and category equal those of ``write_coco`` for the same labels, so that one file can
    be evaluated against the other. Besides COCO's fields, ``track_id`` and ``frame_index`` are
    written. The score of a pose is the mean of its joint scores. Joint names, sources, occlusion,
    and people without a labelled joint are not written.

    Args:
        labels: The labels.
        path: Where to write; gzipped if it ends in ``.gz``.
    """
    image_ids = distinct_ids([frame.image_id for frame in labels.frames])
    image_id_of = dict(zip(labels, image_ids, strict=True))
    category = category_fields(labels)['id']
    results = [
        {**_result(person), 'image_id': image_id_of[person.frame_index], 'category_id': category}
        for person in labels.persons
        if person.has_joint
    ]
    write_json(path, results)


def _result(person: PersonLabel) -> dict[str, Any]:
    scores = joint_scores(person)
    fields: dict[str, Any] = {
        'keypoints': plain(np.column_stack([person.keypoints, scores]).ravel()),
        'score': float(scores[person.labelled].mean()),
        'frame_index': person.frame_index,
    }
    if person.bbox is not None:
        fields['bbox'] = plain(person.bbox)
    if person.track_id is not None:
        fields['track_id'] = person.track_id
    return fields
