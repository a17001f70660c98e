"""LabelMe: one JSON per picture; points are joints, and ``group_id`` identifies the person.

Read with the standard library: neither sleap-io, movement nor supervision knows these files, and
the LabelMe of datumaro is an older tool of that name, which wrote XML.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import NOT_LABELLED, OCCLUDED, VISIBLE, Skeleton, VideoLabels

from .fields import MAX_COORDINATE, Record, errors_of, read_json
from .labelled_pictures import LabelledPicture, label_files_in, videos_of_pictures

_OCCLUDED_FLAGS = ('occluded', 'hidden')


def is_labelme(data: Any) -> bool:
    """Tell whether parsed JSON is a file of LabelMe."""
    return isinstance(data, dict) and isinstance(data.get('shapes'), list)


def read_labelme(path: PathLike) -> list[VideoLabels]:
    """Read the points of one LabelMe file or of a folder of them.

    Shapes of the type ``point`` are joints named by their label. Points with the same ``group_id``
    are one person, and the ``group_id`` is the track id. A rectangle with the ``group_id`` is that
    person's box, and its label the skeleton's category. A point with the flag ``occluded`` or
    ``hidden`` is occluded. Other shapes are ignored.

    Args:
        path: A ``.json`` file, or a folder of them.

    Returns:
        One entry per folder of pictures (``imagePath``). Joints are in the order in which they
        first appear.

    Raises:
        InputError: If a file is not as described, or a joint appears twice in one person.
    """
    files = label_files_in(path, lambda file: file.suffix.lower() == '.json')
    records = [_without_picture(file, read_json(file)) for file in files]
    shapes = [record.records('shapes') for record in records]
    joints = dict.fromkeys(
        _label(shape) for group in shapes for shape in group if _is(shape, 'point')
    )
    if not joints:
        raise InputError(f'{path} holds no shape of the type point, expected the joints as points')
    boxes = {
        _label(shape)
        for group in shapes
        for shape in group
        if _is(shape, 'rectangle') and 'group_id' in shape
    }
    with errors_of(path):
        skeleton = Skeleton(tuple(joints), category=boxes.pop() if len(boxes) == 1 else 'person')
    pictures = [
        _picture(record, group, skeleton) for record, group in zip(records, shapes, strict=True)
    ]
    return videos_of_pictures(path, pictures, skeleton)


def _without_picture(file: Path, data: Any) -> Record:
    if isinstance(data, dict):
        # The whole picture; the pictures of a long video would fill the memory.
        data.pop('imageData', None)
    return Record(file, '', data)


def _is(shape: Record, kind: str) -> bool:
    return bool(shape.text('shape_type', 'polygon') == kind)


def _label(shape: Record) -> str:
    # Typed by hand: stray blanks do not make another joint.
    return str(shape.text('label')).strip()


def _picture(record: Record, shapes: Iterable[Record], skeleton: Skeleton) -> LabelledPicture:
    groups: dict[int | None, dict[str, Any]] = {}
    for shape in shapes:
        if not _is(shape, 'point') and not _is(shape, 'rectangle'):
            continue
        group = shape.integer('group_id', None)
        if _is(shape, 'point'):
            _add_joint(groups.setdefault(group, _nobody(group, skeleton)), shape, skeleton)
        elif group is not None:
            groups.setdefault(group, _nobody(group, skeleton))['bbox'] = _box(shape)
    size = [
        record.integer(name, None, low=1, high=int(MAX_COORDINATE))
        for name in ('imageWidth', 'imageHeight')
    ]
    return LabelledPicture(
        name=record.text('imagePath', '').replace('\\', '/') or Path(record.file).stem,
        people=list(groups.values()),
        size=None if None in size else (size[0], size[1]),
        is_labeled=True,
        where=str(record.file),
    )


def _nobody(group: int | None, skeleton: Skeleton) -> dict[str, Any]:
    return {
        'keypoints': np.zeros((skeleton.num_keypoints, 2)),
        'visibility': np.full(skeleton.num_keypoints, NOT_LABELLED),
        'track_id': group,
    }


def _add_joint(person: dict[str, Any], shape: Record, skeleton: Skeleton) -> None:
    joint = skeleton.index_of(_label(shape))
    if person['visibility'][joint] != NOT_LABELLED:
        whose = 'group' if 'group_id' in shape else 'picture, expected a group_id for each person'
        raise shape.error('label', f'another joint than those before of this {whose}')
    points = shape.number_lists('points', 2)
    if len(points) != 1:
        raise shape.error('points', 'a list of one point')
    flags = shape.raw('flags', {})
    if not isinstance(flags, dict):
        raise shape.error('flags', 'an object')
    person['keypoints'][joint] = points[0]
    person['visibility'][joint] = OCCLUDED if any(map(flags.get, _OCCLUDED_FLAGS)) else VISIBLE


def _box(shape: Record) -> np.ndarray:
    points = shape.number_lists('points', 2)
    # Two opposite corners; newer versions may write all four.
    if len(points) not in (2, 4):
        raise shape.error('points', 'a list of two corners')
    corners = np.stack(points)
    low = corners.min(axis=0)
    return np.concatenate([low, corners.max(axis=0) - low])
