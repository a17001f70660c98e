"""Records that the COCO-like JSON formats (PoseTrack18/21, COCO keypoints) share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import (
    SOURCES,
    VISIBLE,
    FrameNumbering,
    PersonLabel,
    PolygonRegion,
    Skeleton,
    VideoFrame,
    VideoLabels,
    limbs_from_coco,
)

from .fields import MAX_COORDINATE, Record, errors_of, note, shown
from .frame_numbers import MAX_FRAME_INDEX, frame_indices
from .poses import posetrack_visibility

T = TypeVar('T')
Visibility = Literal['coco', 'posetrack']
"""``coco``: v is 0, 1 or 2. ``posetrack``: v is 0 or 1, and (0, 0, 0) is not labelled."""

MAX_SECONDS = 10**7
"""A larger ``timestamp`` counts from 1970, not from the start of the video."""

POSETRACK_FRAMES = 10**4
"""Frame 7 of PoseTrack's video 342 has the ``frame_id`` 10003420007."""

CATEGORY_FIELDS, VIDEO_FIELDS = 'category_fields', 'video_fields'
"""Keys of ``VideoLabels.extra`` under which the fields of a file's category and of its entry in
``videos`` are kept; the other keys are fields of the file itself."""

TRACK_NAME = 'track_name'
"""Key of ``PersonLabel.extra`` for the name of the person's track, where a format has names."""


def video_name(path: PathLike) -> str:
    """Name the video of a label file: the file's name without its suffixes.

    Bytes that are not valid UTF-8, which no label file can hold, become question marks.
    """
    name = os.fsencode(Path(path).name).decode('utf-8', 'replace')
    for suffix in ('.gz', '.json', '.xml', '.slp', '.csv', '.txt'):
        name = name.removesuffix(suffix)
    return name


def read_frames(
    file: PathLike, images: Sequence[Record], first_number: int | None = None
) -> tuple[list[VideoFrame], FrameNumbering]:
    """Read the entries of ``images`` of one video, and find their frame indices.

    Indices are the fields ``frame_index`` if an image has this field; seconds are the fields
    ``time`` or ``timestamp`` if all images have distinct values. The fields ``frame_id`` tell where
    the numbers in the names start; see :func:`frame_indices` for the rest.

    Raises:
        InputError: If an image is not as described, or a ``frame_index`` is missing or repeated.
    """
    names = [image.text('file_name', '') for image in images]
    if any('frame_index' in image for image in images):
        given = [image.integer('frame_index', low=0, high=MAX_FRAME_INDEX) for image in images]
        indices, numbering = frame_indices(file, names, indices=given)
    else:
        indices, numbering = frame_indices(
            file,
            names,
            times=_times_of(images),
            first_number=first_number,
            frame_ids=_frame_ids_of(images),
        )
    return [_read_frame(*pair) for pair in zip(images, indices, strict=True)], numbering


def is_posetrack_frame_id(value: Any) -> bool:
    """Tell whether a ``frame_id`` is one of PoseTrack, which holds the video and the frame."""
    return type(value) is int and value > MAX_FRAME_INDEX


def _frame_ids_of(images: Sequence[Record]) -> list[int] | None:
    """Read the number of each image in its video; None if the images have no such numbers."""
    values = [image.peek('frame_id') for image in images]
    ids = [value for value in values if type(value) is int and value >= 0]
    if all(map(is_posetrack_frame_id, ids)) and len({i // POSETRACK_FRAMES for i in ids}) == 1:
        ids = [i % POSETRACK_FRAMES for i in ids]
    is_complete = len(set(ids)) == len(images)
    return ids if ids and is_complete and max(ids) <= MAX_FRAME_INDEX else None


def _times_of(images: Sequence[Record]) -> list[float] | None:
    for field in ('time', 'timestamp'):
        values = [image.peek(field) for image in images]
        times = [float(value) for value in values if type(value) in (int, float)]
        if times and len(set(times)) == len(images) and 0 <= min(times) <= max(times) < MAX_SECONDS:
            return times
    return None


def _read_frame(image: Record, index: int) -> VideoFrame:
    image.raw('frame_index', None)
    xs, ys = image.number_lists('ignore_regions_x'), image.number_lists('ignore_regions_y')
    if [len(x) for x in xs] != [len(y) for y in ys]:
        raise image.error('ignore_regions_x', 'lists of as many points as in ignore_regions_y')
    width, height = (
        image.integer(name, None, low=1, high=int(MAX_COORDINATE)) for name in ('width', 'height')
    )
    return VideoFrame(
        index=index,
        file_name=image.text('file_name', ''),
        image_id=image.identifier('id'),
        width=width,
        height=height,
        is_labeled=image.flag('is_labeled', None),
        ignore_regions=tuple(
            PolygonRegion(np.stack(xy, axis=1)) for xy in zip(xs, ys, strict=True)
        ),
        # Keep the difference between an empty list of regions and a missing one.
        extra=image.extra(unread=() if xs else ('ignore_regions_x', 'ignore_regions_y')),
    )


def frame_fields(frame: VideoFrame, image_id: int | str) -> dict[str, Any]:
    """Make one entry of ``images``; inverse of :func:`read_frames`."""
    fields: dict[str, Any] = {'id': image_id, 'frame_index': frame.index}
    if frame.file_name:
        fields['file_name'] = frame.file_name
    for name in ('width', 'height', 'is_labeled'):
        if getattr(frame, name) is not None:
            fields[name] = getattr(frame, name)
    if frame.ignore_regions:
        for i, axis in enumerate('xy'):
            regions = [plain(region.points[:, i]) for region in frame.ignore_regions]
            fields[f'ignore_regions_{axis}'] = regions
    return {**frame.extra, **fields}


def read_categories(record: Record, default: Skeleton | None) -> tuple[Skeleton, dict[str, Any]]:
    """Read the skeleton of the one category that has keypoints, and the category's other fields.

    Raises:
        InputError: If there is no such category (and no ``default``), or more than one.
    """
    categories = record.records('categories', [])
    # CVAT gives categories without joints an empty list.
    with_joints = [one for one in categories if one.peek('keypoints') not in (None, [])]
    if not with_joints and default is not None:
        return default, {}
    if len(with_joints) != 1:
        found = ', '.join(shown(category.text('name', '')) for category in with_joints)
        raise InputError(
            f'{record.file}: categories must hold one category with keypoint names, got '
            f'{len(with_joints)} ({found or "none"}); split a file of several by category'
        )
    category = with_joints[0]
    names = category.texts('keypoints')
    limbs = _read_limbs(category, len(names))
    with errors_of(f'{record.file}: {category.where}'):
        skeleton = Skeleton(tuple(names), limbs, category.text('name', 'person'))
    return skeleton, category.extra()


def _read_limbs(category: Record, count: int) -> tuple[tuple[int, int], ...]:
    """Read the limbs of ``count`` joints, which COCO counts from 1 and some tools from 0."""
    limbs = [limb.tolist() for limb in category.number_lists('skeleton', count=2)]
    joints = {joint for limb in limbs for joint in limb}
    if 0 not in joints:
        return limbs_from_coco(limbs)
    if max(joints) >= count:
        raise category.error(
            'skeleton',
            f'pairs of joints in 1..{count}, or all in 0..{count - 1} if they count from 0',
        )
    return tuple((int(a), int(b)) for a, b in limbs)


def warn_of_unknown_categories(record: Record, annotations: Sequence[Record]) -> None:
    """Warn of annotations whose ``category_id`` is that of none of the file's categories."""
    ids = {shown(one.peek('id')): None for one in record.records('categories', []) if 'id' in one}
    unknown = [
        annotation
        for annotation in annotations
        if 'category_id' in annotation and shown(annotation.peek('category_id')) not in ids
    ]
    if ids and unknown:
        given = shown(unknown[0].peek('category_id'))
        note(
            f'{record.file}: {len(unknown)} of {len(annotations)} annotations have a category_id '
            f'that no category has ({unknown[0].where} has {given}, the categories have '
            f'{", ".join(ids)}); they count as labels of the category with joints'
        )


def category_fields(labels: VideoLabels) -> dict[str, Any]:
    """Make the one entry of ``categories``; inverse of :func:`read_categories`."""
    skeleton = labels.skeleton
    return {
        'id': 1,
        'supercategory': skeleton.category,
        **labels.extra.get(CATEGORY_FIELDS, {}),
        'name': skeleton.category,
        'keypoints': list(skeleton.keypoint_names),
        'skeleton': [[a + 1, b + 1] for a, b in skeleton.limbs],
    }


def top_level_fields(labels: VideoLabels) -> dict[str, Any]:
    """Collect the fields of the file itself that are kept in ``labels.extra``."""
    own = (CATEGORY_FIELDS, VIDEO_FIELDS)
    return {name: value for name, value in labels.extra.items() if name not in own}


def find_visibility(annotations: Iterable[Record]) -> Visibility:
    """Find the visibility convention of a file: a v of 2 or a ``source`` field means COCO's."""
    for annotation in annotations:
        keypoints = annotation.peek('keypoints')
        if annotation.peek('source') in SOURCES:
            return 'coco'
        if isinstance(keypoints, list) and 2 in keypoints[2::3]:
            return 'coco'
    return 'posetrack'


def image_of(annotation: Record, images: Mapping[Any, T]) -> T:
    """Look up the image that an entry of ``annotations`` names, by its id.

    Raises:
        InputError: If there is no such image.
    """
    image_id = annotation.identifier('image_id')
    if image_id not in images:
        raise annotation.error('image_id', 'the id of one of the images')
    return images[image_id]


def read_person(
    annotation: Record, frame_index: int, skeleton: Skeleton, visibility: Visibility
) -> PersonLabel:
    """Read one entry of ``annotations`` as a label on the given frame."""
    count = skeleton.num_keypoints
    joints = annotation.numbers('keypoints', 3 * count).reshape(count, 3)
    flags = joints[:, 2]
    allowed = (0, 1, 2) if visibility == 'coco' else (0, 1)
    if not np.isin(flags, allowed).all():
        bad = flags[~np.isin(flags, allowed)][0]
        raise annotation.error('keypoints', f'x, y, v with v in {allowed}, not {bad:g}')
    source = annotation.raw('source', 'given')
    known = source in SOURCES
    sources = None
    if 'keypoint_sources' in annotation:
        sources = np.array(annotation.texts('keypoint_sources'))
    scores = None
    if annotation.raw('scores', []) != []:
        scores = annotation.numbers('scores', count)
    with errors_of(f'{annotation.file}: {annotation.where}'):
        return PersonLabel(
            frame_index=frame_index,
            keypoints=joints[:, :2],
            visibility=flags if visibility == 'coco' else posetrack_visibility(joints),
            track_id=annotation.integer('track_id', None),
            scores=scores,
            bbox=annotation.box('bbox'),
            head_box=annotation.box('bbox_head'),
            source=source if known else 'given',
            extra={**annotation.extra(), **({} if known else {'source': source})},
            keypoint_sources=sources,  # type: ignore[arg-type]
        )


def source_fields(person: PersonLabel) -> dict[str, Any]:
    """Make the fields of an entry of ``annotations`` for the sources of its joints."""
    return {'source': person.source, 'keypoint_sources': person.keypoint_sources.tolist()}


def person_fields(person: PersonLabel, visibility: Visibility) -> dict[str, Any]:
    """Make one entry of ``annotations`` without its ids; inverse of :func:`read_person`."""
    flags = person.visibility
    if visibility == 'posetrack':
        flags = (flags == VISIBLE).astype(np.int8)
    keypoints: list[float | int] = []
    for (x, y), v in zip(plain(person.keypoints), flags.tolist(), strict=True):
        keypoints += [x, y, v]
    fields: dict[str, Any] = {'keypoints': keypoints}
    if person.track_id is not None:
        fields['track_id'] = person.track_id
    arrays = {'scores': person.scores, 'bbox': person.bbox, 'bbox_head': person.head_box}
    fields |= {name: plain(array) for name, array in arrays.items() if array is not None}
    return {**person.extra, **fields}


def plain(array: np.ndarray) -> list[Any]:
    """Convert an array to nested lists; whole numbers become integers."""
    if array.ndim > 1:
        return [plain(row) for row in array]
    return [int(x) if float(x).is_integer() else float(x) for x in array]


def distinct_ids(kept: Sequence[Any]) -> list[Any]:
    """Return the ids from the file if complete and distinct, else 1, 2, ..."""
    if all(type(i) in (int, str) for i in kept) and len(set(kept)) == len(kept):
        return list(kept)
    return [*range(1, len(kept) + 1)]


def is_coco_like(data: Any) -> bool:
    """Tell whether parsed JSON is a COCO-like file."""
    return isinstance(data, dict) and isinstance(data.get('images'), list)


def fields_of(items: Any) -> set[str]:
    """Collect the names of the fields of the first objects of a list."""
    items = items if isinstance(items, list) else []
    return {name for item in items[:100] if isinstance(item, dict) for name in item}
