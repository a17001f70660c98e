"""Reading and checking of person boxes from files and from Python objects."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.atomic import PathLike
from stdpose_mm.io.labels import (
    NO_BOX_FRAME_OPTIONS,
    FrameOptions,
    fit_size,
    frame_indices,
    match_frames,
    numbers_with_gaps,
    read_labels,
)
from stdpose_mm.io.labels.detections import parse_detections
from stdpose_mm.io.labels.fields import MAX_EXACT, errors_of, fields_of
from stdpose_mm.io.labels.label_source import LabelSource
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_FRAME_INDEX
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import (
    FrameBoxes,
    PersonLabel,
    Skeleton,
    VideoFrame,
    VideoLabels,
    person_box,
)

from .person_detector import SCORE_THRESHOLD

MOT_SUFFIXES = ('.txt', '.csv')


def read_tracks(
    path: PathLike, frames: FrameSource, options: FrameOptions = NO_BOX_FRAME_OPTIONS
) -> dict[int, dict[int, np.ndarray]]:
    """Read the boxes of tracked people in a video, by track id and frame; see :func:`read_boxes`.

    People without a track id in a label file with others are left out.

    Raises:
        InputError: Also if there are boxes without track ids.
    """
    tracks: dict[int, dict[int, np.ndarray]] = {}
    for frame, people in read_boxes(path, frames, options=options, tracked=True).items():
        if not people.is_tracked:
            raise InputError(
                f'{path} has boxes without track ids in frame {frame}, give boxes of tracked '
                'people, such as the output of stdpose infer'
            )
        for track_id, box in zip(people.track_ids.tolist(), people.boxes, strict=True):
            tracks.setdefault(track_id, {})[frame] = box
    return tracks


def read_boxes(
    path: PathLike,
    frames: FrameSource | None = None,
    options: FrameOptions = NO_BOX_FRAME_OPTIONS,
    tracked: bool = False,
) -> dict[int, FrameBoxes]:
    """Read the person boxes of one video.

    Args:
        path: One of

            - MOTChallenge text (``.txt``, ``.csv``): lines ``frame, id, x, y, width, height,
              score``; further columns are ignored; frames count from 1 unless there is a frame 0
              or ``options`` say otherwise; an id of -1 means none; an empty file is a video
              without people;
            - a JSON list of COCO detections (``image_id``, ``bbox``, ``score``); the id is the
              0-based frame, or the name of its picture; those that score less than
              ``SCORE_THRESHOLD`` are left out;
            - a label file or folder that :func:`stdpose_mm.io.labels.read_labels` reads, such as
              PoseTrack18 JSON or OpenPose's output; boxes are those of the labels, or fitted to
              their joints.
        frames: The video.
        options: The user's information on the frames, which takes precedence.
        tracked: Leave out people without a track id in a label file with others.

    Returns:
        Frame index -> boxes, with track ids if the file has them.

    Raises:
        InputError: If the file is not as described, has track ids for only some people, has boxes
            on frames that are ambiguous or that the video lacks, or was made at another size than
            the video's.
    """
    source = LabelSource.of(path)
    if Path(path).suffix.lower() in MOT_SUFFIXES and not source.is_folder:
        text = source.text(may_be_empty=True)
        # DeepLabCut also writes CSV files.
        if not text.startswith('scorer,'):
            return _on_frames(path, _parse_mot(path, text, frames, options), frames, options)
    elif not source.is_folder and source.head.startswith(b'[') and _are_detections(source.json):
        detections = parse_detections(path, source.json, SCORE_THRESHOLD)
        return _on_frames(path, detections, frames, options)
    labels = read_labels(source, size=None if frames is None else frames.size)
    people: dict[int, list[tuple[np.ndarray, float, int]]] = {}
    left_out = tracked and any(person.track_id is not None for person in labels.persons)
    for person in _match(labels, frames, options).persons:
        if person.has_joint_or_box and not (left_out and person.track_id is None):
            track_id = -1 if person.track_id is None else person.track_id
            people.setdefault(person.frame_index, []).append((person_box(person), 1.0, track_id))
    return {
        frame: check_boxes(f'{path}, frame {frame} (0-based)', *zip(*of_frame, strict=True))
        for frame, of_frame in people.items()
    }


def _are_detections(data: Any) -> bool:
    """Tell whether a JSON list holds detections; they may also hold poses, or be none."""
    # Results of this package also have identities, and image ids that are not frames.
    fields = fields_of(data)
    return data == [] or ('image_id' in fields and 'frame_index' not in fields)


def _match(labels: VideoLabels, frames: FrameSource | None, options: FrameOptions) -> VideoLabels:
    labels = match_frames(labels, frames, options)
    return labels if frames is None else fit_size(labels, frames.size, subject='boxes')


def _on_frames(
    path: PathLike,
    boxes: Mapping[Any, FrameBoxes],
    frames: FrameSource | None,
    options: FrameOptions,
) -> dict[int, FrameBoxes]:
    """Find the frames of boxes that are given by 0-based frame, or by the name of its picture."""
    names = [key if isinstance(key, str) else '' for key in boxes]
    numbers = [key for key in boxes if isinstance(key, int)]
    if numbers and any(names):
        raise InputError(
            f'{path} has numbers ({numbers[0]}) and names ({next(filter(None, names))!r}) as '
            'image_id, use one kind'
        )
    for key, people in boxes.items():
        check_boxes(f'{path}, frame {key!r}', people.boxes, people.scores, people.track_ids)
    indices, numbering = frame_indices(path, names, indices=None if any(names) else numbers)
    # One label in the middle of the boxes of a frame stands for all of them.
    nowhere = np.zeros((1, 2)), np.zeros(1)
    persons = (
        PersonLabel(index, *nowhere, bbox=np.median(people.boxes, axis=0))
        for index, people in zip(indices, boxes.values(), strict=True)
    )
    listed = tuple(map(VideoFrame, indices, names))
    with errors_of(path):
        labels = VideoLabels(
            Path(path).stem, Skeleton(('any',)), listed, tuple(persons), numbering=numbering
        )
    matched = _match(labels, frames, options).persons
    return {p.frame_index: people for p, people in zip(matched, boxes.values(), strict=True)}


def _parse_mot(
    path: PathLike, text: str, frames: FrameSource | None, options: FrameOptions
) -> dict[int, FrameBoxes]:
    rows: dict[int, list[tuple[list[float], float, int]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            frame, person = _mot_row(f'{path}, line {number}', line)
            rows.setdefault(frame, []).append(person)
    gaps = None if frames is None or options else numbers_with_gaps(frames)
    if gaps is not None:
        raise InputError(
            f'{path} identifies frames by number, but the numbers of the pictures have gaps '
            f'between {gaps[0]} and {gaps[1]}, so a number may mean the picture of that number or '
            f'a position: give {options.number_option} 1 if it is a position, else COCO detections '
            'with the names of the pictures'
        )
    # Some trackers count from 0.
    first = 0 if options or 0 in rows else 1
    return {
        number - first: check_boxes(f'{path}, frame {number}', *zip(*rows[number], strict=True))
        for number in sorted(rows)
    }


def _mot_row(where: str, line: str) -> tuple[int, tuple[list[float], float, int]]:
    """Read a line as the number of the frame and the person."""
    try:
        values = [float(value) for value in re.split(r'[,\s]+', line.strip().rstrip(','))[:7]]
    except ValueError:
        values = []
    frame, track, *box = values[:6] if len(values) >= 6 else [math.nan] * 6
    fits = frame % 1 == track % 1 == 0 <= frame <= MAX_FRAME_INDEX and -1 <= track <= MAX_EXACT
    fits = fits and all(abs(value) <= MAX_COORDINATE for value in box)
    if not fits:
        raise InputError(
            f'{where} is {line[:60]!r}, expected the numbers frame, id, x, y, width, height and a '
            'score: whole frames from 1, whole ids from 0 or -1 for none, boxes in pixels'
        )
    # Ground truth and many trackers write a flag of 1 or -1 instead of a score.
    score = values[6] if len(values) > 6 and 0 <= values[6] <= 1 else 1.0
    return int(frame), (box, score, int(track))


def as_boxes(boxes_by_frame: Mapping[int, object] | Sequence[object]) -> dict[int, FrameBoxes]:
    """Convert boxes given as Python objects, in the form of MMPose.

    Args:
        boxes_by_frame: One entry per frame, in order, or frame index -> entry. An entry is

            - an array [N, 4] of x1, y1, x2, y2 in pixels, or [N, 5] with the score last;
            - a dict with such an array as ``bboxes``, and ``bbox_scores`` [N] and ``track_ids`` [N]
              if known;
            - :class:`FrameBoxes`;
            - None for a frame without people.

    Returns:
        Frame index -> boxes, with track ids if they are given.

    Raises:
        InputError: If an entry is not as described.
    """
    entries = (
        boxes_by_frame.items() if isinstance(boxes_by_frame, Mapping) else enumerate(boxes_by_frame)
    )
    boxes = {}
    for frame, entry in entries:
        if isinstance(frame, bool) or not isinstance(frame, (int, np.integer)) or frame < 0:
            raise InputError(f'boxes are given for frame {frame!r}, expected 0, 1, 2, ...')
        if entry is not None:
            boxes[int(frame)] = _as_boxes(f'boxes of frame {frame}', entry)
    return boxes


def _as_boxes(where: str, entry: object) -> FrameBoxes:
    if isinstance(entry, FrameBoxes):
        return check_boxes(where, entry.boxes, entry.scores, entry.track_ids)
    fields = entry if isinstance(entry, Mapping) else {'bboxes': entry}
    if not {'bboxes'} <= set(fields) <= {'bboxes', 'bbox_scores', 'track_ids'}:
        raise InputError(
            f'{where}: the keys are {", ".join(map(str, fields))}, expected bboxes, and '
            'bbox_scores and track_ids if known'
        )
    corners = _numbers(where, fields['bboxes'])
    if corners.size == 0:
        corners = corners.reshape(0, 4)
    fits = corners.shape[1:] in ((4,), (5,)) and (corners[:, :2] < corners[:, 2:4]).all()
    if not fits:
        raise InputError(
            f'{where} must be [N, 4] x1, y1, x2, y2 with x2 above x1 and y2 above y1, got '
            f'{corners.tolist()}, correct them or leave them out'
        )
    boxes = np.concatenate([corners[:, :2], corners[:, 2:4] - corners[:, :2]], axis=1)
    scores, track_ids = fields.get('bbox_scores'), fields.get('track_ids')
    if scores is None:
        scores = corners[:, 4] if corners.shape[1] == 5 else np.ones(len(boxes))
    return check_boxes(where, boxes, scores, [-1] * len(boxes) if track_ids is None else track_ids)


def check_boxes(where: str, boxes: Any, scores: Any, track_ids: Any) -> FrameBoxes:
    """Check the boxes of the people of a frame when they enter the package.

    Args:
        where: The file or the frame, for the error.
        boxes: [N, 4] x, y, width, height, each size above 0.
        scores: [N] in 0..1.
        track_ids: [N] distinct whole numbers from 0, or -1 for all people.

    Raises:
        InputError: If they are not as described.
    """
    array, scores, ids = _numbers(where, boxes), _numbers(where, scores), np.asarray(track_ids)
    if array.ndim != 2 or array.shape[1] != 4 or {scores.shape, ids.shape} != {array.shape[:1]}:
        raise InputError(
            f'{where}: boxes, scores and track ids have the shapes {list(array.shape)}, '
            f'{list(scores.shape)} and {list(ids.shape)}, expected [N, 4], [N] and [N]'
        )
    fine = np.isfinite(array).all(axis=1) & (array[:, 2:] > 0).all(axis=1)
    if not fine.all():
        raise InputError(
            f'{where}: boxes must be finite x, y, width, height with a size above 0, got '
            f'{array[~fine][0].tolist()}'
        )
    if not ((scores >= 0) & (scores <= 1)).all():
        raise InputError(f'{where}: scores must be in 0..1, got {scores.tolist()}')
    are_whole = np.issubdtype(ids.dtype, np.integer) or not len(ids)
    are_distinct = len(np.unique(ids)) == len(ids)
    if not are_whole or not ((are_distinct and (ids >= 0).all()) or (ids == -1).all()):
        raise InputError(
            f'{where}: track ids must be distinct whole numbers from 0, or -1 for all people, got '
            f'{ids.tolist()}'
        )
    return FrameBoxes(array, scores, ids.astype(np.int64))


def _numbers(where: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f'{where}: they are not an array of numbers, expected [N, 4]') from None
