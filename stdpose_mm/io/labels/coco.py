"""COCO keypoint files of videos, and the records that PoseTrack's COCO-like files share with them.

Images have ``video_id`` and ``frame_index``, annotations have ``track_id``, and the list ``videos``
names the videos. pycocotools can read such files but is not used, because its index keeps neither
tracks nor videos and it does not validate its input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from operator import itemgetter
from pathlib import PurePosixPath
from typing import Any, Literal, TypeVar

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io.disk.atomic import PathLike, write_json_object
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_FRAME_INDEX
from stdpose_mm.structures import (
    SOURCES,
    VISIBLE,
    FrameNumbering,
    PersonLabel,
    PolygonRegion,
    VideoFrame,
    VideoLabels,
    pose_extent,
)

from .coco_categories import WHOLE_BODY_FIELDS, Categories, read_categories
from .fields import Record, errors_of, require_distinct
from .frame_numbers import decoded, follow_names, frame_indices, picture_stem
from .identities import Identity, StatedIdentity, identity_field, number_identities
from .joints import FURTHER_JOINTS, note_unread
from .poses import leave_out_empty, posetrack_visibility, without_placeholders

T = TypeVar('T')
Visibility = Literal['coco', 'posetrack', 'binary']
"""``coco``: v is 0, 1 or 2. ``posetrack``: v is 0 or 1, and (0, 0, 0) is not labelled.
``binary``: v is 0 or 1, and 1 is a visible joint."""

MAX_SECONDS = 10**7
"""Limit of a ``timestamp`` in seconds; larger ones count from 1970, not from the video's start."""

POSETRACK_FRAMES = 10**4
"""Factor between video and frame in PoseTrack's ``frame_id``: frame 7 of video 342 has the
``frame_id`` 10003420007."""

OTHER_IDENTITIES = ('instance_id', 'person_id', 'object_id')
"""Fields of identities where there is no ``track_id``: MMTracking's, PoseTrack21's, and others'."""

CATEGORY_FIELDS, VIDEO_FIELDS = 'category_fields', 'video_fields'
"""Keys of ``VideoLabels.extra`` for the fields of a file's category and of its entry in
``videos``; all other keys are fields of the file itself."""

_SIMILAR = 0.8
"""Share of letters that a misspelled word has in common with the right one."""

_FILE_FIELDS = 'file_fields'
"""Field of an entry in ``videos`` for the fields of the file that differ between videos."""


def read_frames(
    file: PathLike, images: Sequence[Record], first_number: int | None = None
) -> tuple[list[VideoFrame], FrameNumbering]:
    """Read the entries of ``images`` of one video, and find their frame indices.

    If an image has the field ``frame_index``, these fields are the indices. If all images have
    distinct values in ``time`` or ``timestamp``, these are seconds. The fields ``frame_id`` tell at
    which number the names start; see :func:`frame_indices` for the rest.

    Raises:
        InputError: If an image is not as described, or a ``frame_index`` is missing or repeated.
    """
    names = [image.text('file_name', '') for image in images]
    stated = None
    if any('frame_index' in image for image in images):
        stated = [image.integer('frame_index', low=0, high=MAX_FRAME_INDEX) for image in images]
    times, frame_ids = _times_of(images), _frame_ids_of(images)
    indices, numbering = frame_indices(
        file, names, indices=stated, times=times, first_number=first_number, frame_ids=frame_ids
    )
    return [_read_frame(*pair) for pair in zip(images, indices, strict=True)], numbering


def is_posetrack_frame_id(value: Any) -> bool:
    """Tell whether a ``frame_id`` is PoseTrack's, which combines video and frame number."""
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
    # sleap-io writes 0 for an unknown size.
    width, height = (length or None for length in image.size('width', 'height', low=0))
    name, image_id = image.text('file_name', ''), image.identifier('id')
    is_labeled = image.flag('is_labeled', None)
    regions = tuple(PolygonRegion(np.stack(xy, axis=1)) for xy in zip(xs, ys, strict=True))
    # Keep the distinction between an empty list of regions and a missing one.
    extra = image.extra(unread=() if xs else ('ignore_regions_x', 'ignore_regions_y'))
    return VideoFrame(index, name, image_id, width, height, is_labeled, regions, extra)


def frame_fields(frame: VideoFrame, image_id: int | str) -> dict[str, Any]:
    """Make one entry of ``images``; inverse of :func:`read_frames`."""
    fields: dict[str, Any] = {'id': image_id, 'frame_index': frame.index}
    for name in ('file_name', 'width', 'height', 'is_labeled'):
        if getattr(frame, name) not in (None, ''):
            fields[name] = getattr(frame, name)
    if frame.ignore_regions:
        for i, axis in enumerate('xy'):
            regions = [plain(region.points[:, i]) for region in frame.ignore_regions]
            fields[f'ignore_regions_{axis}'] = regions
    return {**frame.extra, **fields}


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
    """Collect the fields of the file itself from ``labels.extra``."""
    separate = (CATEGORY_FIELDS, VIDEO_FIELDS)
    return {name: value for name, value in labels.extra.items() if name not in separate}


def find_visibility(annotations: Iterable[Record]) -> Visibility:
    """Find the visibility convention of a file: a v of 2 or a ``source`` of ours means COCO's."""
    for annotation in annotations:
        keypoints = annotation.peek('keypoints')
        has_two = isinstance(keypoints, list) and 2 in keypoints[2::3]
        if has_two or annotation.peek('source') in SOURCES:
            return 'coco'
    return 'posetrack'


def image_of(annotation: Record, images: Mapping[Any, T]) -> T:
    """Look up the image of an annotation by its id.

    Raises:
        InputError: If there is no such image.
    """
    image_id = annotation.identifier('image_id')
    if image_id not in images:
        raise annotation.error('image_id', 'the id of one of the images')
    return images[image_id]


def read_people(
    annotations: Sequence[Record],
    frame_of: Mapping[Any, int],
    categories: Categories,
    visibility: Visibility,
) -> list[PersonLabel]:
    """Read entries of ``annotations`` as labels on frames, given the frame of each image id."""
    fields = [name for entry in annotations for name in WHOLE_BODY_FIELDS if entry.peek(name)]
    file = annotations[0].file if annotations else ''
    _require_sources(annotations)
    note_unread(file, FURTHER_JOINTS, fields)
    stated = [*map(_identity, annotations)]
    field = other_identity_field(annotations)
    if field is not None:
        note(f'{file}: people are told apart by {field}, since no annotation has a track_id')
        stated = [annotation.identity(field) for annotation in annotations]
    identities = number_identities(file, stated, [*map(categories.class_of, annotations)])
    return [
        _read_person(annotation, image_of(annotation, frame_of), categories, visibility, identity)
        for annotation, identity in zip(annotations, identities, strict=True)
    ]


def _require_sources(annotations: Sequence[Record]) -> None:
    """Refuse a misspelled ``source``; other tools may have a field of this name with other words.

    Raises:
        InputError: If a ``source`` is unknown and resembles a known one, or others are known.
    """
    is_known = any(
        annotation.peek('source') in SOURCES or 'keypoint_sources' in annotation
        for annotation in annotations
    )
    for annotation in annotations:
        source = annotation.peek('source')
        if source is None or source in SOURCES:
            continue
        word = str(source).strip().lower()
        if is_known or get_close_matches(word, SOURCES, cutoff=_SIMILAR):
            raise annotation.error('source', f'one of {", ".join(SOURCES)}')


def other_identity_field(annotations: Sequence[Record]) -> str | None:
    """Find the field that holds the identities if no annotation has a ``track_id``."""
    if any(_identity(annotation) is not None for annotation in annotations):
        return None
    # A field that is not used stays one of the other tool.
    copies = [
        Record(
            annotation.file,
            annotation.where,
            {n: v for n in OTHER_IDENTITIES if type(v := annotation.peek(n)) in (int, str)},
        )
        for annotation in annotations
    ]
    pictures = [annotation.peek('image_id') for annotation in annotations]
    return identity_field(copies, pictures, OTHER_IDENTITIES)[0]


def _identity(annotation: Record) -> StatedIdentity:
    stated = annotation.identity('track_id')
    attributes = annotation.peek('attributes')
    if stated is None and isinstance(attributes, dict):
        # CVAT's COCO export stores the track id here, sleap-io's export as object_id.
        in_attributes = Record(annotation.file, f'{annotation.where}.attributes', attributes)
        name = 'track_id' if 'track_id' in in_attributes else 'object_id'
        stated = in_attributes.identity(name)
    return stated


def _read_person(
    annotation: Record,
    frame_index: int,
    categories: Categories,
    visibility: Visibility,
    identity: Identity,
) -> PersonLabel:
    count, order = categories.skeleton.num_keypoints, [*categories.order_of(annotation)]
    joints = np.zeros((count, 3))
    if annotation.raw('keypoints', []) != []:
        numbers = annotation.numbers('keypoints', 3 * count, lacking=True)
        joints = without_placeholders(numbers.reshape(count, 3))
    flags = joints[:, 2]
    allowed = (0, 1, 2) if visibility == 'coco' else (0, 1)
    is_wrong = ~np.isin(flags, allowed) | np.isnan(joints).any(axis=1)
    if is_wrong.any():
        x, y, v = joints[is_wrong][0]
        raise annotation.error('keypoints', f'x, y, v with v in {allowed}, not {x:g}, {y:g}, {v:g}')
    # Numbers take more memory in parsed JSON than in labels.
    annotation.release('keypoints')
    if visibility == 'posetrack':
        flags = posetrack_visibility(joints)
    elif visibility == 'binary':
        flags = flags * VISIBLE
    source = annotation.raw('source', 'given')
    is_ours = source in SOURCES
    other_source = {} if is_ours else {'source': source}
    sources = annotation.texts('keypoint_sources') if 'keypoint_sources' in annotation else None
    scores = annotation.numbers('scores', count) if annotation.raw('scores', []) != [] else None
    with errors_of(f'{annotation.file}: {annotation.where}'):
        person = PersonLabel(
            frame_index=frame_index,
            keypoints=joints[:, :2],
            visibility=flags,
            track_id=identity.track_id,
            scores=scores,
            bbox=annotation.box('bbox'),
            head_box=annotation.box('bbox_head'),
            source=source if is_ours else 'given',
            extra={**annotation.extra(), **identity.extra, **other_source},
            keypoint_sources=sources,  # type: ignore[arg-type]
        )
    return person if order == [*range(count)] else person.reordered(order)


def is_statement(annotation: Record, person: PersonLabel) -> bool:
    """Tell whether an annotation locates a person or, written by this package, states an absence.

    Other tools write annotations without a joint and a box for objects not yet labelled.
    """
    return person.is_located or annotation.peek('source') in SOURCES


def source_fields(person: PersonLabel) -> dict[str, Any]:
    """Make the fields of an annotation that hold the sources of its joints."""
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


def distinct_ids(ids: Sequence[Any]) -> list[Any]:
    """Return the given ids if they are complete and distinct, else 1, 2, ..."""
    if all(type(i) in (int, str) for i in ids) and len(set(ids)) == len(ids):
        return list(ids)
    return [*range(1, len(ids) + 1)]


def is_coco(data: Any) -> bool:
    """Tell whether parsed JSON is a COCO-like file."""
    return isinstance(data, dict) and isinstance(data.get('images'), list)


def holds_several_videos(data: Any) -> bool:
    """Tell whether the images of parsed JSON, valid or not, belong to several videos.

    Images without a name and ``video_id`` do not count. See :func:`parse_coco`.
    """
    images = [image for image in data['images'] if isinstance(image, dict)]
    ids = {str(image['video_id']) for image in images if image.get('video_id') is not None}
    folders: dict[Any, list[str]] = {}
    for name in (str(image['file_name']) for image in images if image.get('file_name')):
        folders.setdefault(_folder(name), []).append(name)
    return len(ids) > 1 or (not ids and len(folders) > 1 and not _is_one_folder(folders))


def _is_one_folder(names_in: Mapping[Any, Sequence[str]]) -> bool:
    """Tell whether several folders are one that is written in several ways.

    They are if the path of each ends the longest one, their names have one form, and no picture is
    in two of them.

    Args:
        names_in: Folder, or id of a video -> names of its pictures.
    """
    if len(names_in) < 2 or not all(isinstance(key, PurePosixPath) for key in names_in):
        return False
    paths = [_plain_parts(folder) for folder in names_in]
    longest = max(paths, key=len)
    # Without leading zeros, a name consists of its letters and numbers.
    parts = [
        {(*re.split('0*([0-9]+)', picture_stem(name)),) for name in names}
        for names in names_in.values()
    ]
    names = set().union(*parts)
    forms = {part[::2] for part in names if len(part) > 1}
    is_disjoint = len(names) == sum(map(len, parts)) and len(forms) < 2
    return is_disjoint and all(longest[len(longest) - len(path) :] == path for path in paths)


def _plain_parts(folder: PurePosixPath) -> tuple[str, ...]:
    """Return the parts of a path without its root, drive and steps such as ``..``."""
    return tuple(p for p in folder.parts if p not in ('/', '.', '..') and not p.endswith(':'))


def parse_coco(
    path: PathLike, data: Any, visible_as_1: bool = False, category: str | None = None
) -> list[VideoLabels]:
    """Read parsed COCO keypoint JSON.

    Images belong to one video if they have the same ``video_id`` or, without that field, if their
    ``file_name`` has the same folder. ``v`` is 0, 1 or 2; if the whole file has only 0 and 1, a
    note says that no joint counts as visible, unless a ``vid_id`` says that the file is
    PoseTrack's. Annotations of categories without joints and of crowds (``iscrowd``) are left out
    with a warning. A folder that is written in several ways (``10.jpg``, ``../label/12.jpg``) is
    one video, if no number is in two of them.

    Args:
        path: The label file, for names and messages.
        data: Its parsed JSON, which is used up: joints are freed as they are read.
        visible_as_1: Whether v is 0 or 1, with 1 for visible joints.
        category: The category to read, if several with different joints are used.

    Returns:
        One entry per video, in the order of their first images. For frame indices see
        :func:`read_frames`.

    Raises:
        InputError: If the file is not as described.
    """
    record = Record(path, '', data)
    categories = read_categories(record, category, default=None)
    groups: dict[Any, list[Record]] = {}
    for image in record.records('images'):
        groups.setdefault(_video_key(image), []).append(image)
    if _is_one_folder({k: [i.text('file_name', '') for i in group] for k, group in groups.items()}):
        groups = {max(groups, key=_plain_parts): [i for group in groups.values() for i in group]}
    videos = _read_videos(record)
    names = _video_names(path, list(groups), videos)
    read = {key: read_frames(path, images) for key, images in groups.items()}
    places = [(f.image_id, (key, f.index)) for key, (frames, _) in read.items() for f in frames]
    require_distinct(path, 'image id', [image_id for image_id, _ in places])
    place = dict(places)
    persons: dict[Any, list[PersonLabel]] = {key: [] for key in groups}
    # MMPose's files of all videos of PoseTrack18.
    is_posetrack = any('vid_id' in image for image in record.records('images'))
    annotations = _annotations_of_people(record, categories, visible_as_1 or is_posetrack)
    visibility: Visibility = find_visibility(annotations) if is_posetrack else 'coco'
    visibility = 'binary' if visible_as_1 else visibility
    keys = [image_of(annotation, place)[0] for annotation in annotations]
    index_of = {image_id: index for image_id, (_, index) in places}
    labels = [*map(_label_of, read_people(annotations, index_of, categories, visibility))]
    entries = [*zip(map(is_statement, annotations, labels), keys, labels, strict=True)]
    (stated,) = leave_out_empty(path, [entries], itemgetter(0))
    for _, key, person in stated:
        persons[key].append(person)
    top = record.extra()
    result = []
    for key, (frames, numbering) in read.items():
        extra = {**top, **_file_fields(videos.get(key)), CATEGORY_FIELDS: categories.fields}
        extra[VIDEO_FIELDS] = videos[key].extra() if key in videos else {}
        people = tuple(persons[key])
        with errors_of(path):
            video = VideoLabels(
                names[key], categories.skeleton, tuple(frames), people, extra, numbering
            )
        result.append(video)
    return result


def _label_of(person: PersonLabel) -> PersonLabel:
    """Drop what COCO's files hold because they must, and what the writer computes again."""
    if _kept_area(person) in (None, _box_area(person)):
        person.extra.pop('area', None)
    # COCO requires a box even if none was drawn (COCO Annotator) or the person is absent.
    return person if person.has_box else replace(person, bbox=None)


def _annotations_of_people(
    record: Record, categories: Categories, visible_as_1: bool
) -> list[Record]:
    """Select the annotations of the categories that are read, without crowds.

    Note annotations that are left out, and values that may be misinterpreted.
    """
    selected = categories.select(record.records('annotations'))
    # Left out as in MMPose's datasets.
    annotations = [annotation for annotation in selected if annotation.peek('iscrowd') != 1]
    crowds = len(selected) - len(annotations)
    attributes = (annotation.peek('attributes') for annotation in annotations)
    interpolated = sum(isinstance(a, dict) and a.get('keyframe') is False for a in attributes)
    is_binary = not visible_as_1 and find_visibility(annotations) == 'posetrack'
    joints_of = (a.peek('keypoints') for a in annotations) if is_binary else ()
    hidden = sum(joints[2::3].count(1) for joints in joints_of if isinstance(joints, list))
    notes = {
        f'annotations of crowds are left out ({crowds} with "iscrowd": 1)': crowds,
        f'{interpolated} of {len(annotations)} labels are not marked as key frames of CVAT, which '
        'may have interpolated their joints; they count as given. Export the task as "CVAT for '
        'video 1.1", which tells the key frames of each joint': interpolated,
        f'v is 0 or 1 in the whole file, so all {hidden} labelled joints count as occluded, as in '
        'COCO; give --visible-as-1 if 1 means visible': hidden,
    }
    for text, count in notes.items():
        if count:
            note(f'{record.file}: {text}')
    return annotations


def _video_key(image: Record) -> Any:
    if 'video_id' in image:
        return image.identifier('video_id')
    image.raw('video_id', None)
    return _folder(image.text('file_name', ''))


def _folder(file_name: str) -> PurePosixPath:
    return PurePosixPath(decoded(file_name)).parent


def _read_videos(record: Record) -> dict[int | str, Record]:
    videos: dict[int | str, Record] = {}
    for video in record.records('videos', []):
        key = video.identifier('id')
        if key in videos:
            raise video.error('id', 'a number or string that no other video has')
        video.text('name', '')
        videos[key] = video
    return videos


def _file_fields(video: Record | None) -> dict[str, Any]:
    """Read the fields of the file that are stored in the entry of one video."""
    return video.record(_FILE_FIELDS).extra() if video and _FILE_FIELDS in video else {}


def _video_names(path: PathLike, keys: list[Any], videos: dict[Any, Record]) -> dict[Any, str]:
    names = {key: videos[key].text('name', '') if key in videos else '' for key in keys}
    folders = {key: key.name or video_name(path) for key in keys if isinstance(key, PurePosixPath)}
    names = {key: folders.get(key) or name or str(key) for key, name in names.items()}
    if len(set(names.values())) < len(names):
        # For folders such as a/img1 and b/img1.
        return {key: str(key) for key in keys}
    return names


def write_coco(labels: VideoLabels | Sequence[VideoLabels], path: PathLike) -> None:
    """Write one video or several as COCO keypoint JSON, atomically.

    Fields that COCO requires are always written: frames without a file name get
    ``<video>/<index>.jpg``, people without a box get the extent of their joints (zero size without
    joints). The area is that of the box, unless the file of a given label stated another one (the
    area of the outline, used by OKS). Besides COCO's fields, ``frame_index``, ``track_id``,
    ``scores``, ``source``, ``keypoint_sources`` and the fields in ``extra`` are written. Fields of
    the file, such as ``info``, that differ between the videos are written as ``file_fields`` in
    the entries of ``videos``.

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
            raise InputError(f'{videos[0].name!r} and {video.name!r} have different skeletons')
    category = category_fields(videos[0])
    image_ids = iter(distinct_ids([f.image_id for v in videos for f in v.frames]))
    ids = iter(distinct_ids([p.extra.get('id') for v in videos for p in v.persons]))
    shared, separate = _split_fields([top_level_fields(video) for video in videos])
    listed = []
    for number, (video, fields_of_file) in enumerate(zip(videos, separate, strict=True), 1):
        entry = {_FILE_FIELDS: fields_of_file} if fields_of_file else {}
        entry = {**video.extra.get(VIDEO_FIELDS, {}), **entry}
        listed.append({**entry, 'id': number, 'name': video.name})
    image_id_of = [{index: next(image_ids) for index in video} for video in videos]

    def images() -> Iterator[dict[str, Any]]:
        for number, video in enumerate(videos, 1):
            names = follow_names({frame.index: frame.file_name for frame in video.frames}, video)
            for frame in video.frames:
                name = names[frame.index] or f'{video.name}/{frame.index:06d}.jpg'
                fields = frame_fields(frame, image_id_of[number - 1][frame.index])
                yield {**fields, 'video_id': number, 'file_name': name}

    def annotations() -> Iterator[dict[str, Any]]:
        for video, image_ids in zip(videos, image_id_of, strict=True):
            for person in video.persons:
                own_ids = {'id': next(ids), 'image_id': image_ids[person.frame_index]}
                yield {**_annotation(person), **own_ids, 'category_id': category['id']}

    lists = {'images': images(), 'annotations': annotations(), 'categories': [category]}
    write_json_object(path, {'info': {}, 'licenses': [], **shared, 'videos': listed, **lists})


def _split_fields(fields: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Split the fields of videos into those that all share, and the others of each video."""
    shared = {
        name: value
        for name, value in fields[0].items()
        if all(name in other and other[name] == value for other in fields)
    }
    return shared, [{n: other[n] for n in other if n not in shared} for other in fields]


def _kept_area(person: PersonLabel) -> float | None:
    """Return the area that the file of a label states; None if it states no usable one."""
    area: Any = person.extra.get('area')
    return float(area) if type(area) in (int, float) and 0 <= area <= MAX_COORDINATE**2 else None


def _box(person: PersonLabel) -> np.ndarray:
    bbox = person.bbox if person.has_box else None
    return pose_extent(person.keypoints, person.labelled) if bbox is None else bbox


def _box_area(person: PersonLabel) -> float:
    return float(_box(person)[2] * _box(person)[3])


def _annotation(person: PersonLabel) -> dict[str, Any]:
    fields = person_fields(person, 'coco')
    area = _kept_area(person) if person.is_given else None
    fields['bbox'] = plain(_box(person))
    (fields['area'],) = plain(np.array([_box_area(person) if area is None else area]))
    fields['num_keypoints'] = int(person.labelled.sum())
    fields.setdefault('iscrowd', 0)
    return {**fields, **source_fields(person)}
