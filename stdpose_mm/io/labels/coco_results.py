"""COCO keypoint results: the list of poses that MMPose and others pass to COCO's evaluation.

pycocotools reads such lists next to the ground truth they belong to; it is not used here, because
the videos, frames and identities are what matters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stdpose_mm.io import write_json
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import PersonLabel, VideoFrame, VideoLabels

from .coco_records import (
    CATEGORY_FIELDS,
    category_fields,
    distinct_ids,
    joint_scores,
    plain,
    video_name,
    visibility_of,
)
from .fields import Record, errors_of, read_json
from .frame_numbers import MAX_FRAME_INDEX
from .known_skeletons import COCO_FAMILY, unnamed_skeleton
from .labelled_pictures import LabelledPicture, videos_of_pictures


def is_coco_results(data: Any) -> bool:
    """Tell whether parsed JSON is a list of keypoint results."""
    first = data[0] if isinstance(data, list) and data else None
    return isinstance(first, dict) and {'image_id', 'keypoints'} <= first.keys()


def read_coco_results(path: PathLike) -> list[VideoLabels]:
    """Read a list of results; all joints are 'propagated', estimates of a network.

    Args:
        path: JSON list of objects with ``image_id``, ``keypoints`` (x, y, score of every joint) and
            optionally ``bbox``, ``track_id`` and ``frame_index``.

    Returns:
        One video. Frames are ``frame_index`` if present, as in results of this package, else
        ``image_id``. If ids are file names, frames are the numbers in the names, and there is one
        video for each folder.

    Raises:
        InputError: If the file is not as described.
    """
    results = Record(path, '', {'results': read_json(path)}).records('results')
    count = len(results[0].numbers('keypoints')) // 3 if results else 0
    skeleton = unnamed_skeleton(
        path, count, COCO_FAMILY, 'convert it and name the joints in the result if that is wrong'
    )
    by_image: dict[int | str, list[Record]] = {}
    for result in results:
        by_image.setdefault(_image_of(result), []).append(result)
    people = {
        image: [_person(result, skeleton.num_keypoints) for result in group]
        for image, group in by_image.items()
    }
    if any(isinstance(image, str) for image in by_image):
        return videos_of_pictures(
            path,
            [
                LabelledPicture(str(image), group, where=str(path))
                for image, group in people.items()
            ],
            skeleton,
        )
    indices = sorted(people, key=int)
    with errors_of(path):
        return [
            VideoLabels(
                name=video_name(path),
                skeleton=skeleton,
                frames=tuple(VideoFrame(int(index)) for index in indices),
                persons=tuple(
                    PersonLabel(frame_index=int(index), **fields)
                    for index in indices
                    for fields in people[index]
                ),
            )
        ]


def _image_of(result: Record) -> int | str:
    """Return the frame of a result, or the name of its picture."""
    if 'frame_index' in result:
        return int(result.integer('frame_index', low=0, high=MAX_FRAME_INDEX))
    image_id = result.raw('image_id', expected='the id of a picture')
    if isinstance(image_id, str) and image_id:
        return image_id
    return int(result.integer('image_id', low=0, high=MAX_FRAME_INDEX))


def _person(result: Record, count: int) -> dict[str, Any]:
    joints = result.numbers('keypoints', 3 * count, of=f'numbers, x, y, score of {count} keypoints')
    points, scores = joints.reshape(count, 3)[:, :2], joints[2::3]
    return {
        'keypoints': points,
        'visibility': visibility_of(points, scores),
        'scores': scores,
        'track_id': result.integer('track_id', None),
        'bbox': result.box('bbox'),
        'source': 'propagated',
    }


def write_coco_results(labels: VideoLabels, path: PathLike) -> None:
    """Write poses as COCO keypoint results, atomically.

    Image ids and category equal those of ``write_coco`` for the same labels, so that the two files
    can be evaluated against each other. Besides COCO's fields there are ``track_id`` and
    ``frame_index``. The score of a pose is the mean of its joint scores. Joint names, sources,
    occlusion, and people without a labelled joint are not written.

    Args:
        labels: The labels.
        path: Where to write; gzipped if it ends in ``.gz``.
    """
    image_ids = distinct_ids([frame.image_id for frame in labels.frames])
    image_id_of = dict(zip(labels, image_ids, strict=True))
    category = category_fields(labels.skeleton, labels.extra.get(CATEGORY_FIELDS, {}))['id']
    write_json(
        path,
        [
            {
                **_result(person),
                'image_id': image_id_of[person.frame_index],
                'category_id': category,
            }
            for person in labels.persons
            if person.labelled.any()
        ],
    )


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
