"""Files of person detections in COCO's form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike, write_json
from stdpose_mm.structures import FrameBoxes

from .fields import Record
from .label_source import read_json

PERSON = 1
"""Category of people in COCO, and in the files of :func:`write_detections`."""


Detections = dict[int | str, FrameBoxes]
"""Picture id -> the detections in the picture."""


def read_detections(path: PathLike, score_thr: float = 0.0) -> Detections:
    """Read COCO-style detection results of one class, usually people.

    If the file has several classes, such as the 80 of COCO, only people are read, with a warning.

    Args:
        path: JSON list of objects with ``image_id``, ``bbox`` (x, y, width, height), ``score``, and
            ``category_id`` if there are several classes.
        score_thr: Detections that score less are left out.

    Raises:
        InputError: If the file is not as described, or has several classes and no people.
    """
    return parse_detections(path, read_json(path), score_thr)


def parse_detections(path: PathLike, data: Any, score_thr: float = 0.0) -> Detections:
    """Read parsed detection results; see :func:`read_detections`."""
    detected: dict[int | str, tuple[list[np.ndarray], list[float]]] = {}
    records = Record(path, '', {'detections': data}).records('detections')
    for record in _of_one_class(path, records):
        image_id, box = record.identifier('image_id'), record.box('bbox')
        score = record.number('score')
        if box is None:
            raise record.error('bbox', 'a list of 4 numbers')
        if score >= score_thr:
            boxes, scores = detected.setdefault(image_id, ([], []))
            boxes.append(box)
            scores.append(score)
    return {
        image_id: FrameBoxes(np.stack(boxes), np.array(scores, dtype=float))
        for image_id, (boxes, scores) in detected.items()
    }


def _of_one_class(path: PathLike, records: Sequence[Record]) -> Sequence[Record]:
    """Select the people if detections have several classes; keep all of a single class."""
    classes = [record.integer('category_id', None) for record in records]
    if len({*classes}) < 2:
        return records
    numbers = ', '.join(map(str, sorted({*classes} - {None})))
    known = f'{path} has detections of the categories {numbers}'
    if PERSON not in classes or None in classes:
        raise InputError(
            f'{known}{" and of none" if None in classes else ""}, expected people ({PERSON}) or '
            'one category, remove the others'
        )
    note(f'{known}: only {PERSON} (people in COCO) is read')
    return [
        record for record, class_name in zip(records, classes, strict=True) if class_name == PERSON
    ]


def require_distinct_ids(ids: Mapping[str, Iterable[int | str]]) -> None:
    """Refuse videos that share the id of a picture: detections would belong to both.

    Args:
        ids: Name of a video -> ids of its pictures.

    Raises:
        InputError: If two videos have a picture with the same id.
    """
    video_of: dict[int | str, str] = {}
    for name, of_video in ids.items():
        for image_id in of_video:
            other = video_of.setdefault(image_id, name)
            if other != name:
                raise InputError(f'{other!r} and {name!r} both have a picture with id {image_id}')


def write_detections(detections: Detections, path: PathLike) -> None:
    """Write COCO-style detection results of people, atomically.

    Args:
        detections: The detections; read back by :func:`read_detections`.
        path: Where to write a JSON list of ``image_id``, ``category_id``, ``bbox``, ``score``.
    """
    results = [
        {'image_id': image_id, 'category_id': PERSON, 'bbox': box, 'score': score}
        for image_id, people in detections.items()
        for box, score in zip(people.boxes.tolist(), people.scores.tolist(), strict=True)
    ]
    write_json(path, results)
