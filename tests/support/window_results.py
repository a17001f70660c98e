"""Samples of windows as a dataset gives them to its pipeline, their pictures included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def window_results(
    pictures: Sequence[np.ndarray], poses: np.ndarray, box: Sequence[float], **changes: Any
) -> dict[str, Any]:
    """Make the sample of a window whose outermost labels are given.

    Args:
        pictures: Its F pictures.
        poses: [F, K, 2] pixels of all joints.
        box: x1, y1, x2, y2 of the person in the key frame.
        **changes: Other fields, or other values of them.
    """
    num_frames, num_joints = poses.shape[:2]
    key = num_frames // 2
    poses = poses.astype(np.float32)
    return {
        'img': list(pictures),
        'frames': [(f'{n}.jpg', None) for n in range(num_frames)],
        'bbox': np.array([box], np.float32),
        'bbox_score': np.ones(1, np.float32),
        'keypoints': poses[key : key + 1],
        'keypoints_visible': np.ones((1, num_joints), np.float32),
        'aux_keypoints': np.delete(poses, key, axis=0),
        'aux_keypoints_visible': np.ones((num_frames - 1, num_joints), np.float32),
        'aux_given': np.array([True, True]),
        'window_position': 0.5,
        'video_name': 'clip',
        'frame_index': key,
        'frame_indices': tuple(range(num_frames)),
        'track_id': 0,
        'id': 0,
        'img_id': 0,
        'img_path': '',
        'category_id': 1,
        'flip_indices': list(range(num_joints)),
        'dataset_keypoint_weights': np.ones(num_joints, np.float32),
        **changes,
    }
