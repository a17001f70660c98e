"""A tiny PoseTrack18-style set: two videos of ten frames, two people, written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

NUM_FRAMES, WIDTH, HEIGHT = 10, 160, 120
SKELETON_NAMES = [
    'nose', 'head_bottom', 'head_top', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip',
    'left_knee', 'right_knee', 'left_ankle', 'right_ankle',
]  # fmt: skip


def pose(frame: int, person: int) -> np.ndarray:
    """Return a pose [17, 2] in whole pixels that moves by (2, 1) per frame; all joints differ."""
    joints = np.arange(17)
    return np.stack(
        [20 + 70 * person + 2 * frame + 2 * joints, 20 + frame + 4 * joints], axis=1
    ).astype(float)


def annotation(image_id: int, number: int, frame: int, person: int) -> dict[str, Any]:
    flags = np.full(17, 2)
    flags[3:5] = 0
    keypoints = np.concatenate([pose(frame, person), flags[:, None]], axis=1)
    keypoints[flags == 0] = 0
    low, high = pose(frame, person).min(0), pose(frame, person).max(0)
    return {
        'id': number,
        'image_id': image_id,
        'category_id': 1,
        'track_id': person,
        'keypoints': keypoints.ravel().tolist(),
        'bbox': [*(low - 5).tolist(), *(high - low + 10).tolist()],
    }


def video_json(name: str, number: int) -> dict[str, Any]:
    images = [
        {
            'id': number * 1000 + frame,
            'file_name': f'images/{name}/{frame:06d}.jpg',
            'width': WIDTH,
            'height': HEIGHT,
            'is_labeled': True,
        }
        for frame in range(NUM_FRAMES)
    ]
    annotations = [
        annotation(number * 1000 + frame, 2 * frame + person, frame, person)
        for frame in range(NUM_FRAMES)
        for person in range(2)
    ]
    categories = [{'id': 1, 'name': 'person', 'keypoints': SKELETON_NAMES, 'skeleton': []}]
    return {'images': images, 'annotations': annotations, 'categories': categories}


class TinySet:
    """Hold the set on disk, and its label files, which tests may change."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def args(self) -> dict[str, Any]:
        return {'data_root': str(self.root), 'ann_file': 'annotations'}

    def label_file(self, video: str = 'a') -> Path:
        return self.root / 'annotations' / f'{video}.json'

    def picture(self, frame: int, video: str = 'a') -> Path:
        return self.root / 'images' / video / f'{frame:06d}.jpg'

    def change(self, edit: Any, video: str = 'a') -> None:
        data = json.loads(self.label_file(video).read_text())
        edit(data)
        self.label_file(video).write_text(json.dumps(data))
