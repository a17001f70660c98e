"""LabelMe: one JSON file per picture; points are joints, and ``group_id`` identifies the person.

Read and written with the standard library: sleap-io, movement and supervision do not read these
files, and datumaro's LabelMe is an older tool of that name, which wrote XML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io.disk.atomic import PathLike, json_text, write_texts
from stdpose_mm.io.disk.file_names import file_stem
from stdpose_mm.structures import (
    OCCLUDED,
    VISIBLE,
    PersonLabel,
    Skeleton,
    VideoLabels,
    unused_track_ids,
)
from stdpose_mm.text import counted

from .fields import Record, quote
from .frame_numbers import base_name, frame_indices, picture_stem, slashed
from .identities import StatedIdentity
from .joints import join_people, note_unread
from .labelled_pictures import (
    LabelledPicture,
    find_picture,
    frame_files,
    picture_names,
    videos_of_pictures,
)
from .poses import Person, person_of_joints, without_repeated

_READ = ('point', 'rectangle', 'rotation', 'oriented_rectangle')
"""Kinds of shapes that are read; X-AnyLabeling calls a rotated rectangle rotation."""

_OCCLUDED_FLAGS = ('occluded', 'hidden')

_MADE = 'propagated'
"""Flag of a picture that has joints made by this package, or that nobody has checked."""

_VERSION = '5.5.0'
"""Version of LabelMe whose fields are written."""


def is_labelme(data: Any) -> bool:
    """Tell whether parsed JSON is a file of LabelMe."""
    return isinstance(data, dict) and isinstance(data.get('shapes'), list)


def parse_labelme(path: PathLike, files: Iterable[tuple[Path, Any]]) -> list[VideoLabels]:
    """Read the points of one LabelMe file or of a folder of them.

    Shapes of the type ``point`` are joints named by their label. Points with the same ``group_id``
    are one person, and the ``group_id`` is the track id. Points without it are another person,
    unless only one person of the picture lacks them. A rectangle with the ``group_id`` is that
    person's box, and its label the skeleton's category. A point is occluded if it has the flag
    ``occluded`` or ``hidden``, or if X-AnyLabeling marks it as ``difficult``. Other shapes are
    ignored. A warning counts points with a score (from X-AnyLabeling's models) in pictures that are
    not marked as checked. Points that :func:`write_labelme` wrote as propagated stay propagated,
    unless they were moved or the flag ``propagated`` of their picture was removed.

    Args:
        path: A ``.json`` file, or a folder of them.
        files: Each file and its parsed JSON.

    Returns:
        One entry per folder of pictures (``imagePath``). Joints are in the order in which they
        first appear.

    Raises:
        InputError: If a file is not as described, a joint appears twice in one person, or the name
            of a file contradicts its ``imagePath`` and the pictures in its folder do not decide.
    """
    records = []
    for file, data in files:
        if isinstance(data, dict):
            # The encoded picture; those of a long video would fill the memory.
            data.pop('imageData', None)
        records.append(Record(file, '', data))
    every_shape = [record.records('shapes') for record in records]
    kinds = [shape.text('shape_type', 'polygon') for of in every_shape for shape in of]
    note_unread(path, 'other shapes', (kind for kind in kinds if kind not in _READ))
    placed = ([s for s in of if s.peek('shape_type') in _READ] for of in every_shape)
    shapes = without_repeated(path, 'shape', placed, _key_of_shape)
    every = [shape for of_picture in shapes for shape in of_picture]
    groups = [_points_by_group(of_picture) for of_picture in shapes]
    names = [_label(shape) for shape in every if _is_point(shape)]
    if not names:
        raise InputError(f'{path} holds no shape of the type point, expected the joints as points')
    boxes = {_label(shape) for shape in every if not _is_point(shape) and 'group_id' in shape}
    joint_of, skeleton = join_people(path, groups, names, boxes)
    unchecked = (of for r, of in zip(records, shapes, strict=True) if r.peek('checked') is not True)
    predicted = sum('score' in shape and _is_point(shape) for of in unchecked for shape in of)
    if predicted:
        note(
            f'{path}: {counted(predicted, "point")} with the score of a model in pictures that are '
            'not marked as checked; check them, because they count as given'
        )
    pictures = [
        _picture(*of_picture, joint_of, skeleton)
        for of_picture in zip(_picture_names(path, records), records, shapes, groups, strict=True)
    ]
    return videos_of_pictures(path, pictures, skeleton)


def _key_of_shape(shape: Record) -> str:
    return repr([shape.peek(name) for name in ('label', 'shape_type', 'group_id', 'points')])


def _is_point(shape: Record) -> bool:
    return bool(shape.text('shape_type') == 'point')


def _label(shape: Record) -> str:
    # Labels are typed by hand, so surrounding blanks are ignored.
    return str(shape.text('label')).strip()


def _picture_names(path: PathLike, records: Sequence[Record]) -> list[str]:
    """Name the picture of each file: its ``imagePath``, unless both were renamed since.

    LabelMe names a file after its picture. If the numbers in the two names differ, the picture in
    the folder of the file decides.
    """
    files = [Path(record.file) for record in records]
    names = [slashed(record.text('imagePath', '')) for record in records]
    indices, numbering = frame_indices(path, [file_stem(file) for file in files])
    for i, (file, name) in enumerate(zip(files, names, strict=True)):
        if not name:
            names[i] = file_stem(file)
        elif numbering.kind == 'names' and indices[i] not in map(
            int, re.findall('[0-9]{1,18}', picture_stem(name))
        ):
            beside = find_picture(file_stem(file), [file.parent])
            if (beside is None) != (file.parent / base_name(name)).is_file():
                raise InputError(
                    f'{file} has the name of one picture and the labels of another '
                    f'({quote(name)} in imagePath), and {"both are" if beside else "neither is"} '
                    'in its folder: rename it, or keep only the picture that was labelled there'
                )
            if beside is not None:
                names[i] = str(PurePosixPath(name).parent / beside.name)
    return names


def _points_by_group(shapes: Sequence[Record]) -> dict[StatedIdentity, dict[str, Record]]:
    """Group the points of a picture by their ``group_id``, by label; a box alone is a group."""
    groups: dict[StatedIdentity, dict[str, Record]] = {}
    for shape in shapes:
        group = shape.identity('group_id')
        if _is_point(shape):
            if groups.setdefault(group, {}).setdefault(_label(shape), shape) is not shape:
                raise shape.error('label', 'distinct among the points of its group_id or picture')
        elif group is not None:
            groups.setdefault(group, {})
    return groups


def _picture(
    name: str,
    record: Record,
    shapes: Sequence[Record],
    groups: Mapping[StatedIdentity, Mapping[str, Record]],
    joint_of: Mapping[str, str],
    skeleton: Skeleton,
) -> LabelledPicture:
    boxes = {shape.identity('group_id'): _box(shape) for shape in shapes if not _is_point(shape)}
    flags = record.peek('flags')
    is_made = isinstance(flags, dict) and flags.get(_MADE) is True
    people = []
    for group, points in groups.items():
        placed = {joint_of[label]: _read_point(point) for label, point in points.items()}
        sources = dict.fromkeys(placed, 'given')
        for label, point in points.items():
            x, y, _ = placed[joint_of[label]]
            if is_made and point.peek('description') == _mark(x, y):
                sources[joint_of[label]] = _MADE
        of_joints = [sources.get(n, 'absent') for n in skeleton.keypoint_names]
        fields: Person = {'source': _MADE if {*sources.values()} == {_MADE} else 'given'}
        box = None if group is None else boxes.get(group)
        fields |= {'identity': group, 'bbox': box, 'keypoint_sources': of_joints}
        people.append(person_of_joints(skeleton, placed, **fields))
    width, height = record.size('imageWidth', 'imageHeight')
    size = (width, height) if width and height else None
    return LabelledPicture(name, people, size, None if is_made else True, str(record.file))


def _mark(x: float, y: float) -> str:
    """Describe a propagated point by its coordinates, which change when a person corrects it."""
    return f'{_MADE} {x!r},{y!r}'


def _read_point(shape: Record) -> tuple[float, float, int]:
    points = shape.number_lists('points', 2)
    if len(points) != 1:
        raise shape.error('points', 'a list of one point')
    flags = map(shape.record('flags').peek, _OCCLUDED_FLAGS) if 'flags' in shape else ()
    is_occluded = shape.flag('difficult', False) or any(flags)
    x, y = points[0].tolist()
    return x, y, OCCLUDED if is_occluded else VISIBLE


def _box(shape: Record) -> np.ndarray:
    points = shape.number_lists('points', 2)
    # Two opposite corners; newer versions of LabelMe may write all four.
    if len(points) not in (2, 4):
        raise shape.error('points', 'a list of two corners')
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    return np.concatenate([low, high - low])


def write_labelme(labels: VideoLabels, path: PathLike) -> None:
    """Write a LabelMe file for every frame of a video to a folder, atomically.

    Every person is a group: a point for each labelled joint, and a rectangle for the box.
    ``group_id`` is the track id, or an unused number without one. Occluded joints have the flag
    ``occluded``. The description of a propagated joint holds the word ``propagated`` and its
    coordinates. Pictures with such joints, and those that nobody has checked, have the flag
    ``propagated``, which a person removes to accept them. LabelMe looks for the pictures in the
    folder of the files, under the names in ``imagePath``: those in the labels, else
    ``<video>_000000000012.jpg``. Scores, limbs, head boxes and absence are not written.

    Args:
        labels: The labels.
        path: The folder; see :func:`frame_files` and
            :func:`~stdpose_mm.io.disk.atomic.atomic_folder`.
    """
    write_texts(path, _texts(labels, frame_files(labels, path, '*.json')))


def _texts(labels: VideoLabels, names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    new_groups, pictures = unused_track_ids(labels.track_ids), picture_names(labels)
    frames = {frame.index: frame for frame in labels.frames}
    for index, name in names.items():
        shapes = [s for p in labels[index] for s in _person_shapes(p, labels.skeleton, new_groups)]
        size = {'imageHeight': frames[index].height, 'imageWidth': frames[index].width}
        picture = {'imagePath': base_name(pictures[index]), 'imageData': None, **size}
        looked_at = frames[index].is_labeled or any(p.has_given_joint for p in labels[index])
        made = any(p.has_propagated_joint for p in labels[index]) or not looked_at
        whole = {'version': _VERSION, 'flags': {_MADE: True} if made else {}, 'shapes': shapes}
        yield name, json_text({**whole, **picture}, indent=2)


def _person_shapes(
    person: PersonLabel, skeleton: Skeleton, new_groups: Iterator[int]
) -> list[dict[str, Any]]:
    shapes: list[dict[str, Any]] = []
    if person.bbox is not None:
        corners = [person.bbox[:2].tolist(), (person.bbox[:2] + person.bbox[2:]).tolist()]
        shapes.append({'label': skeleton.category, 'points': corners, 'shape_type': 'rectangle'})
    for joint in person.labelled.nonzero()[0]:
        name, place = skeleton.keypoint_names[joint], person.keypoints[joint].tolist()
        flags = {'occluded': True} if person.visibility[joint] == OCCLUDED else {}
        mark = _mark(*place) if person.propagated[joint] else ''
        point = {'label': name, 'points': [place], 'shape_type': 'point', 'flags': flags}
        shapes.append({**point, 'description': mark})
    group = next(new_groups) if shapes and person.track_id is None else person.track_id
    return [{'group_id': group, 'description': '', 'flags': {}, **shape} for shape in shapes]
