"""Label files as other tools write them, small and made by hand after their source code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def write_json(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def write_picture(path: Path, width: int = 64, height: int = 48) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
    return path


def labelme_shape(label: str, points: list[list[float]], **fields: Any) -> dict[str, Any]:
    """Return a shape as LabelMe 5 writes it."""
    return {
        'label': label,
        'points': points,
        'group_id': None,
        'description': '',
        'shape_type': 'point',
        'flags': {},
        'mask': None,
        **fields,
    }


def labelme(picture: str, *shapes: dict[str, Any]) -> dict[str, Any]:
    """Return a file of LabelMe 5; versions before 5.3 have no description and mask."""
    return {
        'version': '5.4.1',
        'flags': {},
        'shapes': list(shapes),
        'imagePath': picture,
        'imageData': 'iVBORw0KGgo=',
        'imageHeight': 48,
        'imageWidth': 64,
    }


def studio_region(region_id: str, kind: str, label: str, **fields: Any) -> dict[str, Any]:
    """Return a region of Label Studio; x, y, width and height are per cent of 640x480."""
    size = ('x', 'y', 'width', 'height')
    value = {name: fields.pop(name) for name in size if name in fields}
    return {
        'original_width': 640,
        'original_height': 480,
        'image_rotation': 0,
        'value': {**value, kind: [label]},
        'id': region_id,
        'from_name': 'kp',
        'to_name': 'image',
        'type': kind,
        'origin': 'manual',
        **fields,
    }


def studio_task(image: str, *regions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a task of Label Studio's JSON export."""
    return {
        'id': 7,
        'annotations': [
            {
                'id': 11,
                'completed_by': 1,
                'result': list(regions),
                'was_cancelled': False,
                'ground_truth': False,
                'created_at': '2024-03-01T10:00:00.000000Z',
                'lead_time': 12.3,
                'result_count': len(regions),
            }
        ],
        'file_upload': 'ab12cd34-frame_0003.jpg',
        'predictions': [],
        'data': {'image': image},
        'meta': {},
        'inner_id': 1,
        'total_annotations': 1,
        **fields,
    }


def openpose_person(*joints: float, person_id: int = -1) -> dict[str, Any]:
    """Return a person of OpenPose 1.7 without face and hands."""
    others = ('face', 'hand_left', 'hand_right')
    return {
        'person_id': [person_id],
        'pose_keypoints_2d': list(joints),
        **{f'{part}_keypoints_2d': [] for part in others},
        'pose_keypoints_3d': [],
        **{f'{part}_keypoints_3d': [] for part in others},
    }


def openpose(*people: dict[str, Any]) -> dict[str, Any]:
    return {'version': 1.3, 'people': list(people)}


def mmpose_instance(points: list[list[float]], scores: list[float]) -> dict[str, Any]:
    """Return a person of ``mmpose.structures.split_instances``: its box is a nested list."""
    return {
        'keypoints': points,
        'keypoint_scores': scores,
        'bbox': [[1.0, 2.0, 31.0, 42.5]],
        'bbox_score': 0.75,
    }


MMPOSE_META = {
    'dataset_name': 'tiny',
    'num_keypoints': 2,
    'keypoint_id2name': {'0': 'nose', '1': 'neck'},
    'keypoint_name2id': {'nose': 0, 'neck': 1},
    'keypoint_colors': {
        '__ndarray__': [[51, 153, 255], [51, 153, 255]],
        'dtype': 'uint8',
        'shape': [2, 3],
        'Corder': True,
    },
    'skeleton_links': [[0, 1]],
    'sigmas': {'__ndarray__': [0.026, 0.025], 'dtype': 'float32', 'shape': [2]},
}


def mmpose(points: list[list[float]], scores: list[float]) -> dict[str, Any]:
    """Return a file of MMPose's demo with one person in the first of two frames."""
    people = [mmpose_instance(points, scores)]
    frames = [{'frame_id': i, 'instances': found} for i, found in ((1, people), (2, []))]
    return {'meta_info': MMPOSE_META, 'instance_info': frames}
