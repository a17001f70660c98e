"""The joints of well-known data sets, in the order of the networks that are trained on them."""

from __future__ import annotations

from stdpose_mm.io.labels.known_skeletons import COCO_17
from stdpose_mm.structures import POSETRACK_SKELETON

_COCO = COCO_17.keypoint_names

_SIDES = ('left', 'right')

_FEET = tuple(f'{side}_{part}' for side in _SIDES for part in ('big_toe', 'small_toe', 'heel'))
_FINGERS = tuple(
    f'{finger}{number}'
    for finger in ('thumb', 'forefinger', 'middle_finger', 'ring_finger', 'pinky_finger')
    for number in range(1, 5)
)

JOINT_SETS: dict[str, tuple[str, ...]] = {
    'coco': _COCO,
    'posetrack': POSETRACK_SKELETON.keypoint_names,
    'mpii': (
        *('right_ankle', 'right_knee', 'right_hip', 'left_hip', 'left_knee', 'left_ankle'),
        *('pelvis', 'thorax', 'upper_neck', 'head_top'),
        *('right_wrist', 'right_elbow', 'right_shoulder'),
        *('left_shoulder', 'left_elbow', 'left_wrist'),
    ),
    'halpe26': (
        *(*_COCO, 'head', 'neck', 'hip'),
        *('left_big_toe', 'right_big_toe', 'left_small_toe', 'right_small_toe'),
        *('left_heel', 'right_heel'),
    ),
    'wholebody': (
        *(*_COCO, *_FEET, *(f'face-{number}' for number in range(68))),
        *(f'{side}_{joint}' for side in _SIDES for joint in ('hand_root', *_FINGERS)),
    ),
    'hand': ('wrist', *_FINGERS),
    'ap10k': (
        *('L_Eye', 'R_Eye', 'Nose', 'Neck', 'Root of tail'),
        *('L_Shoulder', 'L_Elbow', 'L_F_Paw', 'R_Shoulder', 'R_Elbow', 'R_F_Paw'),
        *('L_Hip', 'L_Knee', 'L_B_Paw', 'R_Hip', 'R_Knee', 'R_B_Paw'),
    ),
    'efficientpose': (
        *('head_top', 'upper_neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'thorax'),
        *('left_shoulder', 'left_elbow', 'left_wrist', 'pelvis', 'right_hip', 'right_knee'),
        *('right_ankle', 'left_hip', 'left_knee', 'left_ankle'),
    ),
    'blazepose': (
        'nose',
        *(f'{side}_eye{end}' for side in _SIDES for end in ('_inner', '', '_outer')),
        *(f'{side}_ear' for side in _SIDES),
        *('mouth_left', 'mouth_right'),
        *(
            f'{side}_{joint}'
            for joint in (
                *('shoulder', 'elbow', 'wrist', 'pinky', 'index', 'thumb'),
                *('hip', 'knee', 'ankle', 'heel', 'foot_index'),
            )
            for side in _SIDES
        ),
        # Points for MediaPipe's own use: no joints of anybody's labels.
        *(f'auxiliary-{number}' for number in range(6)),
    ),
}
