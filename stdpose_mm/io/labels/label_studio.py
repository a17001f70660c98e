"""Label Studio: a JSON export of image tasks with ``KeyPointLabels``.

Read with the standard library: sleap-io reads only exports that name a video and frame in the
task's ``meta``, as sleap-io's own exports do, and puts the joints in random order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.file_kinds import PICTURE_SUFFIXES
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, Skeleton, VideoLabels

from .fields import MAX_COORDINATE, Record, errors_of, read_json, require_distinct
from .labelled_pictures import LabelledPicture, videos_of_pictures

_TASK_FIELDS = {'annotations', 'completions', 'predictions'}
_POINT, _BOX, _RELATION = 'keypointlabels', 'rectanglelabels', 'relation'


def is_label_studio(data: Any) -> bool:
    """Tell whether parsed JSON is a list of tasks of Label Studio."""
    first = data[0] if isinstance(data, list) and data else None
    return isinstance(first, dict) and 'data' in first and bool(_TASK_FIELDS & first.keys())


def read_label_studio(path: PathLike) -> list[VideoLabels]:
    """Read the key points of an export of Label Studio.

    Points within a rectangle (by the list of regions, or by a relation) are one person; the
    rectangle is the person's box, its label the skeleton's category. The points of a picture
    outside all rectangles are one person too. Points placed by a person are visible and 'given';
    predicted points of a task without annotations are 'propagated'. Identities are not known.

    Args:
        path: An export as "JSON", not "JSON-MIN".

    Returns:
        One entry per folder of pictures. Joints are in the order in which they first appear.

    Raises:
        InputError: If the file is not as described, a picture was labelled several times, or a
            joint appears twice in one person.
    """
    tasks = Record(path, '', {'tasks': read_json(path)}).records('tasks')
    chosen = [_choose_result(task) for task in tasks]
    points = [r for regions, _ in chosen for r in regions if r.text('type', '') == _POINT]
    if not points:
        raise InputError(f'{path} holds no key points, expected regions of KeyPointLabels')
    joints = dict.fromkeys(_label(point, _POINT) for point in points)
    rectangles = [r for regions, _ in chosen for r in regions if r.text('type', '') == _BOX]
    boxes = {_label(rectangle, _BOX) for rectangle in rectangles}
    with errors_of(path):
        skeleton = Skeleton(tuple(joints), category=boxes.pop() if len(boxes) == 1 else 'person')
    pictures = [
        _picture(task, regions, is_prediction, skeleton)
        for task, (regions, is_prediction) in zip(tasks, chosen, strict=True)
    ]
    return videos_of_pictures(path, pictures, skeleton)


def _choose_result(task: Record) -> tuple[list[Record], bool]:
    """Choose the regions of a task, and tell whether they are a prediction."""
    # Before version 1.0 annotations were called completions.
    name = 'annotations' if 'annotations' in task else 'completions'
    done = [a for a in task.records(name, []) if not a.flag('was_cancelled', False)]
    if len(done) > 1:
        done = [a for a in done if a.flag('ground_truth', False)]
        if len(done) != 1:
            raise task.error(name, 'one annotation, or several with one marked as ground truth')
    predicted = task.records('predictions', []) if not done else []
    used = done or predicted[-1:]
    return (used[0].records('result', []) if used else []), not done


def _picture(
    task: Record, regions: Sequence[Record], is_prediction: bool, skeleton: Skeleton
) -> LabelledPicture:
    placed = [r for r in regions if r.text('type', '') in (_POINT, _BOX)]
    require_distinct(task.file, f'region id of {task.where}', (r.text('id') for r in placed))
    by_id = {region.text('id'): region for region in placed}
    parent_of = _parents(regions, by_id)
    people: dict[str | None, dict[str, Any]] = {}
    sizes = set()
    for region_id, region in by_id.items():
        size = _size(region)
        sizes.add(size)
        is_box = region.text('type') == _BOX
        whose = region_id if is_box else parent_of.get(region_id)
        person = people.setdefault(whose, _nobody(skeleton, is_prediction))
        if is_box:
            person['bbox'] = _pixels(region, size, ('x', 'y', 'width', 'height'))
        else:
            _add_joint(person, region, size, skeleton, is_prediction)
    if len(sizes) > 1:
        raise InputError(f'{task.file}: the regions of {task.where} are of pictures of {sizes}')
    return LabelledPicture(
        name=_picture_name(task),
        # A rectangle without points may be the box of anything, not only of a person.
        people=[p for p in people.values() if (p['visibility'] != NOT_LABELLED).any()],
        size=sizes.pop() if sizes else None,
        is_labeled=None if is_prediction else True,
        where=f'{task.file}: {task.where}',
    )


def _parents(regions: Sequence[Record], by_id: Mapping[str, Record]) -> dict[str, str]:
    """Map the id of a point -> the id of its rectangle."""
    pairs = [(id_, region.text('parentID', '')) for id_, region in by_id.items()]
    for region in regions:
        if region.text('type', '') == _RELATION:
            ends = region.text('from_id'), region.text('to_id')
            pairs += [ends, ends[::-1]]
    kind = {id_: region.text('type') for id_, region in by_id.items()}
    return {
        point: box for point, box in pairs if kind.get(point) == _POINT and kind.get(box) == _BOX
    }


def _size(region: Record) -> tuple[int, int]:
    if region.number('image_rotation', 0) != 0:
        raise region.error('image_rotation', '0; turn the pictures before they are labelled')
    width, height = (
        region.integer(name, low=1, high=int(MAX_COORDINATE))
        for name in ('original_width', 'original_height')
    )
    return width, height


def _pixels(region: Record, size: tuple[int, int], names: Sequence[str]) -> np.ndarray:
    value = region.record('value')
    per_cent = np.array([value.number(name) for name in names])
    return per_cent * np.resize(size, len(names)) / 100


def _label(region: Record, kind: str) -> str:
    value = region.record('value')
    labels = value.texts(kind)
    if len(labels) != 1:
        raise value.error(kind, 'a list of one label')
    return labels[0]


def _nobody(skeleton: Skeleton, is_prediction: bool) -> dict[str, Any]:
    count = skeleton.num_keypoints
    return {
        'keypoints': np.zeros((count, 2)),
        'visibility': np.full(count, NOT_LABELLED),
        **({'source': 'propagated', 'scores': np.zeros(count)} if is_prediction else {}),
    }


def _add_joint(
    person: dict[str, Any],
    region: Record,
    size: tuple[int, int],
    skeleton: Skeleton,
    is_prediction: bool,
) -> None:
    joint = skeleton.index_of(_label(region, _POINT))
    if person['visibility'][joint] != NOT_LABELLED:
        raise InputError(
            f'{region.file}: {region.where} is a second {skeleton.keypoint_names[joint]} of one '
            'person, expected a rectangle for each person with the points in it'
        )
    person['keypoints'][joint] = _pixels(region, size, ('x', 'y'))
    person['visibility'][joint] = VISIBLE
    if is_prediction:
        person['scores'][joint] = region.number('score', 1.0)


def _picture_name(task: Record) -> str:
    """Return the path of a task's picture from its URL in Label Studio."""
    data = task.record('data')
    names = [key for key in ('image', 'img') if key in data]
    if not names:
        names = [key for key, value in data.extra().items() if _is_picture(value)]
    if len(names) != 1:
        raise task.error('data', 'an object with one picture, such as {"image": "frame_0001.jpg"}')
    return _path(data.text(names[0]))


def _is_picture(value: Any) -> bool:
    return isinstance(value, str) and PurePosixPath(_path(value)).suffix.lower() in PICTURE_SUFFIXES


def _path(url: str) -> str:
    try:
        parts = urlsplit(url.replace('\\', '/'))
    except ValueError:
        return url
    # Files of a local storage are served as /data/local-files/?d=clips/0001.jpg.
    local = parse_qs(parts.query).get('d')
    path = local[0] if local else unquote(parts.path)
    # Uploaded ones get 8 random digits before their names, which are no frame's number.
    return re.sub(r'(/upload/(?:.*/)?)[0-9a-f]{8}-', r'\1', path)
