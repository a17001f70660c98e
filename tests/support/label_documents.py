"""A small, valid document of every label format that is JSON, to be damaged by tests of readers."""

from __future__ import annotations

from typing import Any

from .foreign_labels import (
    labelme,
    labelme_shape,
    mmpose,
    openpose,
    openpose_person,
    studio_region,
    studio_task,
)

CATEGORY = {'id': 1, 'name': 'person', 'keypoints': ['nose', 'neck'], 'skeleton': [[1, 2]]}
POSE = [1.5, 2, 1, 3, 4, 2]
BOXES = {'bbox': [1, 2, 3, 4], 'bbox_head': [1, 2, 3, 4], 'scores': [0.5, 0.25]}
COCO = {
    'images': [
        {'id': 1, 'file_name': 'a/0.jpg', 'frame_index': 0, 'width': 64, 'height': 48},
        {'id': 2, 'file_name': 'a/1.jpg', 'frame_index': 1, 'width': 64, 'height': 48},
    ],
    'annotations': [
        {'id': 1, 'image_id': 1, 'track_id': 0, 'category_id': 1, 'keypoints': POSE, **BOXES},
        {'id': 2, 'image_id': 1, 'track_id': 1, 'category_id': 1, 'keypoints': POSE},
    ],
    'categories': [CATEGORY],
}
POINTS = [{'id': [0], 'x': [5.5], 'y': [6], 'is_visible': [1]}, {'id': [14], 'x': [7], 'y': [8]}]
RECT = {'x1': [1], 'y1': [2], 'x2': [3], 'y2': [4], 'track_id': [0]}
ANNOLIST = {
    'annolist': [
        {
            'image': [{'name': 'images/bonn/000342_mpii/00000001.jpg'}],
            'ignore_regions': [{'point': [{'x': [1], 'y': [2]}, {'x': [3], 'y': [4]}]}],
            'annorect': [{**RECT, 'annopoints': [{'point': POINTS}]}],
        }
    ]
}
LABELME = labelme(
    'a_1.jpg',
    labelme_shape('nose', [[1, 2]], group_id=1),
    labelme_shape('hand', [[3, 4]], group_id=1),
    labelme_shape('person', [[0, 0], [5, 6]], group_id=1, shape_type='rectangle'),
)
STUDIO = [
    studio_task(
        '/data/upload/1/frame_3.jpg',
        studio_region('a', 'keypointlabels', 'nose', x=1, y=2, parentID='b'),
        studio_region('b', 'rectanglelabels', 'person', x=1, y=2, width=3, height=4),
        studio_region('c', 'keypointlabels', 'hand', x=1, y=2, parentID='b'),
    )
]
RESULT = {'category_id': 1, 'keypoints': [1, 2, 0.5, 3, 4, 0.25], 'score': 0.5}
DOCUMENTS: dict[str, Any] = {
    'posetrack18': COCO,
    'coco': COCO,
    'posetrack17': ANNOLIST,
    'labelme': LABELME,
    'label-studio': STUDIO,
    'openpose': openpose(openpose_person(10, 20, 0.5, 30, 40, 0.25)),
    'mmpose': mmpose([[1, 2], [3, 4]], [0.5, 0.25]),
    'coco-results': [{'image_id': 1, **RESULT}, {'image_id': 2, **RESULT}],
    'mediapipe': [
        {'frame': n, 'landmarks': [{'x': 10, 'y': 20}, {'x': 30, 'y': 40}]} for n in (0, 1)
    ],
}
