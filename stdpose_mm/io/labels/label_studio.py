"""Label Studio's JSON export of tasks of pictures with ``KeyPointLabels``.

Read and written with the standard library: sleap-io reads only exports that name a video and frame
in the task's ``meta``, as its own exports do, and returns the joints in random order.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike, write_json
from stdpose_mm.io.disk.file_names import PICTURE_SUFFIXES
from stdpose_mm.io.disk.outputs import project_file
from stdpose_mm.io.limits import MAX_COORDINATE
from stdpose_mm.structures import VISIBLE, PersonLabel, Skeleton, VideoLabels, pose_extent
from stdpose_mm.text import counted, listed

from .cvat_writer import write_xml
from .deeplabcut import OWN_SCORER
from .fields import Record, fields_of, require_distinct
from .joints import join_people, note_unread
from .labelled_pictures import LabelledPicture, picture_names, picture_sizes, videos_of_pictures
from .poses import Person, holds_a_joint, joint_scores, person_of_joints, without_repeated

_TASK_FIELDS = {'annotations', 'completions', 'predictions'}
_POINT, _BOX, _RELATION = 'keypointlabels', 'rectanglelabels', 'relation'
_PLACED = (_POINT, _BOX)
_READ = (*_PLACED, _RELATION)
_PICTURE = 'image'
_TRACK = 'track '
"""What precedes the number of a person in the info of its rectangle, which exports keep."""


def is_label_studio(data: Any) -> bool:
    """Tell whether parsed JSON is a list of tasks of Label Studio."""
    fields = fields_of(data)
    return 'data' in fields and bool(_TASK_FIELDS & fields)


def parse_label_studio(path: PathLike, data: Any) -> list[VideoLabels]:
    """Read the key points of an export of Label Studio as "JSON", not "JSON-MIN".

    Points that belong to a rectangle (nested in it in the list of regions, or linked by a relation)
    are one person; the rectangle is the person's box, its label the skeleton's category. All points
    of a picture that belong to no rectangle are one person, too. Points placed by a person are
    visible and 'given'; predicted points of a task without annotations are 'propagated'. The info
    of a rectangle may give an identity, as ``track 3``.

    Args:
        path: The file, for names and messages.
        data: Its parsed JSON.

    Returns:
        One entry per folder of pictures. Joints are in the order in which they first appear.

    Raises:
        InputError: If the file is not as described, a picture was labelled several times, or a
            joint appears twice in one person.
    """
    tasks = Record(path, '', {'tasks': data}).records('tasks')
    chosen = [_choose_result(task) for task in tasks]
    by_id = sum(f and _numbers_predictions(t) for t, (_, f) in zip(tasks, chosen, strict=True))
    if by_id:
        what = counted(by_id, 'task')
        note(f'{path}: left out the predictions of {what}, of which the export has only the ids')
    distinct = without_repeated(path, 'region', (regions for regions, _ in chosen), _key_of_region)
    chosen = [(regions, flag) for regions, (_, flag) in zip(distinct, chosen, strict=True)]
    before = sum(len(regions) for regions, _ in chosen)
    chosen = [([r for r in regions if not _is_prompt(r)], flag) for regions, flag in chosen]
    units = [
        unit
        for task, (regions, flag) in zip(tasks, chosen, strict=True)
        for unit in _pictures_of(task, regions, flag)
    ]
    fields = dict.fromkeys(unit.field for unit in units)
    if len(fields) > 1:
        note(f'{path}: tasks have several pictures ({listed([*fields], 5)}), each is another video')
    every = [region for unit in units for region in unit.regions]
    if len(every) < before:
        what = counted(before - len(every), 'region')
        note(f'{path}: left out {what} without coordinates, such as prompts of a segmentation')
    groups = [_points_by_outline(unit.task, unit.regions) for unit in units]
    outlines = {
        id(r)
        for unit, of in zip(units, groups, strict=True)
        for r in unit.regions
        if r.peek('id') in of
    }
    unread = (_kind(r) for r in every if _kind(r) not in _READ and id(r) not in outlines)
    note_unread(path, 'other regions', unread)
    names = [_label(r) for r in every if _kind(r) == _POINT]
    if not names:
        raise InputError(f'{path} holds no key points, expected regions of KeyPointLabels')
    boxes = {_label(r) for r in every if _kind(r) == _BOX or id(r) in outlines}
    joint_of, skeleton = join_people(path, groups, names, boxes)
    named = units if len(fields) > 1 else [unit._replace(field='') for unit in units]
    pictures = [
        _picture(*of_unit, joint_of, skeleton) for of_unit in zip(named, groups, strict=True)
    ]
    return videos_of_pictures(path, pictures, skeleton)


class _Unit(NamedTuple):
    """One picture of a task: the field that names it, its path, its regions, and their kind."""

    task: Record
    field: str
    name: str
    regions: list[Record]
    is_prediction: bool


def _pictures_of(task: Record, regions: Sequence[Record], is_prediction: bool) -> Iterator[_Unit]:
    """Yield the pictures of a task that have regions; the first if none has.

    A region belongs to the picture that its ``to_name`` names, or to the item of a list that its
    ``item_index`` numbers.
    """
    data = task.record('data')
    pictures = {key: value for key, value in data.extra().items() if _is_picture(value)}
    targets = {str(r.text('to_name', '')) for r in regions if _kind(r) == _POINT}
    usual = {key: data.peek(key) for key in ('image', 'img') if key in data}
    values = {k: v for k, v in pictures.items() if k in targets} or usual or pictures
    if not values:
        raise task.error('data', 'an object with one picture, such as {"image": "frame_0001.jpg"}')
    if len(values) > 1 and not values.keys() >= targets:
        names = listed([*values], 5)
        raise task.error('data', f'pictures ({names}) of which the to_name of every point is one')
    first, *_ = values
    of_picture: dict[tuple[str, int], list[Record]] = {}
    for region in (r for r in regions if _kind(r) != _RELATION):
        field = region.text('to_name', '')
        field = field if field in values else first
        index = region.integer('item_index', 0, 0, len(_as_list(values[field])) - 1)
        of_picture.setdefault((field, index), []).append(region)
    relations = [region for region in regions if _kind(region) == _RELATION]
    for (field, index), of in (of_picture or {(first, 0): []}).items():
        where = Record(task.file, f'{task.where}.data', {field: _as_list(values[field])[index]})
        yield _Unit(task, field, _path(where.text(field)), [*of, *relations], is_prediction)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) and value else [value]


def _choose_result(task: Record) -> tuple[list[Record], bool]:
    """Choose the regions of a task, and tell whether they are a prediction."""
    # Before version 1.0 annotations were called completions.
    name = 'annotations' if 'annotations' in task else 'completions'
    done = [a for a in task.records(name, []) if not a.flag('was_cancelled', False)]
    if len(done) > 1:
        done = [a for a in done if a.flag('ground_truth', False)]
        if len(done) != 1:
            raise task.error(name, 'one annotation, or several with one marked as ground truth')
    used = done
    if not done and not _numbers_predictions(task):
        used = task.records('predictions', [])[-1:]
    return (used[0].records('result', []) if used else []), not done


def _numbers_predictions(task: Record) -> bool:
    """Tell whether predictions are ids, as in Label Studio's usual export, and not regions."""
    predictions = task.peek('predictions')
    return isinstance(predictions, list) and bool(predictions) and type(predictions[-1]) is int


def _kind(region: Record) -> str:
    return str(region.text('type', ''))


def _key_of_region(region: Record) -> str:
    # Other regions may refer to the id of a rectangle.
    names = ('type', 'value', 'parentID', *(() if _kind(region) == _POINT else ('id', 'from_id')))
    return repr([region.peek(name) for name in (*names, 'to_id')])


def _is_prompt(region: Record) -> bool:
    """Tell whether a region has no coordinates, as exported points that prompted a network."""
    value = region.record('value') if _kind(region) in _PLACED else ('x', 'y')
    return 'x' not in value and 'y' not in value


def _placed(regions: Sequence[Record]) -> dict[str, Record]:
    return {region.text('id'): region for region in regions if _kind(region) in _PLACED}


def _points_by_outline(
    task: Record, regions: Sequence[Record]
) -> dict[str | None, dict[str, Record]]:
    """Group the points of a picture by the id of their rectangle or outline (None without one)."""
    ids = (region.text('id') for region in regions if _kind(region) in _PLACED)
    require_distinct(task.file, f'region id of {task.where}', ids)
    by_id = _placed(regions)
    parents = _parents(regions)
    points: dict[str | None, dict[str, Record]] = {}
    for region_id, region in by_id.items():
        is_box = _kind(region) == _BOX
        of_person = points.setdefault(region_id if is_box else parents.get(region_id), {})
        if not is_box and of_person.setdefault(_label(region), region) is not region:
            raise InputError(
                f'{region.file}: {region.where} is a second {_label(region)} of one person, '
                'expected one rectangle or outline per person with their points in it'
            )
    return points


def _picture(
    unit: _Unit,
    points: Mapping[str | None, Mapping[str, Record]],
    joint_of: Mapping[str, str],
    skeleton: Skeleton,
) -> LabelledPicture:
    task, is_prediction = unit.task, unit.is_prediction
    by_id = {region.peek('id'): region for region in unit.regions}
    sizes = {_size(region) for region in _placed(unit.regions).values()}
    if len(sizes) > 1:
        raise InputError(f'{task.file}: the regions of {task.where} state several sizes: {sizes}')
    people = []
    for box_id, of_person in points.items():
        fields: Person = {'bbox': None, 'identity': None}
        if box_id is not None:
            fields = {'bbox': _box(by_id[box_id]), 'identity': _track_of(by_id[box_id])}
        if is_prediction:
            scores = {joint_of[n]: point.number('score', 1.0) for n, point in of_person.items()}
            fields['scores'] = [scores.get(name, 0.0) for name in skeleton.keypoint_names]
            fields['source'] = 'propagated'
        joints = {joint_of[n]: (*_pixels(p, 'x', 'y'), VISIBLE) for n, p in of_person.items()}
        people.append(person_of_joints(skeleton, joints, **fields))
    # A rectangle without points may be the box of anything, so it is left out.
    people = [person for person in people if holds_a_joint(person)]
    size, is_labeled = sizes.pop() if sizes else None, None if is_prediction else True
    where = f'{task.file}: {task.where}'
    return LabelledPicture(unit.name, people, size, is_labeled, where, unit.field)


def _parents(regions: Sequence[Record]) -> dict[str, str]:
    """Map the id of a point -> the id of its rectangle or outline."""
    kind = {region.text('id'): _kind(region) for region in regions if 'id' in region}
    pairs = [(r.text('id'), r.text('parentID', '')) for r in regions if _kind(r) == _POINT]
    for region in regions:
        if _kind(region) == _RELATION:
            ends = region.text('from_id'), region.text('to_id')
            pairs += [ends, ends[::-1]]
    return {a: b for a, b in pairs if kind.get(a) == _POINT != kind.get(b, _POINT)}


def _size(region: Record) -> tuple[int, int]:
    if region.number('image_rotation', 0) != 0:
        raise region.error('image_rotation', '0; turn the pictures before they are labelled')
    width, height = (
        region.integer(f'original_{name}', low=1, high=int(MAX_COORDINATE))
        for name in ('width', 'height')
    )
    return width, height


def _box(region: Record) -> np.ndarray | None:
    """Read a rectangle; enclose a polygon or one that is rotated (clockwise about its top-left)."""
    if 'points' in region.record('value'):
        corners = np.stack(region.record('value').number_lists('points', 2))
        corners *= np.divide(_size(region), 100)
        return np.concatenate([corners.min(axis=0), np.ptp(corners, axis=0)])
    if _kind(region) != _BOX:
        return None
    box = _pixels(region, 'x', 'y', 'width', 'height')
    angle = np.radians(region.record('value').number('rotation', 0))
    if angle == 0:
        return box
    (width, height), cos, sin = box[2:], np.cos(angle), np.sin(angle)
    corners = np.outer([0, width, 0, width], [cos, sin]) + np.outer(
        [0, 0, height, height], [-sin, cos]
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    return np.concatenate([box[:2] + low, high - low])


def _track_of(region: Record) -> int | None:
    # The info is a text or a list of texts.
    info = str(region.peek('meta'))
    number = re.search(rf'\b{_TRACK}([0-9]{{1,18}})\b', info, re.ASCII)
    return int(number[1]) if number else None


def _pixels(region: Record, *names: str) -> np.ndarray:
    value = region.record('value')
    per_cent = np.array([value.number(name) for name in names])
    return per_cent * np.resize(_size(region), len(names)) / 100


def _label(region: Record) -> str:
    labels = region.record('value').texts(_kind(region))
    if len(labels) != 1:
        raise region.error('value', f'an object with one label in {_kind(region)}')
    return labels[0]


def _is_picture(value: Any) -> bool:
    return all(
        isinstance(url, str) and PurePosixPath(_path(url)).suffix.lower() in PICTURE_SUFFIXES
        for url in _as_list(value)
    )


def _path(url: str) -> str:
    try:
        parts = urlsplit(url.replace('\\', '/'))
    except ValueError:
        return url
    # Files of a local storage are served as /data/local-files/?d=clips/0001.jpg.
    local = parse_qs(parts.query).get('d')
    path = local[0] if local else unquote(parts.path)
    # Uploaded pictures get a prefix of 8 random hex digits, which is not a frame number.
    return re.sub(r'(/upload/(?:.*/)?)[0-9a-f]{8}-', r'\1', path)


def write_label_studio(labels: VideoLabels, path: PathLike) -> None:
    """Write the frames of a video as tasks to import into Label Studio, atomically.

    A person is a rectangle with the joints in it; without a box, the rectangle encloses the joints.
    Given joints, and checked frames without people, become annotations. Frames with a propagated
    joint get a prediction of all joints with their scores, which Label Studio shows as a
    pre-annotation, and which the reader uses only if there is no annotation. Pictures have the
    names in the labels, else ``<video>/<video>_000000000012.jpg``. The info of a rectangle says
    whose it is. Occlusion, limbs and head boxes are not written. A second file ``<name of the
    file>_config.xml`` holds the labeling interface that the project needs.

    Args:
        labels: The labels; pictures need a size.
        path: Where to write; gzipped if it ends in ``.gz``.

    Raises:
        InputError: If the size of a picture is not known, or XML does not allow a joint's name.
    """
    sizes, looked_at = picture_sizes(labels, path), {f.index for f in labels.frames if f.is_labeled}
    view = ET.Element('View')
    ET.SubElement(view, 'Image', name=_PICTURE, value=f'${_PICTURE}')
    joints, category = labels.skeleton.keypoint_names, labels.skeleton.category
    for kind, names in (('KeyPointLabels', joints), ('RectangleLabels', (category,))):
        control = ET.SubElement(view, kind, name=kind.lower(), toName=_PICTURE)
        for name in names:
            ET.SubElement(control, 'Label', value=name)
    tasks = []
    for index, name in picture_names(labels).items():
        given_people = [person.only_given() for person in labels[index] if person.is_given]
        made = any(person.has_propagated_joint for person in labels[index])
        regions = [*_regions(given_people, labels.skeleton, sizes[index])]
        annotations = [{'result': regions}] if regions or index in looked_at else []
        predictions = [_prediction(labels, index, sizes[index])] if made else []
        data = {_PICTURE: quote(name)}
        tasks.append({'data': data, 'annotations': annotations, 'predictions': predictions})
    write_xml(project_file(path, 'label-studio'), view)
    write_json(path, tasks)


def _prediction(labels: VideoLabels, index: int, size: tuple[int, int]) -> dict[str, Any]:
    """Make the prediction of a frame; Label Studio can sort tasks by its score."""
    people = labels[index]
    scores = np.concatenate([joint_scores(person)[person.labelled] for person in people])
    regions = [*_regions(people, labels.skeleton, size)]
    return {'model_version': OWN_SCORER, 'score': float(scores.mean()), 'result': regions}


def _regions(
    people: Iterable[PersonLabel], skeleton: Skeleton, size: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    for number, person in enumerate(people):
        if not person.has_joint:
            continue
        box = pose_extent(person.keypoints, person.labelled) if person.bbox is None else person.bbox
        info = {} if person.track_id is None else {'meta': {'text': [f'{_TRACK}{person.track_id}']}}
        yield _region(str(number), _BOX, skeleton.category, box, size, **info)
        for joint in person.labelled.nonzero()[0]:
            fields: dict[str, Any] = {'parentID': str(number)}
            if person.scores is not None:
                fields['score'] = float(person.scores[joint])
            name, place = skeleton.keypoint_names[joint], person.keypoints[joint]
            yield _region(f'{number}.{joint}', _POINT, name, place, size, **fields)


def _region(
    region_id: str, kind: str, label: str, place: np.ndarray, size: tuple[int, int], **fields: Any
) -> dict[str, Any]:
    """Make a region of a point [2] or a box [4] in pixels."""
    per_cent = (100 * place / np.resize(size, len(place))).tolist()
    # The width of a point is the width of its dot.
    value = {'width': 0.5, **dict(zip(('x', 'y', 'width', 'height'), per_cent, strict=False))}
    names = {'id': region_id, 'type': kind, 'from_name': kind, 'to_name': _PICTURE}
    picture = {'original_width': size[0], 'original_height': size[1], 'image_rotation': 0}
    return {**names, **picture, 'value': {**value, kind: [label]}, **fields}
