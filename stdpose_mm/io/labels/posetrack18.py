"""PoseTrack18 and PoseTrack21 label files: one COCO-like JSON per video.

PoseTrack21's files are the same with a ``person_id`` per annotation, which stays in
``PersonLabel.extra``. PoseTrack's own files know ``v`` 0 and 1 only: 1 is visible, 0 with a
position is occluded, (0, 0, 0) is not labelled. This package writes COCO's 0/1/2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stdpose_mm.io.atomic import PathLike, json_bytes, json_list, write_json_object
from stdpose_mm.structures import POSETRACK_SKELETON, FrameNumbering, VideoLabels

from .coco_records import (
    CATEGORY_FIELDS,
    Visibility,
    category_fields,
    distinct_ids,
    find_frame_indices,
    find_visibility,
    frame_fields,
    image_of,
    is_posetrack_frame_id,
    person_fields,
    read_categories,
    read_frame_record,
    read_person_record,
    source_fields,
    top_level_fields,
    video_name,
    warn_of_unknown_categories,
)
from .fields import Record, errors_of, read_json, require_distinct, shown

_POSETRACK_IMAGE_FIELDS = ('vid_id', 'nframes', 'is_labeled', 'has_no_densepose')
"""Fields of images that identify PoseTrack's own files."""

_OFFICIAL_IMAGE_FIELDS = (
    'has_no_densepose',
    'is_labeled',
    'file_name',
    'nframes',
    'frame_id',
    'vid_id',
    'ignore_regions_x',
    'ignore_regions_y',
    'id',
)
_OFFICIAL_ANNOTATION_FIELDS = (
    'bbox_head',
    'keypoints',
    'track_id',
    'person_id',
    'image_id',
    'bbox',
    'scores',
    'category_id',
    'id',
)


def read_posetrack18(path: PathLike, visibility: Visibility | None = None) -> VideoLabels:
    """Read the labels of one video from a PoseTrack18 or PoseTrack21 JSON (``.gz`` too).

    Args:
        path: The label file. Its name without suffix is the video's name.
        visibility: The convention of ``v``; by default COCO's if the file has a ``v`` of 2 or was
            written by this package, else PoseTrack's.

    Returns:
        For frame indices see :func:`~stdpose_mm.io.labels.coco_records.find_frame_indices`.

    Raises:
        InputError: If the file is not as described.
    """
    return parse_posetrack18(path, read_json(path), visibility)


def parse_posetrack18(
    path: PathLike, data: Any, visibility: Visibility | None = None
) -> VideoLabels:
    """Read parsed JSON as :func:`read_posetrack18` does; ``path`` is for names and messages."""
    record = Record(path, '', data)
    skeleton, category = read_categories(record, default=POSETRACK_SKELETON)
    images = record.records('images')
    indices, numbering = _find_frame_indices(path, images)
    frames = [read_frame_record(image, index) for image, index in zip(images, indices, strict=True)]
    require_distinct(path, 'image id', (frame.image_id for frame in frames))
    frame_of = {frame.image_id: frame.index for frame in frames}
    annotations = record.records('annotations', [])
    warn_of_unknown_categories(record, annotations)
    visibility = visibility or find_visibility(annotations)
    persons = []
    for annotation in annotations:
        frame_index = image_of(annotation, frame_of)
        persons.append(read_person_record(annotation, frame_index, skeleton, visibility))
    require_distinct(
        path,
        'annotation id of one frame',
        (shown((p.frame_index, p.extra['id'])) for p in persons if 'id' in p.extra),
    )
    extra = {**record.extra(), CATEGORY_FIELDS: category}
    with errors_of(path):
        return VideoLabels(
            video_name(path), skeleton, tuple(frames), tuple(persons), extra, numbering
        )


def is_posetrack_image(image: Mapping[str, Any]) -> bool:
    """Tell whether an entry of ``images`` has fields that only PoseTrack's own files have."""
    has_field = any(image.get(name) is not None for name in _POSETRACK_IMAGE_FIELDS)
    return has_field or is_posetrack_frame_id(image.get('frame_id'))


def _find_frame_indices(
    path: PathLike, images: Sequence[Record]
) -> tuple[list[int], FrameNumbering]:
    fields = (*_POSETRACK_IMAGE_FIELDS, 'frame_id')
    official = any(is_posetrack_image({f: image.peek(f) for f in fields}) for image in images)
    # PoseTrack counts the pictures of a video from 0.
    indices, numbering = find_frame_indices(path, images, first_number=0 if official else None)
    lengths = {image.peek('nframes') for image in images if type(image.peek('nframes')) is int}
    if numbering.kind == 'names' and numbering.lowest > 0 and lengths == {numbering.highest}:
        # What PoseTrack's converter made of its files of 2017, whose pictures count from 1.
        numbering = replace(numbering, first_number=1)
    return indices, numbering


def write_posetrack18(labels: VideoLabels, path: PathLike, official: bool = False) -> None:
    """Write the labels of one video as PoseTrack18 JSON, atomically.

    Args:
        labels: Labels; ids of images and annotations are kept from ``extra`` where they are
            complete and distinct.
        path: Where to write; gzipped if it ends in ``.gz``.
        official: Write exactly the fields of PoseTrack's own files, with ``v`` 0/1, instead of
            ``v`` 0/1/2, the sources, ``frame_index`` and everything in ``extra``. Absent people
            are left out then.
    """
    write_json_object(
        path,
        {
            name: json_list(value) if isinstance(value, Iterator) else [json_bytes(value)]
            for name, value in _fields(labels, official).items()
        },
    )


def posetrack18_fields(labels: VideoLabels) -> dict[str, Any]:
    """Make the JSON value that :func:`write_posetrack18` writes."""
    return {
        name: list(value) if isinstance(value, Iterator) else value
        for name, value in _fields(labels, official=False).items()
    }


def _fields(labels: VideoLabels, official: bool) -> dict[str, Any]:
    """Make the fields of a file; images and annotations are iterators."""
    category = category_fields(labels.skeleton, labels.extra.get(CATEGORY_FIELDS, {}))
    image_ids = distinct_ids([frame.image_id for frame in labels.frames])
    image_id_of = {frame.index: i for frame, i in zip(labels.frames, image_ids, strict=True)}
    # The official evaluator counts a person without joints as present.
    persons = [p for p in labels.persons if not (official and p.source == 'absent')]
    ids = distinct_ids([person.extra.get('id') for person in persons])

    def images() -> Iterator[dict[str, Any]]:
        for frame, image_id in zip(labels.frames, image_ids, strict=True):
            yield _selected(frame_fields(frame, image_id), _OFFICIAL_IMAGE_FIELDS, official)

    def annotations() -> Iterator[dict[str, Any]]:
        for person, annotation_id in zip(persons, ids, strict=True):
            fields = person_fields(person, 'posetrack' if official else 'coco')
            fields['id'] = annotation_id
            fields['image_id'] = image_id_of[person.frame_index]
            fields.setdefault('category_id', category['id'])
            if official:
                fields.setdefault('scores', [])
            else:
                fields.update(source_fields(person))
            yield _selected(fields, _OFFICIAL_ANNOTATION_FIELDS, official)

    written = {'images': images(), 'annotations': annotations(), 'categories': [category]}
    return written if official else {**top_level_fields(labels), **written}


def _selected(fields: dict[str, Any], names: tuple[str, ...], official: bool) -> dict[str, Any]:
    """Keep only the fields of PoseTrack's own files, in their order, if ``official``; else all."""
    return {name: fields[name] for name in names if name in fields} if official else fields
