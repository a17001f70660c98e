"""Person boxes from files, for :class:`~stdpose_mm.detection.box_sources.PrecomputedBoxes`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.labels import (
    NO_BOX_FRAME_OPTIONS,
    FrameOptions,
    fit_size,
    frame_indices,
    match_frames,
    numbers_with_gaps,
    read_json,
    read_labels,
)
from stdpose_mm.io.labels.coco_results import is_coco_results
from stdpose_mm.io.labels.detections import read_detections
from stdpose_mm.io.labels.fields import MAX_COORDINATE, MAX_EXACT, read_bytes
from stdpose_mm.io.labels.label_studio import is_label_studio
from stdpose_mm.io.labels.mmpose_json import is_mmpose
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import (
    FrameDetections,
    PersonLabel,
    Skeleton,
    TrackedBoxes,
    VideoFrame,
    VideoLabels,
    person_box,
)

from .box_sources import BoxesByFrame
from .person_detector import SCORE_THRESHOLD

MOT_SUFFIXES = ('.txt', '.csv')


def read_boxes(
    path: PathLike,
    frames: FrameSource | None = None,
    score_threshold: float = SCORE_THRESHOLD,
    video: str | None = None,
    options: FrameOptions = NO_BOX_FRAME_OPTIONS,
) -> BoxesByFrame:
    """Read the person boxes of one video.

    Args:
        path: One of

            - MOTChallenge text (``.txt``, ``.csv``): ``frame, id, x, y, width, height, score`` a
              line, further columns are ignored; frames count from 1 unless ``options`` say
              otherwise; an id of -1 is none; a file without a line is a video without people;
            - a JSON list of COCO detections (``image_id``, ``bbox``, ``score``); the id is the
              0-based frame, or the name of its picture;
            - a label file or folder that :func:`stdpose_mm.io.labels.read_labels` reads, such as
              PoseTrack18 JSON or OpenPose's output; boxes are those of the labels, or fitted to
              their joints.
        frames: The video, needed where boxes belong to picture names.
        score_threshold: COCO detections that score less are left out; nothing is left out of the
            other files.
        video: The video, if a label file holds several.
        options: The user's information on the frames, which takes precedence.

    Returns:
        Frame index -> boxes; with track ids if the file has them.

    Raises:
        InputError: If the file is not as described, has track ids for some people only, does not
            determine on which frames its boxes are, has boxes on frames that the video lacks, or
            states that they were made at another size than the video's.
    """
    found = _read_any(path, frames, score_threshold, video, options)
    beyond = [] if frames is None else [frame for frame in sorted(found) if frame >= len(frames)]
    if frames is not None and beyond:
        raise InputError(
            f'{path} has boxes on frame {beyond[0]} (counted from 0), which is not among the '
            f'{len(frames)} frames of {frames.name}, give the video of these boxes, or the number '
            f'of its first frame in the file with {options.number_option} N'
        )
    return found


def _read_any(
    path: PathLike,
    frames: FrameSource | None,
    score_threshold: float,
    video: str | None,
    options: FrameOptions,
) -> BoxesByFrame:
    """Read a file of any kind, which may have boxes behind the end of the video."""
    if not Path(path).is_dir():
        if Path(path).suffix.lower() in MOT_SUFFIXES and not _is_deeplabcut(path):
            return _read_mot(path, frames, options)
        if _is_detections(path):
            return _read_coco_detections(path, frames, score_threshold, options)
    labels = read_labels(path, video=video, size=None if frames is None else frames.size)
    if frames is not None or options:
        labels = match_frames(labels, frames, options)
    if frames is not None:
        labels = fit_size(labels, frames.size, subject='boxes')
    return _boxes_of(path, labels)


def _is_detections(path: PathLike) -> bool:
    """Tell whether a file is a list of detections, which may be empty or have poses too."""
    head = read_bytes(path)[:100].removeprefix(b'\xef\xbb\xbf').lstrip()
    if not head.startswith(b'['):
        return False
    data = read_json(path)
    # Results of this package have ids of pictures that are not frames, and identities.
    is_own = is_coco_results(data) and 'frame_index' in data[0]
    return not is_own and not is_mmpose(data) and not is_label_studio(data)


def _is_deeplabcut(path: PathLike) -> bool:
    return read_bytes(path, may_be_empty=True).startswith(b'scorer,')


def _read_mot(path: PathLike, frames: FrameSource | None, options: FrameOptions) -> BoxesByFrame:
    rows: dict[int, list[tuple[int, list[float], float]]] = {}
    try:
        # Trackers write nothing about a video without people.
        lines = read_bytes(path, may_be_empty=True).decode('utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f'{path} is not UTF-8 text (byte {error.start})') from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            frame, track, box, score = _mot_row(f'{path}, line {number}', line)
            rows.setdefault(frame, []).append((track, box, score))
    numbers = sorted(rows)
    if options:
        indices = _told_frames(path, numbers, frames, options)
    else:
        _require_clear_numbers(path, numbers, frames, options)
        indices = [number - 1 for number in numbers]
    found = {}
    for number, frame in zip(numbers, indices, strict=True):
        people = rows[number]
        track_ids, boxes, scores = zip(*people, strict=True)
        found[frame] = _frame(path, frame, list(boxes), list(scores), list(track_ids))
    return found


def _mot_row(where: str, line: str) -> tuple[int, int, list[float], float]:
    expected = 'frame, id, x, y, width, height and a score'
    try:
        values = [float(value) for value in re.split(r'[,\s]+', line.strip().rstrip(','))[:7]]
    except ValueError:
        raise InputError(f'{where} is {line[:60]!r}, expected the numbers {expected}') from None
    if len(values) < 6 or not all(math.isfinite(v) and abs(v) <= MAX_EXACT for v in values):
        raise InputError(f'{where} is {line[:60]!r}, expected {expected}')
    frame, track = values[:2]
    if frame != int(frame) or frame < 0 or track != int(track) or track < -1:
        raise InputError(
            f'{where} has frame {frame:g} and id {track:g}, expected whole numbers, frames from 1 '
            'and ids from 0 (-1 for none)'
        )
    if max(map(abs, values[2:6])) > MAX_COORDINATE:
        raise InputError(f'{where} has the box {values[2:6]}, expected pixels')
    # Ground truth and many trackers write a flag of 1 or -1 in place of a score.
    score = values[6] if len(values) > 6 and 0 <= values[6] <= 1 else 1.0
    return int(frame), int(track), values[2:6], score


def _require_clear_numbers(
    path: PathLike, numbers: Sequence[int], frames: FrameSource | None, options: FrameOptions
) -> None:
    """Refuse numbers that do not count all frames of the video from 1."""
    if numbers and numbers[0] == 0:
        raise InputError(
            f'{path} has boxes on frame 0, but frames of MOTChallenge text count from 1, give '
            f'{options.number_option} 0 if these count from 0'
        )
    gaps = None if frames is None else numbers_with_gaps(frames)
    if gaps is not None:
        raise InputError(
            f'{path} tells frames by number, but the numbers of the {len(frames or ())} pictures '
            f'leave some out between {gaps[0]} and {gaps[1]}, so that a number may be that of a '
            f'picture or its place: give {options.number_option} 1 if it is the place, else COCO '
            'detections with the names of the pictures'
        )


def _read_coco_detections(
    path: PathLike, frames: FrameSource | None, score_threshold: float, options: FrameOptions
) -> BoxesByFrame:
    if not read_json(path):
        return {}
    found = {}
    detected = read_detections(path, score_threshold).by_image
    ids = [*detected]
    indices = (
        _told_frames(path, ids, frames, options)
        if options
        else [_frame_of(path, image_id, frames) for image_id in ids]
    )
    for image_id, frame in zip(ids, indices, strict=True):
        people = detected[image_id]
        if frame in found:
            raise InputError(
                f'{path} has detections for frame {frame} under several names, one of them '
                f'{image_id!r}; give each frame one'
            )
        found[frame] = _frame(path, frame, people.boxes, people.scores, None)
    return found


def _frame_of(path: PathLike, image_id: int | str, frames: FrameSource | None) -> int:
    if isinstance(image_id, int):
        if image_id < 0:
            raise InputError(f'{path} has image_id {image_id}, expected the 0-based frame')
        return image_id
    name = PurePosixPath(image_id).name
    if frames is not None and frames.has_picture_files:
        names = [PurePosixPath(frames.path_of(i)).name for i in range(len(frames))]
        places = [i for i, known in enumerate(names) if name in (known, PurePosixPath(known).stem)]
        if len(places) == 1:
            return places[0]
        raise InputError(
            f'{path} has image_id {image_id!r}, which names {len(places)} of the {len(frames)} '
            f'pictures of {frames.name}; give the name of one, or the 0-based frame as a number'
        )
    raise InputError(
        f'{path} has image_id {image_id!r}, but the video has no pictures with names; give the '
        '0-based frame as a number'
    )


def _told_frames(
    path: PathLike,
    numbers: Sequence[int | str],
    frames: FrameSource | None,
    options: FrameOptions,
) -> list[int]:
    """Find the frames of numbers, or of names of pictures, by the user's information on them."""
    names = [number if isinstance(number, str) else '' for number in numbers]
    known = [number for number in numbers if isinstance(number, int)]
    if known and len(known) < len(numbers):
        raise InputError(
            f'{path} has image_id {known[0]}, a number, and {next(filter(None, names))!r}, a name, '
            f'give ids of one kind for {options.number_option} or {options.list_option}'
        )
    indices, numbering = frame_indices(path, names, indices=known or None)
    # One person in each frame, so that a frame that the video does not have is refused.
    labels = VideoLabels(
        Path(path).stem,
        Skeleton(('any',)),
        tuple(VideoFrame(index, name) for index, name in zip(indices, names, strict=True)),
        tuple(PersonLabel(index, np.zeros((1, 2)), np.zeros(1)) for index in indices),
        numbering=numbering,
    )
    return [person.frame_index for person in match_frames(labels, frames, options).persons]


def _boxes_of(path: PathLike, labels: VideoLabels) -> BoxesByFrame:
    found = {}
    for frame in labels:
        people = [p for p in labels[frame] if p.has_box or p.labelled.any()]
        known = [p.track_id for p in people if p.track_id is not None]
        if known and len(known) < len(people):
            raise InputError(
                f'{path} has track ids for some people of frame {frame} only, give them for all '
                'or for none'
            )
        if people:
            boxes = [person_box(p) for p in people]
            found[frame] = _frame(path, frame, boxes, [1.0] * len(people), known or None)
    return found


def _frame(
    path: PathLike,
    frame: int,
    boxes: np.ndarray | list[list[float]] | list[np.ndarray],
    scores: np.ndarray | list[float],
    track_ids: Sequence[int] | None,
) -> TrackedBoxes | FrameDetections:
    if track_ids is not None and -1 in track_ids:
        if set(track_ids) != {-1}:
            raise InputError(
                f'{path} has ids for some people of frame {frame} (0-based) only, give them for '
                'all or for none'
            )
        track_ids = None
    numbers = np.arange(len(boxes)) if track_ids is None else np.array(track_ids)
    try:
        people = TrackedBoxes(np.array(boxes), np.array(scores), numbers)
    except ValueError as error:
        raise InputError(f'{path}, frame {frame} (0-based): {error}') from error
    return FrameDetections(people.boxes, people.scores) if track_ids is None else people
