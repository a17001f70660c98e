"""CVAT's "CVAT for video 1.1" XML with skeleton tracks, or the zip that CVAT exports it in.

Read with ``xml.etree``: datumaro, which reads CVAT files, knows no skeletons in this format,
sleap-io does not know it, and movement reads no CVAT files. Documents with a DTD are refused.

A key frame of a skeleton track is a label; what CVAT interpolates between key frames is not.
A point that is ``outside`` is not labelled. A skeleton whose points all are is a label without a
place: the person is absent from there on.
"""

from __future__ import annotations

import io
import math
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import write_text
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import (
    NOT_LABELLED,
    OCCLUDED,
    SOURCES,
    VISIBLE,
    PersonLabel,
    Skeleton,
    Source,
    VideoFrame,
    VideoLabels,
)

from .coco_records import video_name
from .fields import MAX_COORDINATE, MAX_ID, errors_of, read_bytes, require_distinct, shown

MAX_FRAMES = 10**6

# A carriage return is XML, but comes back as a line feed.
_NOT_XML = re.compile('[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')


@dataclass(frozen=True)
class _Tag:
    """An XML element with the words for error messages."""

    file: PathLike
    where: str
    element: ET.Element

    def error(self, name: str, expected: str) -> InputError:
        value = self.element.get(name)
        if value is None:
            return InputError(f'{self.file}: {self.where} has no {name}, expected {expected}')
        return InputError(
            f'{self.file}: {name} of {self.where} must be {expected}, got {shown(value)}'
        )

    def text(self, name: str) -> str:
        value = self.element.get(name)
        if not value:
            raise self.error(name, 'a name')
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        expected = f'a whole number in {low}..{high}'
        value = _integer(self.element.get(name))
        if value is None or not low <= value <= high:
            raise self.error(name, expected)
        return value

    def flag(self, name: str, default: str = '0') -> bool:
        value = self.element.get(name, default)
        if value not in ('0', '1'):
            raise self.error(name, '0 or 1')
        return value == '1'

    def point(self, name: str) -> tuple[float, float]:
        parts = self.element.get(name, '').split(',')
        numbers = [_number(part) for part in parts]
        if len(numbers) != 2 or any(n is None or abs(n) > MAX_COORDINATE for n in numbers):
            raise self.error(name, 'one point "x,y" of numbers within +-1e7')
        return numbers[0] or 0.0, numbers[1] or 0.0

    def attributes(self) -> dict[str, str]:
        """Read name and text of the ``attribute`` elements in it."""
        return {
            _Tag(self.file, f'an attribute of {self.where}', child).text('name'): child.text or ''
            for child in self.element.findall('attribute')
        }


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r'-?[0-9]{1,19}', text) else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read_cvat(path: PathLike) -> VideoLabels:
    """Read the skeleton tracks of one video from a "CVAT for video 1.1" file.

    Args:
        path: The XML file, or CVAT's zip with ``annotations.xml`` in it.

    Returns:
        The video's name is the task's if there is one, else the file's. Frames are those of the
        task. Track ids are the ids of the tracks. Attributes ``source`` and ``score``, which
        :func:`write_cvat` writes, are understood; other attributes and other kinds of tracks are
        in ``extra``.

    Raises:
        InputError: If the file is not as described.
    """
    root = _parse(path)
    meta = root.find('meta')
    tracks = root.findall('track')
    with_skeleton = [track for track in tracks if track.find('skeleton') is not None]
    if root.find('image') is not None and not with_skeleton:
        raise InputError(f'{path} is "CVAT for images", expected an export as "CVAT for video 1.1"')
    skeleton = _read_skeleton(path, meta, with_skeleton)
    persons: list[PersonLabel] = []
    track_ids = []
    for i, element in enumerate(with_skeleton):
        track = _Tag(path, f'track[{i}]', element)
        track_ids.append(track.integer('id', -MAX_ID, MAX_ID))
        if track.text('label') != skeleton.category:
            raise track.error('label', f'{skeleton.category!r} as for the other skeletons')
        persons += _read_track(track, track_ids[-1], skeleton)
    require_distinct(path, 'track id', track_ids)
    # File order by frame, as in the other formats.
    persons.sort(key=lambda person: person.frame_index)
    frames = _read_frames(path, meta, (person.frame_index for person in persons))
    others = [
        ET.tostring(element, encoding='unicode')
        for element in root
        if element.tag not in ('meta', 'version') and element not in with_skeleton
    ]
    name = meta.findtext('task/name') if meta is not None else None
    with errors_of(path):
        return VideoLabels(
            name=name or video_name(path),
            skeleton=skeleton,
            frames=frames,
            persons=tuple(persons),
            extra={'cvat_elements': others} if others else {},
        )


def _parse(path: PathLike) -> ET.Element:
    data = read_bytes(path)
    if data[:2] == b'PK':
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                data = archive.read('annotations.xml')
        except (KeyError, zipfile.BadZipFile, EOFError) as error:
            raise InputError(
                f'{path} is not a zip file with annotations.xml in it: {error}'
            ) from error
    if b'<!DOCTYPE' in data or b'<!ENTITY' in data:
        raise InputError(f'{path} has a document type definition, expected a plain CVAT export')
    try:
        root = ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise InputError(f'{path} is not XML: {error}') from error
    if root.tag != 'annotations':
        raise InputError(f'{path} must be a CVAT file with <annotations>, got <{root.tag}>')
    return root


def _read_skeleton(
    path: PathLike, meta: ET.Element | None, tracks: Sequence[ET.Element]
) -> Skeleton:
    labels = [] if meta is None else list(meta.iter('label'))
    kinds = [label for label in labels if label.findtext('type') == 'skeleton']
    used = {track.get('label') for track in tracks}
    if len(kinds) > 1:
        kinds = [label for label in kinds if label.findtext('name') in used]
    if len(kinds) > 1:
        raise InputError(
            f'{path} holds skeletons of {len(kinds)} labels '
            f'({", ".join(shown(kind.findtext("name")) for kind in kinds)}), expected one label'
        )
    if kinds:
        category = kinds[0].findtext('name') or ''
        joints = [label for label in labels if label.findtext('parent') == category]
        names = [joint.findtext('name') or '' for joint in joints]
        limbs = _limbs(kinds[0].findtext('svg') or '', names)
    elif tracks:
        category = tracks[0].get('label') or ''
        points = [point for track in tracks for point in track.iter('points')]
        names = list(dict.fromkeys(point.get('label') or '' for point in points))
        limbs = ()
    else:
        raise InputError(f'{path} holds no skeleton, expected a label or tracks of that type')
    with errors_of(f'{path}: label {category!r}'):
        return Skeleton(tuple(names), limbs, category)


def _limbs(svg: str, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Read the edges of CVAT's drawing of a skeleton as pairs of joint indices."""
    if not svg.lstrip().startswith('<svg'):
        svg = f'<svg>{svg}</svg>'
    try:
        drawing = ET.fromstring(svg)
    except ET.ParseError:
        # The drawing is CVAT's business; labels are complete without it.
        return ()
    joint_of = {
        circle.get('data-node-id'): names.index(circle.get('data-label-name', ''))
        for circle in drawing.iter('circle')
        if circle.get('data-label-name') in names
    }
    ends = [(line.get('data-node-from'), line.get('data-node-to')) for line in drawing.iter('line')]
    return tuple((joint_of[a], joint_of[b]) for a, b in ends if a in joint_of and b in joint_of)


def _read_track(track: _Tag, track_id: int, skeleton: Skeleton) -> list[PersonLabel]:
    persons = []
    for i, element in enumerate(track.element.findall('skeleton')):
        shape = _Tag(track.file, f'{track.where}.skeleton[{i}]', element)
        frame_index = shape.integer('frame', 0, MAX_FRAMES)
        if not shape.flag('keyframe', '1'):
            continue
        persons.append(_read_shape(shape, frame_index, track_id, skeleton))
    return persons


def _read_shape(shape: _Tag, frame_index: int, track_id: int, skeleton: Skeleton) -> PersonLabel:
    count = skeleton.num_keypoints
    keypoints = np.zeros((count, 2))
    visibility = np.full(count, NOT_LABELLED)
    scores = np.zeros(count)
    seen: set[int] = set()
    with_scores = False
    point_attributes = {}
    for element in shape.element.findall('points'):
        point = _Tag(shape.file, f'{shape.where}, frame {frame_index}, point', element)
        name = point.text('label')
        if name not in skeleton.keypoint_names:
            raise point.error('label', f'one of the {count} points of {skeleton.category!r}')
        joint = skeleton.index_of(name)
        if joint in seen:
            raise point.error('label', 'another point than those before it')
        seen.add(joint)
        keypoints[joint] = point.point('points')
        if not point.flag('outside'):
            visibility[joint] = OCCLUDED if point.flag('occluded') else VISIBLE
        attributes = point.attributes()
        if 'score' in attributes:
            score = _number(attributes.pop('score'))
            if score is None or abs(score) > MAX_COORDINATE:
                raise point.error('score', 'a number within +-1e7')
            scores[joint] = score
            with_scores = True
        if attributes:
            point_attributes[name] = attributes
    attributes = shape.attributes()
    source: Source = 'given'
    if attributes.get('source') in SOURCES:
        written: Any = attributes.pop('source')
        # Who is moved in or out of the picture in CVAT keeps the attribute of before.
        replaced: Source = 'propagated' if (visibility == NOT_LABELLED).all() else 'absent'
        source = 'given' if written == replaced else written
    extra: dict[str, Any] = {}
    if attributes:
        extra['cvat_attributes'] = attributes
    if point_attributes:
        extra['cvat_point_attributes'] = point_attributes
    return PersonLabel(
        frame_index=frame_index,
        keypoints=keypoints,
        visibility=visibility,
        track_id=track_id,
        scores=scores if with_scores else None,
        source=source,
        extra=extra,
    )


def _read_frames(
    path: PathLike, meta: ET.Element | None, labelled: Iterable[int]
) -> tuple[VideoFrame, ...]:
    """Read the frames of the task (its first, last and step), and those with labels."""

    def field(name: str, default: int, high: int) -> int:
        text = None if meta is None else meta.findtext(f'.//{name}')
        if not text:
            return default
        value = _integer(text)
        if value is None or not 0 <= value <= high:
            raise InputError(
                f'{path}: {name} must be a whole number in 0..{high}, got {shown(text)}'
            )
        return value

    start = field('start_frame', 0, MAX_FRAMES)
    frame_filter = meta.findtext('.//frame_filter') if meta is not None else None
    step_text = re.fullmatch(r'step=([1-9][0-9]{0,6})', frame_filter or 'step=1')
    if step_text is None:
        raise InputError(f'{path}: frame_filter must be like step=5, got {shown(frame_filter)}')
    step = int(step_text.group(1))
    last = start + (field('size', 0, MAX_FRAMES) - 1) * step
    stop = field('stop_frame', last, MAX_FRAMES)
    width = field('original_size/width', 0, int(MAX_COORDINATE)) or None
    height = field('original_size/height', 0, int(MAX_COORDINATE)) or None
    indices = sorted({*range(start, stop + 1, step), *labelled})
    return tuple(VideoFrame(index, width=width, height=height) for index in indices)


def write_cvat(labels: VideoLabels, path: PathLike) -> None:
    """Write labels as "CVAT for video 1.1" XML, atomically.

    Every label is a key frame; one without a place is ``outside``. Where a frame has labels (or
    ``is_labeled``) but not of a person who has one on the frame before it, an ``outside`` key
    frame with the source 'absent' ends the person's presence. ``source`` and scores are written as
    attributes. CVAT holds no boxes, ids of images, file names or ignore regions, no people of
    whom only a box is known, and no gaps between frames.

    Args:
        labels: People without a track id get tracks of their own.
        path: Where to write.

    Raises:
        InputError: If a name holds characters that XML does not allow.
    """
    root = ET.Element('annotations')
    _add(root, 'version', '1.1')
    _add_meta(root, labels)
    looked_at = {frame.index for frame in labels.frames if frame.is_labeled}
    looked_at.update(labels.labelled_frame_indices)
    ordered = sorted(looked_at)
    following = dict(pairwise(ordered))
    for track_id, track in _tracks(labels).items():
        _add_track(root, track_id, track, following, labels.skeleton)
    for text in labels.extra.get('cvat_elements', []):
        try:
            root.append(ET.fromstring(text))
        except (ET.ParseError, TypeError) as error:
            raise InputError(f'{path}: cvat_elements holds what is not XML: {error}') from error
    ET.indent(root)
    # ElementTree writes characters that are not XML and that its parser then refuses.
    text = ET.tostring(root, encoding='unicode')
    bad = _NOT_XML.search(text)
    if bad:
        raise InputError(
            f'{path}: a name holds {bad.group()!r}, which XML does not allow; rename it'
        )
    write_text(path, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')


def _add(parent: ET.Element, tag: str, text: str = '', **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text or None
    return element


def _tracks(labels: VideoLabels) -> dict[int, list[PersonLabel]]:
    """Group labels as track id -> labels by frame; a track for every person without an id."""
    tracks: dict[int, list[PersonLabel]] = {}
    unused = max(labels.track_ids, default=-1) + 1
    for person in sorted(labels.persons, key=lambda person: person.frame_index):
        if not person.labelled.any() and (person.has_place or person.source == 'propagated'):
            continue
        track_id = person.track_id
        if track_id is None:
            track_id, unused = unused, unused + 1
        tracks.setdefault(track_id, []).append(person)
    return tracks


def _add_track(
    root: ET.Element,
    track_id: int,
    track: Sequence[PersonLabel],
    following: dict[int, int],
    skeleton: Skeleton,
) -> None:
    element = _add(root, 'track', id=str(track_id), label=skeleton.category, source='file')
    labelled = {person.frame_index for person in track}
    nowhere = np.zeros(skeleton.num_keypoints)
    points = np.zeros((skeleton.num_keypoints, 2))
    for person in track:
        # Whoever comes back in CVAT stands where he was last.
        points = person.keypoints if person.labelled.any() else points
        _add_shape(element, person, points, skeleton)
        after = following.get(person.frame_index)
        if person.labelled.any() and after is not None and after not in labelled:
            gone = PersonLabel(after, np.zeros_like(points), nowhere, source='absent')
            _add_shape(element, gone, points, skeleton)


def _add_shape(
    track: ET.Element, person: PersonLabel, points: np.ndarray, skeleton: Skeleton
) -> None:
    shape = _add(track, 'skeleton', frame=str(person.frame_index), keyframe='1', z_order='0')
    _add(shape, 'attribute', person.source, name='source')
    for name, text in _texts(person.extra.get('cvat_attributes')).items():
        _add(shape, 'attribute', text, name=name)
    point_attributes = person.extra.get('cvat_point_attributes')
    if not isinstance(point_attributes, dict):
        point_attributes = {}
    for joint, name in enumerate(skeleton.keypoint_names):
        x, y = points[joint].tolist()
        flag = person.visibility[joint]
        point = _add(
            shape,
            'points',
            label=name,
            keyframe='1',
            outside=str(int(flag == NOT_LABELLED)),
            occluded=str(int(flag == OCCLUDED)),
            points=f'{x!r},{y!r}',
        )
        if person.scores is not None:
            _add(point, 'attribute', repr(person.scores[joint].item()), name='score')
        for attribute, text in _texts(point_attributes.get(name)).items():
            _add(point, 'attribute', text, name=attribute)


def _texts(value: Any) -> dict[str, str]:
    """Convert attributes in ``extra``, which may come from any file, to texts."""
    return {k: str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _add_meta(root: ET.Element, labels: VideoLabels) -> None:
    task = _add(_add(root, 'meta'), 'task')
    last = max((frame.index for frame in labels.frames), default=-1)
    first = labels.frames[0] if labels.frames else VideoFrame(0)
    _add(task, 'name', labels.name)
    _add(task, 'size', str(last + 1))
    _add(task, 'mode', 'interpolation')
    _add(task, 'start_frame', '0')
    if last >= 0:
        _add(task, 'stop_frame', str(last))
    if first.width and first.height:
        size = _add(task, 'original_size')
        _add(size, 'width', str(first.width))
        _add(size, 'height', str(first.height))
    skeleton = labels.skeleton
    kinds = _add(task, 'labels')
    kind = _add(kinds, 'label')
    _add(kind, 'name', skeleton.category)
    _add(kind, 'type', 'skeleton')
    _add_attribute_kind(kind, 'source', 'select', 'given', '\n'.join(SOURCES))
    _add(kind, 'svg', _drawing(skeleton))
    for name in skeleton.keypoint_names:
        joint = _add(kinds, 'label')
        _add(joint, 'name', name)
        _add(joint, 'type', 'points')
        _add_attribute_kind(joint, 'score', 'text', '', '')
        _add(joint, 'parent', skeleton.category)


def _add_attribute_kind(
    label: ET.Element, name: str, input_type: str, default: str, values: str
) -> None:
    attribute = _add(_add(label, 'attributes'), 'attribute')
    _add(attribute, 'name', name)
    _add(attribute, 'mutable', 'True')
    _add(attribute, 'input_type', input_type)
    _add(attribute, 'default_value', default)
    _add(attribute, 'values', values)


def _drawing(skeleton: Skeleton) -> str:
    """Draw a skeleton as CVAT does, which also holds its limbs: joints on a circle."""
    count = skeleton.num_keypoints
    angles = [2 * math.pi * i / count for i in range(count)]
    spots = [(50 + 40 * math.sin(a), 50 - 40 * math.cos(a)) for a in angles]
    drawing = ET.Element('svg')
    for a, b in skeleton.limbs:
        (x1, y1), (x2, y2) = spots[a], spots[b]
        attributes = {'data-type': 'edge', 'data-node-from': str(a + 1), 'data-node-to': str(b + 1)}
        ends = {'x1': f'{x1:.2f}', 'y1': f'{y1:.2f}', 'x2': f'{x2:.2f}', 'y2': f'{y2:.2f}'}
        ET.SubElement(drawing, 'line', {**ends, 'stroke': 'black', **attributes})
    for i, ((x, y), name) in enumerate(zip(spots, skeleton.keypoint_names, strict=True), start=1):
        attributes = {
            'data-type': 'element node',
            'data-element-id': str(i),
            'data-node-id': str(i),
            'data-label-name': name,
        }
        place = {'cx': f'{x:.2f}', 'cy': f'{y:.2f}', 'r': '1.5'}
        ET.SubElement(drawing, 'circle', {**place, 'fill': '#b3b3b3', **attributes})
    return ''.join(ET.tostring(child, encoding='unicode') for child in drawing)
