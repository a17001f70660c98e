"""COCO keypoint files of videos: one JSON that holds one video or several.

Images carry ``video_id`` and ``frame_index``, annotations carry ``track_id``, and the list
``videos`` names the videos. pycocotools reads such files; it is not used here, because its index
keeps neither tracks nor videos and it does not check what it reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels, pose_extent

from . import coco_records as records
from .coco_records import CATEGORY_FIELDS, VIDEO_FIELDS, plain, video_name
from .fields import MAX_COORDINATE, Record, errors_of, note, require_distinct, shown

_FILE_FIELDS = 'file_fields'
"""Field of an entry in ``videos`` for fields of the file in which the videos differ."""


def parse_coco(path: PathLike, data: Any) -> list[VideoLabels]:
    """Read parsed COCO keypoint JSON.

    Images belong to one video if they have the same ``video_id`` or, without that field, if their
    ``file_name`` names the same folder. ``v`` is 0, 1 or 2. Annotations of categories without
    joints and those of crowds (``iscrowd``) are left out with a warning.

    Args:
        path: The label file, for names and messages.
        data: Its parsed JSON.

    Returns:
        One entry per video, in the order of their first images. For frame indices see
        :func:`~stdpose_mm.io.labels.coco_records.read_frames`.

    Raises:
        InputError: If the file is not as described.
    """
    record = Record(path, '', data)
    skeleton, category = records.read_categories(record, default=None)
    groups: dict[Any, list[Record]] = {}
    for image in record.records('images'):
        groups.setdefault(_video_key(image), []).append(image)
    videos = _read_videos(record)
    names = _video_names(path, list(groups), videos)
    read = {key: records.read_frames(path, images) for key, images in groups.items()}
    places = [(f.image_id, (key, f.index)) for key, (frames, _) in read.items() for f in frames]
    require_distinct(path, 'image id', [image_id for image_id, _ in places])
    place = dict(places)
    persons: dict[Any, list[PersonLabel]] = {key: [] for key in groups}
    for annotation in _annotations_of_people(record):
        key, index = records.image_of(annotation, place)
        persons[key].append(_read_person(annotation, index, skeleton))
    ids = [p.extra['id'] for group in persons.values() for p in group if 'id' in p.extra]
    require_distinct(path, 'annotation id', map(shown, ids))
    top = record.extra()
    with errors_of(path):
        return [
            VideoLabels(
                name=names[key],
                skeleton=skeleton,
                frames=tuple(frames),
                persons=tuple(persons[key]),
                extra={
                    **top,
                    **_file_fields(videos.get(key)),
                    CATEGORY_FIELDS: category,
                    VIDEO_FIELDS: videos[key].extra() if key in videos else {},
                },
                numbering=numbering,
            )
            for key, (frames, numbering) in read.items()
        ]


def _read_person(annotation: Record, frame_index: int, skeleton: Skeleton) -> PersonLabel:
    person = records.read_person(annotation, frame_index, skeleton, 'coco')
    attributes = annotation.peek('attributes')
    if person.track_id is None and isinstance(attributes, dict):
        # CVAT's COCO export has the track id there.
        own = Record(annotation.file, f'{annotation.where}.attributes', attributes)
        person = replace(person, track_id=own.integer('track_id', None))
    if _kept_area(person) in (None, _box_area(person)):
        # The writer computes the area again from the label's box.
        person.extra.pop('area', None)
    # COCO requires a box even for an absent person.
    return person if person.has_place else replace(person, bbox=None)


def _annotations_of_people(record: Record) -> list[Record]:
    """Select the annotations of the category that has joints, without those of crowds.

    Warn of what is left out, and of what may be misunderstood.
    """
    annotations = record.records('annotations')
    records.warn_of_unknown_categories(record, annotations)
    others = _names_without_joints(record)
    kept, left_out = [], Counter[str]()
    crowds = interpolated = 0
    for annotation in annotations:
        other = others.get(shown(annotation.peek('category_id')))
        attributes = annotation.peek('attributes')
        if other is not None:
            left_out[other] += 1
        elif annotation.peek('iscrowd') == 1:
            # As MMPose's datasets do.
            crowds += 1
        else:
            kept.append(annotation)
            interpolated += isinstance(attributes, dict) and attributes.get('keyframe') is False
    names = ', '.join(f'{number} of {name!r}' for name, number in left_out.items())
    notes = {
        f'annotations of categories without joints are left out ({names})': len(left_out),
        f'annotations of crowds are left out ({crowds} with "iscrowd": 1)': crowds,
        f'{interpolated} of {len(kept)} labels are not marked as key frames of CVAT, which may '
        'have interpolated their joints; they count as given. Export the task as "CVAT for video '
        '1.1", which tells the key frames of each joint': interpolated,
    }
    for text, count in notes.items():
        if count:
            note(f'{record.file}: {text}')
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


def _video_key(image: Record) -> Any:
    if 'video_id' in image:
        return image.identifier('video_id')
    image.raw('video_id', None)
    return PurePosixPath(image.text('file_name', '')).parent


def _read_videos(record: Record) -> dict[int | str, Record]:
    videos: dict[int | str, Record] = {}
    for video in record.records('videos', []):
        key = video.identifier('id')
        if key in videos:
            raise video.error('id', 'a number or string of its own')
        video.text('name', '')
        videos[key] = video
    return videos


def _file_fields(video: Record | None) -> dict[str, Any]:
    """Read the fields of the file that are kept in the entry of one video."""
    return video.record(_FILE_FIELDS).extra() if video and _FILE_FIELDS in video else {}


def _video_names(path: PathLike, keys: list[Any], videos: dict[Any, Record]) -> dict[Any, str]:
    names = {}
    for key in keys:
        if isinstance(key, PurePosixPath):
            names[key] = key.name or video_name(path)
        else:
            names[key] = (videos[key].text('name', '') if key in videos else '') or str(key)
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
    videos = [labels] if isinstance(labels, VideoLabels) else labels
    if not videos:
        raise InputError('a COCO file needs at least one video, got none')
    for video in videos:
        if video.skeleton != videos[0].skeleton:
            raise InputError(
                f'video {video.name!r} has another skeleton than {videos[0].name!r}, expected one '
                'skeleton for all videos of a COCO file'
            )
    category = records.category_fields(videos[0])
    image_ids = iter(records.distinct_ids([f.image_id for v in videos for f in v.frames]))
    ids = iter(records.distinct_ids([p.extra.get('id') for v in videos for p in v.persons]))
    images, annotations = [], []
    for number, video in enumerate(videos, 1):
        image_id_of = {index: next(image_ids) for index in video}
        images += [_image(video, number, frame, image_id_of[frame.index]) for frame in video.frames]
        annotations += [
            {
                **_annotation(person),
                'id': next(ids),
                'image_id': image_id_of[person.frame_index],
                'category_id': category['id'],
            }
            for person in video.persons
        ]
    shared, own = _split_fields([records.top_level_fields(video) for video in videos])
    listed = [
        {
            **video.extra.get(VIDEO_FIELDS, {}),
            **({_FILE_FIELDS: fields} if fields else {}),
            'id': number,
            'name': video.name,
        }
        for number, (video, fields) in enumerate(zip(videos, own, strict=True), 1)
    ]
    fields = {
        'info': {},
        'licenses': [],
        **shared,
        'videos': listed,
        'images': images,
        'annotations': annotations,
        'categories': [category],
    }
    write_json(path, fields)


def _split_fields(
    fields: Sequence[dict[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Split the fields of videos into those in which all agree, and for each video the others."""
    shared = {
        name: value
        for name, value in fields[0].items()
        if all(name in other and other[name] == value for other in fields)
    }
    return shared, [{n: other[n] for n in other if n not in shared} for other in fields]


def _kept_area(person: PersonLabel) -> float | None:
    """Return the area that the file of a label states; None if it states none that is usable."""
    area: Any = person.extra.get('area')
    is_number = isinstance(area, (int, float)) and not isinstance(area, bool)
    return float(area) if is_number and 0 <= area <= MAX_COORDINATE**2 else None


def _box(person: PersonLabel) -> np.ndarray:
    return pose_extent(person.keypoints, person.labelled) if person.bbox is None else person.bbox


def _box_area(person: PersonLabel) -> float:
    return float(_box(person)[2] * _box(person)[3])


def _image(
    video: VideoLabels, number: int, frame: VideoFrame, image_id: int | str
) -> dict[str, Any]:
    fields = {**records.frame_fields(frame, image_id), 'video_id': number}
    fields.setdefault('file_name', f'{video.name}/{frame.index:06d}.jpg')
    return fields


def _annotation(person: PersonLabel) -> dict[str, Any]:
    fields = records.person_fields(person, 'coco')
    area = _kept_area(person) if person.source == 'given' else None
    fields['bbox'] = plain(_box(person))
    (fields['area'],) = plain(np.array([_box_area(person) if area is None else area]))
    fields['num_keypoints'] = int(person.labelled.sum())
    fields.setdefault('iscrowd', 0)
    return {**fields, **records.source_fields(person)}
