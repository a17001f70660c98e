"""Landmarks of MediaPipe's body or hand as JSON, in the forms in which scripts save them.

MediaPipe writes no files itself. Read are lists of frames (the file, or its field ``frames``):
objects with the number of the frame and the landmarks of one person or several. A landmark is an
object with ``x`` and ``y``, as fractions of the picture or in pixels, and ``visibility``. World
landmarks, which are in metres, are not read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_FRAME_INDEX
from stdpose_mm.structures import FrameNumbering, VideoLabels

from .fields import Record, fields_of
from .joints import FURTHER_JOINTS, note_unread
from .known_skeletons import CONVERT_FIRST, MEDIAPIPE_FAMILY, unnamed_skeleton
from .poses import estimated_person, video_of_frames

_NUMBERS = ('frame', 'frame_index', 'frame_idx', 'frame_number', 'frame_id')
_LANDMARKS = ('pose_landmarks', 'landmarks', 'keypoints')


def is_mediapipe(data: Any) -> bool:
    """Tell whether parsed JSON holds numbered frames with landmarks."""
    fields = fields_of(data.get('frames') if isinstance(data, dict) else data)
    return bool(fields & {*_NUMBERS} and fields & {*_LANDMARKS})


def parse_mediapipe(
    path: PathLike, data: Any, size: tuple[int, int] | None = None
) -> list[VideoLabels]:
    """Read parsed landmarks; all joints are 'propagated', with their visibility as score.

    Args:
        path: The file, for names and messages.
        data: The parsed JSON.
        size: (width, height) of the pictures, for fractions.

    Returns:
        One video. If no frame has the number 0, the numbers may count from 1, see
        :func:`~stdpose_mm.io.labels.match_frames`.

    Raises:
        InputError: If the file is not as described, or ``size`` is needed and not known.
    """
    people: dict[int, list[np.ndarray]] = {}
    unread: list[str] = []
    whole = data if isinstance(data, dict) else {'frames': data}
    for frame, fields in zip(
        Record(path, '', whole).records('frames'), whole['frames'], strict=True
    ):
        name = next((name for name in _NUMBERS if name in frame), _NUMBERS[0])
        number = frame.integer(name, low=0, high=MAX_FRAME_INDEX)
        part = next((name for name in _LANDMARKS if frame.peek(name)), '')
        people.setdefault(number, []).extend(_poses_of(frame, part))
        unread += [n for n, value in fields.items() if n != part and value and _are_points(value)]
    note_unread(path, FURTHER_JOINTS, unread)
    poses = [pose for group in people.values() for pose in group]
    if len({len(pose) for pose in poses}) != 1:
        raise InputError(f'{path} has people with no landmarks, or with different numbers of them')
    joints = np.stack(poses)
    # Landmarks may lie outside the picture.
    if np.nanmedian(np.abs(joints[..., :2])) <= 2:
        if size is None:
            raise InputError(f'{path} holds fractions of the picture, give its --labels-size')
        joints[..., :2] *= size
    # Hands have no visibility: their objects show 0.
    scores = joints[..., 2] if joints[..., 2].any() else [None] * len(joints)
    persons = map(estimated_person, joints[..., :2], scores)
    frames = [(number, [next(persons) for _ in group]) for number, group in people.items()]
    skeleton = unnamed_skeleton(path, joints.shape[1], CONVERT_FIRST, MEDIAPIPE_FAMILY)
    labels = video_of_frames(path, video_name(path), skeleton, frames)
    bounds = len(people), min(people), max(people), 0 if 0 in people else None, 0
    return [replace(labels, numbering=FrameNumbering('names', 'the frame numbers', *bounds))]


def _are_points(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and 'landmark' in value)


def _poses_of(frame: Record, name: str) -> list[np.ndarray]:
    """Read x, y and visibility [K, 3] of the landmarks of each person in a field of a frame."""
    value: Any = frame.peek(name) or []
    try:
        is_of_one = isinstance(value, dict) or (value and 'x' in value[0])
        # protobuf converts MediaPipe's lists to objects.
        lists = [
            p['landmark'] if isinstance(p, dict) else p for p in ([value] if is_of_one else value)
        ]
        poses = [[(p['x'], p['y'], p.get('visibility') or 0) for p in points] for points in lists]
        arrays = [np.array(pose, dtype=np.float64).reshape(-1, 3) for pose in poses]
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        arrays = [np.full((1, 3), np.inf)]
    if any((np.abs(array) > MAX_COORDINATE).any() for array in arrays):
        raise frame.error(name, 'landmarks with numbers x, y and visibility')
    return arrays
