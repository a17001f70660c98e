"""Writing of "CVAT for video 1.1" XML with sparse key frames, and of the task's label for it."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from stdpose_mm.constants import CVAT_TOLERANCE
from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike, write_json, write_text
from stdpose_mm.structures import (
    NOT_LABELLED,
    OCCLUDED,
    PersonLabel,
    Skeleton,
    Source,
    VideoFrame,
    VideoLabels,
    runs_of,
    unused_track_ids,
)

from .cvat_tracks import FROM_FILE, NO_SCORE, UNMARKED, KeyFrame

# Largest error in pixels of rounding coordinates to two decimals twice.
_ROUNDING = 0.015

# A carriage return is valid XML but is read back as a line feed.
_NOT_XML = re.compile('[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')


def write_cvat(
    labels: VideoLabels, path: PathLike, tolerance: float | None = CVAT_TOLERANCE
) -> None:
    """Write labels as "CVAT for video 1.1" XML, atomically.

    Given joints are key frames, and so are the first label of a track and the frames in which a
    joint is hidden, left out or comes back. Propagated joints are rounded to two decimals and get
    as few further key frames as CVAT's linear interpolation needs to stay within the tolerance. A
    joint without coordinates is ``outside``. If a frame has labels (or ``is_labeled``), but none of
    a person labelled on the frame before, an ``outside`` key frame with the source 'absent' ends
    the person's presence. Every point has an attribute ``source`` (see :mod:`.cvat_tracks`) and, if
    there are scores, ``score``. CVAT cannot store boxes, image ids, file names, ignore regions,
    people with only a box, or gaps between frames.

    Args:
        labels: The labels. Every person without a track id gets a separate track.
        path: Where to write.
        tolerance: Largest distance of CVAT's interpolation from a propagated joint, in pixels;
            None makes every label a key frame.

    Raises:
        InputError: If a name contains characters that XML does not allow.
    """
    root = ET.Element('annotations')
    _add(root, 'version', '1.1')
    _add_meta(root, labels)
    looked_at = {frame.index for frame in labels.frames if frame.is_labeled}
    looked_at.update(labels.labelled_frame_indices)
    following = dict(pairwise(sorted(looked_at)))
    joints = range(labels.skeleton.num_keypoints)
    for track_id, persons in _tracks(labels).items():
        track = [*_with_ends(persons, following)]
        group = FROM_FILE + track_id if 0 <= track_id < FROM_FILE else FROM_FILE - 1
        ids = {'label': labels.skeleton.category, 'source': 'file', 'group_id': str(group)}
        element = _add(root, 'track', id=str(track_id), **ids)
        key_frames = [_key_frames(track, joint, tolerance) for joint in joints]
        for slot, person in enumerate(track):
            points = {joint: of[slot] for joint, of in enumerate(key_frames) if slot in of}
            if points:
                _add_shape(element, person, points, labels.skeleton)
    for text in labels.extra.get('cvat_elements', []):
        try:
            root.append(ET.fromstring(text))
        except (ET.ParseError, TypeError) as error:
            raise InputError(f'{path}: cvat_elements must be XML: {error}') from error
    write_xml(path, root, '<?xml version="1.0" encoding="utf-8"?>\n')


def write_xml(path: PathLike, root: ET.Element, start: str = '') -> None:
    """Write XML after the text ``start``, atomically.

    Raises:
        InputError: If a name contains characters that XML does not allow.
    """
    ET.indent(root)
    # ElementTree also writes characters that are not valid XML, which its own parser refuses.
    text = ET.tostring(root, encoding='unicode')
    bad = _NOT_XML.search(text)
    if bad:
        raise InputError(
            f'{path}: a name holds {bad.group()!r}, which XML does not allow; rename it'
        )
    write_text(path, f'{start}{text}\n')


def write_cvat_labels(labels: VideoLabels, path: PathLike) -> None:
    """Write the label of a CVAT task, to paste into the tab "Raw", atomically.

    It defines the skeleton, with the attributes of points that :func:`write_cvat` writes.

    Args:
        labels: The labels; only their skeleton is used.
        path: The JSON file to write.
    """
    skeleton = labels.skeleton
    kind = {'input_type': 'text', 'mutable': True}
    attributes = [
        {'name': name, **kind, 'values': [default], 'default_value': default}
        for name, default in _ATTRIBUTES.items()
    ]
    names = skeleton.keypoint_names
    points = [{'name': name, 'type': 'points', 'attributes': attributes} for name in names]
    label = {'name': skeleton.category, 'type': 'skeleton', 'attributes': [], 'sublabels': points}
    write_json(path, [{**label, 'svg': _drawing(skeleton)}], indent=2)


_ATTRIBUTES = {'source': UNMARKED, 'score': NO_SCORE}
"""Attribute of points -> default value."""


def _add(parent: ET.Element, tag: str, text: str = '', **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text or None
    return element


def _tracks(labels: VideoLabels) -> dict[int, list[PersonLabel]]:
    """Group labels as track id -> labels by frame; people without an id get a track each."""
    tracks: dict[int, list[PersonLabel]] = {}
    new_ids = unused_track_ids(set(labels.track_ids))
    for person in sorted(labels.persons, key=lambda person: person.frame_index):
        if not person.has_joint and (person.is_located or person.source == 'propagated'):
            continue
        track_id = next(new_ids) if person.track_id is None else person.track_id
        tracks.setdefault(track_id, []).append(person)
    return tracks


def _with_ends(track: Sequence[PersonLabel], following: dict[int, int]) -> Iterator[PersonLabel]:
    """Add an absence on the annotated frame after a label if the person has no label there."""
    labelled = {person.frame_index for person in track}
    for person in track:
        yield person
        after = following.get(person.frame_index)
        if person.has_joint and after is not None and after not in labelled:
            count = len(person.visibility)
            yield PersonLabel(after, np.zeros((count, 2)), np.zeros(count), source='absent')


def _key_frames(
    track: Sequence[PersonLabel], joint: int, tolerance: float | None
) -> dict[int, KeyFrame]:
    """Choose the key frames of a joint: position in the track -> key frame."""
    # A given label says nothing about joints yet to be propagated: CVAT interpolates through it.
    is_open = [p.is_given and p.propagated[joint] and not p.labelled[joint] for p in track]
    slots = [slot for slot, is_skipped in enumerate(is_open) if slot == 0 or not is_skipped]
    at_frame = [track[slot] for slot in slots]
    states = np.asarray([person.visibility[joint] for person in at_frame])
    there = states > NOT_LABELLED
    # Joints missing from a given label were left out by a person.
    sources: list[Source] = [
        'propagated' if p.propagated[joint] else 'given' if p.is_given else 'absent'
        for p in at_frame
    ]
    is_given = np.asarray(sources) == 'given'
    points = np.stack([person.keypoints[joint] for person in at_frame])
    points = np.where(is_given[:, None], points, points.round(2)) + 0.0
    required = is_given | (tolerance is None)
    required[0] = True
    required[1:] |= states[1:] != states[:-1]
    required[1:] |= ~there[1:] & (np.asarray(sources[1:]) != sources[:-1])
    # The last position before the joint goes outside; CVAT would interpolate or hold another one.
    required |= there & ~np.append(there[1:], False)
    frame_indices = np.asarray([person.frame_index for person in at_frame])
    for run in runs_of(there):
        required[run] = few_key_frames(
            frame_indices[run], points[run], required[run], (tolerance or 0.0) - _ROUNDING
        )
    # A joint that is outside keeps its last position in CVAT.
    nearest = np.maximum.accumulate(np.where(there, np.arange(len(slots)), -1))
    nearest = np.where(nearest < 0, there.argmax(), nearest)
    places = [(x, y) for x, y in points[nearest].tolist()]
    return {
        slots[i]: KeyFrame(int(frame_indices[i]), places[i], int(states[i]), sources[i])
        for i in np.flatnonzero(required)
    }


def few_key_frames(
    frame_indices: np.ndarray, points: np.ndarray, required: np.ndarray, tolerance: float
) -> np.ndarray:
    """Choose key frames whose linear interpolation stays close to a path.

    From every key frame, the next one is chosen as late as the tolerance allows. (Libraries for
    line simplification measure the distance to the line, not to the interpolated point of the same
    frame.)

    Args:
        frame_indices: [F] frames of the path, ascending.
        points: [F, 2] pixels.
        required: [F] bool: frames that must be key frames, including the first and the last.
        tolerance: Largest distance in pixels in any frame.

    Returns:
        [F] bool: the key frames.
    """
    chosen = required.copy()
    start, last = 0, len(points) - 1
    while start < last:
        stop = start + 1
        while not required[stop]:
            past = frame_indices[start + 1 : stop + 2] - frame_indices[start]
            weights = past[:-1] / past[-1]
            line = points[start] + (points[stop + 1] - points[start]) * weights[:, None]
            if np.linalg.norm(line - points[start + 1 : stop + 1], axis=1).max() > tolerance:
                break
            stop += 1
        chosen[stop] = True
        start = stop
    return chosen


def _add_shape(
    track: ET.Element, person: PersonLabel, key_frames: dict[int, KeyFrame], skeleton: Skeleton
) -> None:
    shape = _add(track, 'skeleton', frame=str(person.frame_index), keyframe='1', z_order='0')
    _add_attributes(shape, person.extra.get('cvat_attributes'))
    attributes = person.extra.get('cvat_point_attributes')
    for joint, key_frame in key_frames.items():
        name = skeleton.keypoint_names[joint]
        x, y = key_frame.place
        states = {'outside': NOT_LABELLED, 'occluded': OCCLUDED}
        flags = {flag: str(int(key_frame.visibility == state)) for flag, state in states.items()}
        point = _add(shape, 'points', label=name, keyframe='1', **flags, points=f'{x!r},{y!r}')
        _add(point, 'attribute', key_frame.format_mark(), name='source')
        if person.scores is not None:
            _add(point, 'attribute', repr(person.scores[joint].item()), name='score')
        _add_attributes(point, attributes.get(name) if isinstance(attributes, dict) else None)


def _add_attributes(parent: ET.Element, attributes: Any) -> None:
    """Add attributes from ``extra``, which may come from a file of any format."""
    for name, text in attributes.items() if isinstance(attributes, dict) else ():
        _add(parent, 'attribute', str(text), name=name)


def _add_meta(root: ET.Element, labels: VideoLabels) -> None:
    task = _add(_add(root, 'meta'), 'task')
    last = max((frame.index for frame in labels.frames), default=-1)
    first = labels.frames[0] if labels.frames else VideoFrame(0)
    _add_texts(task, name=labels.name, size=last + 1, mode='interpolation', start_frame=0)
    if last >= 0:
        _add_texts(task, stop_frame=last)
    if first.width and first.height:
        _add_texts(_add(task, 'original_size'), width=first.width, height=first.height)
    skeleton = labels.skeleton
    kinds = _add(task, 'labels')
    kind = _add(kinds, 'label')
    _add_texts(kind, name=skeleton.category, type='skeleton', svg=_drawing(skeleton))
    for joint in skeleton.keypoint_names:
        point = _add(kinds, 'label')
        _add_texts(point, name=joint, type='points')
        attributes = _add(point, 'attributes')
        for name, default in _ATTRIBUTES.items():
            attribute = _add(attributes, 'attribute')
            _add_texts(attribute, name=name, mutable=True, input_type='text')
            _add_texts(attribute, default_value=default, values=default)
        _add_texts(point, parent=skeleton.category)


def _add_texts(parent: ET.Element, /, **texts: Any) -> None:
    """Add an element for each text."""
    for tag, text in texts.items():
        _add(parent, tag, str(text))


def _drawing(skeleton: Skeleton) -> str:
    """Draw the joints on a circle, with the limbs, as the SVG that CVAT stores with a skeleton."""
    count = skeleton.num_keypoints
    angles = [2 * math.pi * i / count for i in range(count)]
    spots = [(f'{50 + 40 * math.sin(a):.2f}', f'{50 - 40 * math.cos(a):.2f}') for a in angles]
    drawing = ET.Element('svg')
    for a, b in skeleton.limbs:
        (x1, y1), (x2, y2) = spots[a], spots[b]
        line = {'x1': x1, 'y1': y1, 'x2': x2, 'y2': y2, 'stroke': 'black', 'data-type': 'edge'}
        ends = {'data-node-from': str(a + 1), 'data-node-to': str(b + 1)}
        ET.SubElement(drawing, 'line', line | ends)
    for i, ((x, y), name) in enumerate(zip(spots, skeleton.keypoint_names, strict=True), start=1):
        circle = {'cx': x, 'cy': y, 'r': '1.5', 'fill': '#b3b3b3', 'data-type': 'element node'}
        ids = {'data-element-id': str(i), 'data-node-id': str(i), 'data-label-name': name}
        ET.SubElement(drawing, 'circle', circle | ids)
    # Serialised as SVG inside HTML, the way browsers parse it.
    return ''.join(ET.tostring(c, encoding='unicode', short_empty_elements=False) for c in drawing)
