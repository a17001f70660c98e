"""PoseTrack17 label files: one "annolist" JSON per video.

Every value is wrapped in a list (``"x": [120.5]``), ``x1, y1, x2, y2`` of a person is the head box,
and frames are counted from 1, or from 0 if the benchmark's converter made them from PoseTrack18's.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.structures import (
    OCCLUDED,
    VISIBLE,
    PersonLabel,
    PolygonRegion,
    VideoFrame,
    VideoLabels,
)
from stdpose_mm.structures.joint_sets import FURTHER_JOINT_SETS, known_skeleton

from .coco import POSETRACK_FRAMES
from .fields import Record, errors_of
from .frame_numbers import slashed
from .poses import person_of_joints

JOINTS = FURTHER_JOINT_SETS['posetrack17']
"""Names of the joint ids in a file."""

_SKELETON = known_skeleton('posetrack', limbs='posetrack-ears')

_BOX_GROWTH = 1.3
_SEQUENCE_KINDS = {'mpii': 1, 'bonn': 2, 'mpiinew': 3}
_SEQUENCE = re.compile(r'([0-9]{1,6})_(mpii|bonn|mpiinew)(?:_.*)?')
"""Folder of a sequence's pictures; what follows, such as ``_step1`` or ``_test``, is not read."""


_REQUIRED: Any = object()


def is_posetrack17(data: Any) -> bool:
    """Tell whether parsed JSON is an annolist."""
    return isinstance(data, dict) and 'annolist' in data


def parse_posetrack17(path: PathLike, data: Any) -> VideoLabels:
    """Read the labels of one video from the parsed JSON of a PoseTrack17 annolist.

    Args:
        path: The label file. Its name without suffix is the video's name.
        data: Its parsed JSON.

    Returns:
        Labels with PoseTrack18's 17 joints and its ids; ``bbox`` is the extent of the labelled
        joints enlarged by 1.3, as in PoseTrack18. A joint without ``is_visible`` is visible.

    Raises:
        InputError: If the file is not as described.
    """
    record = Record(path, '', data)
    entries = record.records('annolist')
    pictures = [_read_picture(entry) for entry in entries]
    first_number = min([1, *(frame_id % POSETRACK_FRAMES for _, frame_id in pictures)])
    frames, persons = [], []
    for entry, picture in zip(entries, pictures, strict=True):
        frame = _read_frame(entry, *picture, first_number, len(entries))
        frames.append(frame)
        for i, rect in enumerate(entry.records('annorect', [])):
            # PoseTrack18's ids count the people of a frame in two digits.
            annotation_id = frame.extra['frame_id'] * 100 + i
            persons.append(_read_person(rect, frame.index, annotation_id))
    with errors_of(path):
        return VideoLabels(video_name(path), _SKELETON, (*frames,), (*persons,), record.extra())


def frame_id_of(file_name: str) -> int | None:
    """Make PoseTrack18's frame id of a picture from its number and the name of its folder.

    ``.../000342_mpii_test/000007.jpg`` has the id 10003420007. None for names of another kind.
    """
    path = PurePosixPath(slashed(file_name))
    sequence, numbers = _SEQUENCE.fullmatch(path.parent.name), re.findall(r'[0-9]+', path.stem)
    if sequence is None or not numbers or int(numbers[-1][-18:]) >= POSETRACK_FRAMES:
        return None
    video = _SEQUENCE_KINDS[sequence[2]] * 10**6 + int(sequence[1])
    return video * POSETRACK_FRAMES + int(numbers[-1][-18:])


def _read_picture(entry: Record) -> tuple[str, int]:
    """Read the name of a frame's picture, and its frame id."""
    images = entry.records('image')
    if len(images) != 1:
        raise entry.error('image', 'a list of one object')
    name = slashed(images[0].text('name'))
    frame_id = frame_id_of(name)
    if frame_id is None:
        raise images[0].error('name', 'a path such as images/bonn/000342_mpii/00000001.jpg')
    return name, frame_id


def _read_frame(
    entry: Record, name: str, frame_id: int, first_number: int, num_frames: int
) -> VideoFrame:
    regions = [_read_region(region) for region in entry.records('ignore_regions', [])]
    no_regions: dict[str, Any] = {'ignore_regions_x': [], 'ignore_regions_y': []}
    entry.raw('is_labeled', None)
    is_labeled = bool(entry.raw('annorect', []))
    sequence = PurePosixPath(name).parent.name.split('_')[0]
    ids = {'frame_id': frame_id, 'vid_id': sequence, 'nframes': num_frames}
    empty = no_regions if 'ignore_regions' in entry and not regions else {}
    extra = {**empty, **entry.extra(), 'has_no_densepose': True, **ids}
    index = frame_id % POSETRACK_FRAMES - first_number
    return VideoFrame(index, name, frame_id, None, None, is_labeled, tuple(regions), extra)


def _read_region(region: Record) -> PolygonRegion:
    points = [[_number(point, axis) for axis in 'xy'] for point in region.records('point')]
    return PolygonRegion(np.asarray(points, dtype=np.float64).reshape(-1, 2))


def _read_person(rect: Record, frame_index: int, annotation_id: int) -> PersonLabel:
    joints: dict[str, tuple[float, float, int]] = {}
    scores: dict[str, float] = {}
    lists = rect.records('annopoints', [])
    for point in [point for points in lists for point in points.records('point', [])]:
        joint, visible = _number(point, 'id'), _number(point, 'is_visible', 1.0)
        if joint not in range(len(JOINTS)):
            raise point.error('id', f'a joint id in 0..{len(JOINTS) - 1}')
        name = JOINTS[int(joint)]
        if name in joints:
            raise point.error('id', 'distinct among the points of a person')
        if visible not in (0, 1):
            raise point.error('is_visible', '0 or 1')
        joints[name] = _number(point, 'x'), _number(point, 'y'), VISIBLE if visible else OCCLUDED
        score = _number(point, 'score', None)
        if score is not None:
            scores[name] = score
    track_id = _number(rect, 'track_id', None)
    if track_id is not None and not track_id.is_integer():
        raise rect.error('track_id', 'a whole number')
    return PersonLabel(
        frame_index=frame_index,
        **person_of_joints(_SKELETON, joints),
        track_id=None if track_id is None else int(track_id),
        scores=np.array([scores.get(n, 0) for n in _SKELETON.keypoint_names]) if scores else None,
        bbox=_grown_extent([joint[:2] for joint in joints.values()]) if joints else None,
        head_box=_read_head_box(rect),
        extra={'id': annotation_id, **rect.extra()},
    )


def _read_head_box(rect: Record) -> np.ndarray | None:
    names = ('x1', 'y1', 'x2', 'y2')
    if all(_number(rect, name, None) is None for name in names):
        return None
    x1, y1, x2, y2 = (_number(rect, name) for name in names)
    if x2 < x1 or y2 < y1:
        axis = 'x' if x2 < x1 else 'y'
        raise rect.error(f'{axis}2', f'at least {axis}1')
    return np.asarray([x1, y1, x2 - x1, y2 - y1])


def _grown_extent(points: list[tuple[float, float]]) -> np.ndarray:
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    centre, reach = (low + high) / 2, _BOX_GROWTH * (high - low) / 2
    # This order of operations reproduces the rounding of the published PoseTrack18 files.
    return np.concatenate([centre - reach, (centre + reach) - (centre - reach)])


def _number(record: Record, name: str, default: Any = _REQUIRED) -> Any:
    """Get the single number in a field's list; the default if it is missing or empty."""
    if record.raw(name, None) in (None, []) and default is not _REQUIRED:
        return default
    return float(record.numbers(name, 1)[0])
