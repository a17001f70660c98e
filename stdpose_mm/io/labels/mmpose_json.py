"""Poses as saved by MMPose's inferencer and by its demo for top-down models.

Read and written with the standard library: MMPose itself only writes these files. Verified with
MMPose 1.3.2:

- ``MMPoseInferencer(pred_out_dir=...)`` on a video: a list of ``{"frame_id": .., "instances":
  ..}``, with frames counted from 0;
- the same on pictures: one file per picture, a list of instances;
- ``topdown_demo_with_mmdet.py --save-predictions``: ``{"meta_info": .., "instance_info": ..}``,
  with the joints' names in ``meta_info`` and frames counted from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike, write_json
from stdpose_mm.io.disk.file_names import file_stem, video_name
from stdpose_mm.io.limits import MAX_FRAME_INDEX, MAX_JOINTS
from stdpose_mm.structures import PersonLabel, Skeleton, VideoLabels

from .coco import plain
from .fields import Record, errors_of, fields_of
from .known_skeletons import HALPE_FAMILY, unnamed_skeleton
from .labelled_pictures import LabelledPicture, videos_of_pictures
from .poses import Person, estimated_person, joint_scores, video_of_frames


def is_mmpose(data: Any) -> bool:
    """Tell whether parsed JSON holds poses saved by MMPose."""
    if isinstance(data, dict):
        return 'instance_info' in data
    return bool({'instances', 'keypoint_scores'} & fields_of(data))


def parse_mmpose(path: PathLike, files: Iterable[tuple[Path, Any]]) -> list[VideoLabels]:
    """Read poses that MMPose saved; all joints are 'propagated', as estimates of a network.

    Args:
        path: The file of a video or of a picture, or a folder of files of pictures.
        files: Each file and its parsed JSON.

    Returns:
        One video. Frames are ``frame_id``, or the numbers in the names of the files.

    Raises:
        InputError: If a file is not as described, or people have different numbers of joints.
    """
    contents = list(files)
    data = contents[0][1]
    listed = {file: _listed(file, content) for file, content in contents}
    frames = listed[contents[0][0]]
    if len(contents) == 1 and frames and 'instances' in frames[0]:
        return [_read_video(path, data, frames)]
    skeleton = _skeleton(path, data, [instance for group in listed.values() for instance in group])
    pictures = [
        LabelledPicture(
            file_stem(file), [_person(instance, skeleton) for instance in group], where=str(file)
        )
        for file, group in listed.items()
    ]
    return videos_of_pictures(path, pictures, skeleton)


def _listed(path: PathLike, data: Any) -> list[Record]:
    """List the frames in the file of a video, or the instances in the file of a picture."""
    whole = data if isinstance(data, dict) else {'instance_info': data}
    return Record(path, '', whole).records('instance_info')


def _read_video(path: PathLike, data: Any, frames: Sequence[Record]) -> VideoLabels:
    instances = [frame.records('instances') for frame in frames]
    skeleton = _skeleton(path, data, [instance for group in instances for instance in group])
    # The demo counts from 1, the inferencer from 0.
    is_demo = isinstance(data, dict)
    ids = [frame.integer('frame_id', low=0, high=MAX_FRAME_INDEX + is_demo) for frame in frames]
    first = 1 if is_demo and 0 not in ids else 0
    people = [[_person(instance, skeleton) for instance in group] for group in instances]
    indices = [frame_id - first for frame_id in ids]
    return video_of_frames(path, video_name(path), skeleton, zip(indices, people, strict=True))


def _skeleton(path: PathLike, data: Any, instances: Sequence[Record]) -> Skeleton:
    if isinstance(data, dict) and data.get('meta_info') is not None:
        return _named_skeleton(Record(path, '', data).record('meta_info'))
    if not instances:
        raise InputError(f'{path} holds no people, expected poses')
    count = len(instances[0].number_lists('keypoints', 2, lacking=True))
    remedy = 'files of topdown_demo_with_mmdet.py name them'
    return unnamed_skeleton(path, count, remedy, HALPE_FAMILY)


def _named_skeleton(meta: Record) -> Skeleton:
    by_id = meta.record('keypoint_id2name')
    count = meta.integer('num_keypoints', low=1, high=MAX_JOINTS)
    names = [by_id.text(str(i)) for i in range(count)]
    links = meta.number_lists('skeleton_links', 2)
    with errors_of(f'{meta.file}: {meta.where}'):
        return Skeleton(tuple(names), tuple((int(a), int(b)) for a, b in links))


def _person(instance: Record, skeleton: Skeleton) -> Person:
    count = skeleton.num_keypoints
    points = instance.number_lists('keypoints', 2, lacking=True)
    if len(points) != count:
        raise instance.error('keypoints', f'a list of {count} points')
    scores = instance.numbers('keypoint_scores', count, lacking=True)
    fields = {'identity': instance.identity('track_id'), 'bbox': _box(instance)}
    return estimated_person(np.stack(points), scores, **fields)


def _box(instance: Record) -> np.ndarray | None:
    """Read a box from corners x1, y1, x2, y2, which MMPose may wrap in another list."""
    value = instance.raw('bbox', None)
    if value is None:
        return None
    nested = isinstance(value, list) and len(value) == 1
    corners = instance.number_lists('bbox', 4)[0] if nested else instance.numbers('bbox', 4)
    if (corners[2:] < corners[:2]).any():
        raise instance.error('bbox', 'corners x1, y1, x2, y2 with x1 <= x2 and y1 <= y2')
    return np.concatenate([corners[:2], corners[2:] - corners[:2]])


def write_mmpose(labels: VideoLabels, path: PathLike) -> None:
    """Write poses in the form of MMPose's demo for top-down models, atomically.

    Besides MMPose's fields, people have ``track_id``. Unlabelled joints get the score 0, joints
    without a score 1. The score of a box is its detector's (``bbox_score`` in
    ``PersonLabel.extra``), else the mean of the joints' scores. Sources, occlusion, head boxes and
    people without a labelled joint are not written.

    Args:
        labels: The labels.
        path: Where to write; gzipped if it ends in ``.gz``.
    """
    names = labels.skeleton.keypoint_names
    meta = {
        'dataset_name': labels.name,
        'num_keypoints': len(names),
        'keypoint_id2name': dict(enumerate(names)),
        'keypoint_name2id': {name: i for i, name in enumerate(names)},
        'skeleton_links': [list(limb) for limb in labels.skeleton.limbs],
    }
    info = []
    for index in sorted(labels):
        people = [_instance(person) for person in labels[index] if person.has_joint]
        info.append({'frame_id': index + 1, 'instances': people})
    write_json(path, {'meta_info': meta, 'instance_info': info})


def _instance(person: PersonLabel) -> dict[str, Any]:
    scores = joint_scores(person)
    places = person.keypoints.tolist()
    fields: dict[str, Any] = {'keypoints': places, 'keypoint_scores': scores.tolist()}
    if person.bbox is not None:
        x, y, width, height = plain(person.bbox)
        fields['bbox'] = [[x, y, x + width, y + height]]
        detected = person.extra.get('bbox_score')
        is_known = isinstance(detected, (int, float))
        fields['bbox_score'] = detected if is_known else float(scores[person.labelled].mean())
    if person.track_id is not None:
        fields['track_id'] = person.track_id
    return fields
