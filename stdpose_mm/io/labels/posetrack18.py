"""PoseTrack18 and PoseTrack21 label files: one COCO-like JSON per video.

PoseTrack21 adds a ``person_id`` per annotation, which is kept in ``PersonLabel.extra``, and frames
that are not ``is_labeled`` but have boxes, which its evaluation and this package leave out. In
PoseTrack's own files ``v`` is 0 or 1: 1 is visible, 0 with coordinates is occluded, (0, 0, 0) is
not labelled. This package writes COCO's 0/1/2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import itemgetter
from typing import Any

from stdpose_mm.errors import note
from stdpose_mm.io.disk.atomic import PathLike, write_json_object
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.structures import POSETRACK_SKELETON, VideoLabels

from . import coco
from .coco import CATEGORY_FIELDS, Visibility
from .coco_categories import read_categories
from .fields import Record, errors_of, fields_of, require_distinct
from .label_source import read_json
from .poses import leave_out_empty
from .posetrack17 import frame_id_of

_POSETRACK_IMAGE_FIELDS = ('vid_id', 'nframes', 'is_labeled', 'has_no_densepose')
"""Fields of images that identify PoseTrack's own files."""

_HAS_BOXES = 'has_labeled_person'
"""PoseTrack21's field of images that have annotations, of which some may only be boxes."""

_POSETRACK_ANNOTATION_FIELDS = {'bbox_head', 'source', 'scores'}

_OFFICIAL_IMAGE_FIELDS = (
    *('has_no_densepose', 'is_labeled', 'file_name', 'nframes', 'frame_id', 'vid_id'),
    *('ignore_regions_x', 'ignore_regions_y', 'id'),
)
_OFFICIAL_ANNOTATION_FIELDS = (
    *('bbox_head', 'keypoints', 'track_id', 'person_id', 'image_id', 'bbox', 'scores'),
    *('category_id', 'id'),
)


def read_posetrack18(path: PathLike, visibility: Visibility | None = None) -> VideoLabels:
    """Read a label file, also gzipped; see :func:`parse_posetrack18`."""
    return parse_posetrack18(path, read_json(path), visibility)


def parse_posetrack18(
    path: PathLike, data: Any, visibility: Visibility | None = None, category: str | None = None
) -> VideoLabels:
    """Read the labels of one video from parsed PoseTrack18 or PoseTrack21 JSON.

    Args:
        path: The label file. Its name without suffix is the video's name.
        data: Its parsed JSON, which is used up: joints are freed as they are read.
        visibility: The convention of ``v``; by default COCO's if the file has a ``v`` of 2 or was
            written by this package, else PoseTrack's.
        category: The category to read, if several with different joints are used.

    Returns:
        The labels; for their frame indices see :func:`~stdpose_mm.io.labels.coco.read_frames`.

    Raises:
        InputError: If the file is not as described.
    """
    record = Record(path, '', data)
    categories = read_categories(record, category, default=POSETRACK_SKELETON)
    images = record.records('images')
    # PoseTrack counts the pictures of a video from 0.
    official = any(_is_posetrack_image(image.peek) for image in images)
    frames, numbering = coco.read_frames(path, images, first_number=0 if official else None)
    lengths = {image.peek('nframes') for image in images if type(image.peek('nframes')) is int}
    if numbering.kind == 'names' and numbering.lowest > 0 and lengths == {numbering.highest}:
        # PoseTrack's converter made these files from PoseTrack17's, whose pictures count from 1.
        numbering = replace(numbering, first_number=1)
    require_distinct(path, 'image id', (frame.image_id for frame in frames))
    frame_of = {frame.image_id: frame.index for frame in frames}
    annotations = categories.select(record.records('annotations', []))
    convention = visibility or coco.find_visibility(annotations)
    people = coco.read_people(annotations, frame_of, categories, convention)
    unlabelled = {f.index for f in frames if f.extra.get(_HAS_BOXES) and f.is_labeled is False}
    entries = [
        (coco.is_statement(annotation, person), person)
        for annotation, person in zip(annotations, people, strict=True)
        if person.has_joint or person.frame_index not in unlabelled
    ]
    if len(entries) < len(people):
        # Without the file's name, since one sentence is enough for a whole data set.
        note('PoseTrack21: people without joints in frames whose is_labeled is false are left out')
    if visibility != 'posetrack':
        # In PoseTrack's own files, people without joints stay: the official evaluator counts them.
        entries = [(official or is_stated, person) for is_stated, person in entries]
        (entries,) = leave_out_empty(path, [entries], itemgetter(0))
    persons = [person for _, person in entries]
    extra = {**record.extra(), CATEGORY_FIELDS: categories.fields}
    where = video_name(path), categories.skeleton
    with errors_of(path):
        return VideoLabels(*where, (*frames,), (*persons,), extra, numbering)


def has_posetrack_form(data: Any) -> bool:
    """Tell whether parsed JSON has PoseTrack's form of COCO, with one video and no video ids."""
    if not coco.is_coco(data) or 'videos' in data:
        return False
    images = [image for image in data['images'][:100] if isinstance(image, dict)]
    if any('video_id' in image for image in images):
        return False
    # The pictures of one video may be in several folders if their indices are stated.
    is_numbered = any('frame_index' in image for image in images)
    if not is_numbered and coco.holds_several_videos(data):
        return False
    has_fields = fields_of(data.get('annotations')) & _POSETRACK_ANNOTATION_FIELDS
    return bool(has_fields) or any(_is_posetrack_image(image.get) for image in images)


def is_posetrack18(data: Any) -> bool:
    """Tell whether parsed JSON has PoseTrack18's form."""
    return has_posetrack_form(data) and not is_posetrack21(data)


def is_posetrack21(data: Any) -> bool:
    """Tell whether parsed JSON has PoseTrack18's form with a ``person_id`` in annotations."""
    return has_posetrack_form(data) and 'person_id' in fields_of(data.get('annotations'))


def _is_posetrack_image(field: Callable[[str], Any]) -> bool:
    """Tell whether an entry of ``images`` has fields that only PoseTrack's own files have."""
    has_field = any(field(name) is not None for name in _POSETRACK_IMAGE_FIELDS)
    return has_field or coco.is_posetrack_frame_id(field('frame_id'))


def write_posetrack18(labels: VideoLabels, path: PathLike, official: bool = False) -> None:
    """Write the labels of one video as PoseTrack18 JSON, atomically.

    Args:
        labels: The labels. Ids of images and annotations are kept if they are complete and
            distinct.
        path: Where to write; gzipped if it ends in ``.gz``.
        official: Write exactly the fields of PoseTrack's own files, with ``v`` 0/1, without absent
            people, and with PoseTrack's frame ids if the pictures lie in one of its folders;
            instead of ``v`` 0/1/2, the sources, ``frame_index`` and ``extra``.
    """
    write_json_object(path, _fields(labels, official))


def write_official_posetrack18(labels: VideoLabels, path: PathLike) -> None:
    """Write exactly the fields of PoseTrack's own files, see :func:`write_posetrack18`."""
    write_posetrack18(labels, path, official=True)


def posetrack18_fields(labels: VideoLabels) -> dict[str, Any]:
    """Make the JSON value that :func:`write_posetrack18` writes."""
    return {
        name: list(value) if isinstance(value, Iterator) else value
        for name, value in _fields(labels, official=False).items()
    }


def _fields(labels: VideoLabels, official: bool) -> dict[str, Any]:
    """Make the fields of a file; images and annotations are iterators."""
    category = coco.category_fields(labels)
    known: list[Any] = [frame.image_id for frame in labels.frames]
    if official:
        # PoseTrack21's evaluation pairs frames by them.
        of_names = [frame_id_of(frame.file_name) for frame in labels.frames]
        known = known if None in of_names else of_names
    image_ids = coco.distinct_ids(known)
    image_id_of = dict(zip(labels, image_ids, strict=True))
    # The official evaluator would count an absent person as present.
    persons = [p for p in labels.persons if not (official and p.source == 'absent')]
    ids = coco.distinct_ids([person.extra.get('id') for person in persons])

    def images() -> Iterator[dict[str, Any]]:
        for frame in labels.frames:
            fields = coco.frame_fields(frame, image_id_of[frame.index])
            yield _selected(fields, _OFFICIAL_IMAGE_FIELDS, official)

    def annotations() -> Iterator[dict[str, Any]]:
        for person, annotation_id in zip(persons, ids, strict=True):
            fields = coco.person_fields(person, 'posetrack' if official else 'coco')
            fields['id'] = annotation_id
            fields['image_id'] = image_id_of[person.frame_index]
            fields.setdefault('category_id', category['id'])
            if official:
                fields.setdefault('scores', [])
            else:
                fields.update(coco.source_fields(person))
            yield _selected(fields, _OFFICIAL_ANNOTATION_FIELDS, official)

    written = {'images': images(), 'annotations': annotations(), 'categories': [category]}
    return written if official else {**coco.top_level_fields(labels), **written}


def _selected(fields: dict[str, Any], names: tuple[str, ...], official: bool) -> dict[str, Any]:
    """Keep only the given fields in their order if ``official``; else keep all."""
    return {name: fields[name] for name in names if name in fields} if official else fields
