"""COCO keypoint files of videos: one JSON that holds one video or several.

Images carry ``video_id`` and ``frame_index``, annotations carry ``track_id``, and the list
``videos`` names the videos. pycocotools reads such files; it is not used here, because its index
keeps neither tracks nor videos and it does not check what it reads.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io import write_json
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import PersonLabel, VideoFrame, VideoLabels, pose_extent

from .coco_records import (
    CATEGORY_FIELDS,
    VIDEO_FIELDS,
    category_fields,
    distinct_ids,
    find_frame_indices,
    frame_fields,
    image_of,
    person_fields,
    plain,
    read_categories,
    read_frame_record,
    read_person_record,
    source_fields,
    top_level_fields,
    video_name,
    warn_of_unknown_categories,
)
from .fields import MAX_COORDINATE, Record, errors_of, read_json, require_distinct, shown

_FILE_FIELDS = 'file_fields'
"""Field of an entry in ``videos`` for fields of the file in which the videos differ."""


def read_coco(path: PathLike) -> list[VideoLabels]:
    """Read a COCO keypoint JSON (``.gz`` too).

    Images belong to one video if they have the same ``video_id`` or, without that field, if their
    ``file_name`` names the same folder. ``v`` is 0, 1 or 2. Annotations of categories without
    joints and those of crowds (``iscrowd``) are left out with a warning.

    Args:
        path: The label file.

    Returns:
        One entry per video, in the order of their first images. For frame indices see
        :func:`~stdpose_mm.io.labels.coco_records.find_frame_indices`.

    Raises:
        InputError: If the file is not as described.
    """
    return parse_coco(path, read_json(path))


def parse_coco(path: PathLike, data: Any) -> list[VideoLabels]:
    """Read parsed JSON as :func:`read_coco` does; ``path`` is for names and messages."""
    record = Record(path, '', data)
    skeleton, category = read_categories(record, default=None)
    groups: dict[Any, list[Record]] = {}
    for image in record.records('images'):
        groups.setdefault(_video_key(image), []).append(image)
    videos = _read_videos(record)
    names = _video_names(path, list(groups), videos)

    frames: dict[Any, list[VideoFrame]] = {}
    place: dict[Any, tuple[Any, int]] = {}
    numberings = {}
    for key, images in groups.items():
        indices, numberings[key] = find_frame_indices(path, images)
        frames[key] = [
            read_frame_record(image, index) for image, index in zip(images, indices, strict=True)
        ]
        for frame in frames[key]:
            if frame.image_id in place:
                raise InputError(f'{path}: image id {shown(frame.image_id)} appears twice')
            place[frame.image_id] = (key, frame.index)

    persons: dict[Any, list[PersonLabel]] = {key: [] for key in groups}
    for annotation in _annotations_of_people(record):
        key, index = image_of(annotation, place)
        person = read_person_record(annotation, index, skeleton, 'coco')
        if person.track_id is None:
            person = replace(person, track_id=_track_attribute(annotation))
        if _kept_area(person) in (None, _box_area(person)):
            # The writer computes the area again from the label's box.
            person.extra.pop('area', None)
        if not person.has_place:
            # COCO requires a box even for an absent person.
            person = replace(person, bbox=None)
        persons[key].append(person)
    require_distinct(
        path,
        'annotation id',
        (shown(p.extra['id']) for group in persons.values() for p in group if 'id' in p.extra),
    )

    top = record.extra()
    with errors_of(path):
        return [
            VideoLabels(
                name=names[key],
                skeleton=skeleton,
                frames=tuple(frames[key]),
                persons=tuple(persons[key]),
                extra={
                    **top,
                    **_file_fields(videos.get(key)),
                    CATEGORY_FIELDS: category,
                    VIDEO_FIELDS: videos[key].extra() if key in videos else {},
                },
                numbering=numberings[key],
            )
            for key in groups
        ]


def _annotations_of_people(record: Record) -> list[Record]:
    """Select the annotations of the category that has joints, without those of crowds.

    Warn of what is left out, and of what may be misunderstood.
    """
    annotations = record.records('annotations')
    warn_of_unknown_categories(record, annotations)
    others = _names_without_joints(record)
    of_other = [others.get(shown(annotation.peek('category_id'))) for annotation in annotations]
    kept = [one for one, other in zip(annotations, of_other, strict=True) if other is None]
    if len(kept) < len(annotations):
        left_out = Counter(other for other in of_other if other is not None)
        names = ', '.join(f'{number} of {name!r}' for name, number in left_out.items())
        warnings.warn(
            f'{record.file}: annotations of categories without joints are left out ({names})',
            InputWarning,
            stacklevel=2,
        )
    # As MMPose's datasets do.
    single = [annotation for annotation in kept if annotation.peek('iscrowd') != 1]
    if len(single) < len(kept):
        warnings.warn(
            f'{record.file}: annotations of crowds are left out ({len(kept) - len(single)} with '
            '"iscrowd": 1)',
            InputWarning,
            stacklevel=2,
        )
    kept = single
    number = sum(map(_may_be_interpolated, kept))
    if number:
        warnings.warn(
            f'{record.file}: {number} of {len(kept)} labels are not marked as key frames of CVAT, '
            'which may have interpolated their joints; they count as given. Export the task as '
            '"CVAT for video 1.1", which tells the key frames of each joint',
            InputWarning,
            stacklevel=2,
        )
    return kept


def _names_without_joints(record: Record) -> dict[str, str]:
    """Map the ids of the categories without joints, as texts, to their names."""
    names: dict[str, str] = {}
    with_joints = set()
    for category in record.records('categories', []):
        category_id = category.peek('id')
        if category.peek('keypoints') not in (None, []):
            with_joints.add(shown(category_id))
        elif type(category_id) in (int, str):
            names[shown(category_id)] = category.text('name', '')
    return {text: name for text, name in names.items() if text not in with_joints}


def _may_be_interpolated(annotation: Record) -> bool:
    """Tell whether CVAT has exported a frame of a track in which not all joints are key frames."""
    attributes = annotation.peek('attributes')
    return isinstance(attributes, dict) and attributes.get('keyframe') is False


def _video_key(image: Record) -> Any:
    key = image.raw('video_id', None)
    if key is None:
        return PurePosixPath(image.text('file_name', '')).parent
    if type(key) not in (int, str):
        raise image.error('video_id', 'a whole number or a string')
    return key


def _track_attribute(annotation: Record) -> int | None:
    """Find the track id among the custom attributes, where CVAT's COCO export has it."""
    attributes = annotation.raw('attributes', None)
    if not isinstance(attributes, dict):
        return None
    track_id = Record(annotation.file, f'{annotation.where}.attributes', attributes)
    return track_id.integer('track_id', None)


def _read_videos(record: Record) -> dict[Any, Record]:
    videos = {}
    for video in record.records('videos', []):
        key = video.raw('id', expected='the id of a video')
        if type(key) not in (int, str) or key in videos:
            raise video.error('id', 'a number or string of its own')
        video.text('name', '')
        videos[key] = video
    return videos


def _file_fields(video: Record | None) -> dict[str, Any]:
    """Read the fields of the file that are kept in the entry of one video."""
    if video is None or _FILE_FIELDS not in video:
        return {}
    return video.record(_FILE_FIELDS).extra()


def _video_names(path: PathLike, keys: list[Any], videos: dict[Any, Record]) -> dict[Any, str]:
    names = {}
    for key in keys:
        if key in videos:
            names[key] = videos[key].text('name', '') or str(key)
        elif isinstance(key, PurePosixPath):
            names[key] = key.name or video_name(path)
        else:
            names[key] = str(key)
    if len(set(names.values())) < len(names):
        # Folders such as a/img1 and b/img1.
        return {key: str(key) for key in keys}
    return names


def write_coco(labels: VideoLabels | Sequence[VideoLabels], path: PathLike) -> None:
    """Write one video or several as COCO keypoint JSON, atomically.

    Fields that COCO requires are always written: frames without a file name get
    ``<video>/<index>.jpg``, people without a box the extent of their joints (zero size without
    joints). The area is that of the box, unless the file of a given label states another (the area
    of the outline, used by OKS). Besides COCO's fields, ``frame_index``, ``track_id``, ``scores``,
    ``source``, ``keypoint_sources`` and the fields in ``extra`` are written. Fields of the file,
    such as ``info``, in which the videos differ are written in the entries of ``videos``, as
    ``file_fields``.

    Args:
        labels: Videos with the same skeleton.
        path: Where to write; gzipped if it ends in ``.gz``.

    Raises:
        InputError: If there is no video, or the skeletons differ.
    """
    write_json(path, coco_fields([labels] if isinstance(labels, VideoLabels) else labels))


def coco_fields(videos: Sequence[VideoLabels]) -> dict[str, Any]:
    """Make the JSON value that :func:`write_coco` writes."""
    if not videos:
        raise InputError('a COCO file needs at least one video, got none')
    skeleton = videos[0].skeleton
    for video in videos:
        if video.skeleton != skeleton:
            raise InputError(
                f'video {video.name!r} has another skeleton than {videos[0].name!r}, expected one '
                'skeleton for all videos of a COCO file'
            )
    category = category_fields(skeleton, videos[0].extra.get(CATEGORY_FIELDS, {}))
    frames = [(i, frame) for i, video in enumerate(videos) for frame in video.frames]
    image_ids = distinct_ids([frame.image_id for _, frame in frames])
    image_id_of = {
        (i, frame.index): image_id for (i, frame), image_id in zip(frames, image_ids, strict=True)
    }
    images = []
    for i, frame in frames:
        fields = frame_fields(frame, image_id_of[i, frame.index])
        fields['video_id'] = i + 1
        fields.setdefault('file_name', f'{videos[i].name}/{frame.index:06d}.jpg')
        images.append(fields)

    persons = [(i, person) for i, video in enumerate(videos) for person in video.persons]
    ids = distinct_ids([person.extra.get('id') for _, person in persons])
    annotations = []
    for (i, person), annotation_id in zip(persons, ids, strict=True):
        fields = _annotation_fields(person)
        fields['id'] = annotation_id
        fields['image_id'] = image_id_of[i, person.frame_index]
        fields['category_id'] = category['id']
        annotations.append(fields)

    shared, own = _split_fields([top_level_fields(video) for video in videos])
    listed = [
        {
            **video.extra.get(VIDEO_FIELDS, {}),
            **({_FILE_FIELDS: fields} if fields else {}),
            'id': i + 1,
            'name': video.name,
        }
        for i, (video, fields) in enumerate(zip(videos, own, strict=True))
    ]
    return {
        'info': {},
        'licenses': [],
        **shared,
        'videos': listed,
        'images': images,
        'annotations': annotations,
        'categories': [category],
    }


def _split_fields(
    fields: Sequence[dict[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Split the fields of videos into those in which all agree, and for each video the others."""
    shared = {
        name: value
        for name, value in fields[0].items()
        if all(name in other and other[name] == value for other in fields)
    }
    own = [{name: other[name] for name in other if name not in shared} for other in fields]
    return shared, own


def _kept_area(person: PersonLabel) -> float | None:
    """Return the area that the file of a label states; None if it states none that is usable."""
    area: Any = person.extra.get('area')
    is_number = isinstance(area, (int, float)) and not isinstance(area, bool)
    return float(area) if is_number and 0 <= area <= MAX_COORDINATE**2 else None


def _box_area(person: PersonLabel) -> float:
    box = pose_extent(person.keypoints, person.labelled) if person.bbox is None else person.bbox
    return float(box[2] * box[3])


def _annotation_fields(person: PersonLabel) -> dict[str, Any]:
    fields = person_fields(person, 'coco')
    box = person.bbox
    if box is None:
        box = pose_extent(person.keypoints, person.labelled)
    fields['bbox'] = plain(box)
    area = _kept_area(person) if person.source == 'given' else None
    fields['area'] = plain(np.asarray([box[2] * box[3] if area is None else area]))[0]
    fields['num_keypoints'] = int(person.labelled.sum())
    fields.setdefault('iscrowd', 0)
    return {**fields, **source_fields(person)}
