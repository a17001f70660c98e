"""Skeletons for files that do not name their joints, and for videos without labels."""

from __future__ import annotations

from itertools import pairwise

from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike
from stdpose_mm.io.limits import MAX_JOINTS
from stdpose_mm.structures import POSETRACK_SKELETON, Skeleton


def _sides(*joints: str) -> tuple[str, ...]:
    return tuple(f'{side}_{joint}' for joint in joints for side in ('left', 'right'))


def _limbs(paths: str) -> tuple[tuple[int, int], ...]:
    """Read limbs from paths along joints, such as ``0-1-3 1-2``."""
    return tuple((int(a), int(b)) for path in paths.split() for a, b in pairwise(path.split('-')))


def _of(side: str, *joints: str) -> tuple[str, ...]:
    return tuple(f'{side}_{joint}' for joint in joints)


_ARM, _LEG = ('shoulder', 'elbow', 'wrist'), ('hip', 'knee', 'ankle')
_FOOT = ('big_toe', 'small_toe', 'heel')

COCO_17 = Skeleton(
    ('nose', *_sides('eye', 'ear', *_ARM, *_LEG)),
    _limbs('15-13-11 16-14-12 11-12 5-11 6-12 5-6 5-7 6-8 7-9 8-10 1-2 0-1 0-2 1-3 2-4 3-5 4-6'),
)

HALPE_26 = Skeleton(
    (*COCO_17.keypoint_names, 'head', 'neck', 'hip', *_sides(*_FOOT)),
    _limbs(
        '15-13-11-19 16-14-12-19 17-18-19 18-5-7-9 18-6-8-10 1-2 0-1 0-2 1-3 2-4 3-5 4-6 '
        '15-20 15-22 15-24 16-21 16-23 16-25'
    ),
)
"""The joints of Halpe without face and hands, in the order of MMPose, AlphaPose and Pose2Sim."""

_UPPER_BODY = ('nose', 'neck', *_of('right', *_ARM), *_of('left', *_ARM))
_LEGS = (*_of('right', *_LEG), *_of('left', *_LEG))
_EYE, _MOUTH = ('eye_inner', 'eye', 'eye_outer'), ('mouth_left', 'mouth_right')
_FACE = ('right_eye', 'left_eye', 'right_ear', 'left_ear')
_FEET = (*_of('left', *_FOOT), *_of('right', *_FOOT))

OPENPOSE_BODY_25 = Skeleton(
    (*_UPPER_BODY, 'mid_hip', *_LEGS, *_FACE, *_FEET),
    _limbs(
        '0-1-2-3-4 1-5-6-7 1-8-9-10-11 8-12-13-14 0-15-17 0-16-18 14-19-20 14-21 11-22-23 11-24'
    ),
)
"""The joints of OpenPose's model BODY_25, its default."""

OPENPOSE_COCO_18 = Skeleton(
    (*_UPPER_BODY, *_LEGS, *_FACE),
    _limbs('0-1-2-3-4 1-5-6-7 1-8-9-10 1-11-12-13 0-14-16 0-15-17'),
)
"""The joints of OpenPose's model COCO: COCO's joints in another order, and the neck."""

_FINGERS = ('thumb', 'index', 'middle', 'ring', 'pinky')

HAND_21 = Skeleton(
    keypoint_names=('wrist', *(f'{finger}_{n}' for finger in _FINGERS for n in range(1, 5))),
    limbs=tuple((0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21)),
    category='hand',
)
"""The joints of a hand in the order of COCO-WholeBody: wrist, then each finger up to its tip."""

_HEAD = ('nose', *_of('left', *_EYE), *_of('right', *_EYE), *_sides('ear'), *_MOUTH)
BLAZEPOSE_33 = Skeleton(
    (*_HEAD, *_sides(*_ARM, 'pinky', 'index', 'thumb', *_LEG, 'heel', 'foot_index'))
)
"""The landmarks of MediaPipe's body."""

KNOWN_SKELETONS = {
    'coco': COCO_17,
    'posetrack': POSETRACK_SKELETON,
    'halpe-26': HALPE_26,
    'hand': HAND_21,
    'openpose-body-25': OPENPOSE_BODY_25,
    'openpose-coco': OPENPOSE_COCO_18,
}
"""Name -> skeleton, for videos without labels."""


def with_limbs(skeleton: Skeleton) -> Skeleton:
    """Return the well-known skeleton with the same joints, if this one has no limbs."""
    joints = {known.keypoint_names: known for known in KNOWN_SKELETONS.values()}
    return skeleton if skeleton.limbs else joints.get(skeleton.keypoint_names, skeleton)


CONVERT_FIRST = 'if that is wrong, convert it and correct the names in the result'
"""How to give names to the joints of a file of estimates."""

COCO_FAMILY = {'COCO': COCO_17}
HALPE_FAMILY = {**COCO_FAMILY, 'Halpe (AlphaPose, MMPose, Pose2Sim)': HALPE_26}
MEDIAPIPE_FAMILY = {"MediaPipe's body": BLAZEPOSE_33, "MediaPipe's hand": HAND_21}
OPENPOSE_FAMILY = {
    "OpenPose's model BODY_25": OPENPOSE_BODY_25,
    "OpenPose's model COCO": OPENPOSE_COCO_18,
    **HALPE_FAMILY,
}


def unnamed_skeleton(
    path: PathLike, count: int, remedy: str, family: dict[str, Skeleton] = COCO_FAMILY
) -> Skeleton:
    """Choose the skeleton of a file without joint names by the number of joints, with a warning.

    Args:
        path: The file, for messages.
        count: Number of joints in the file.
        remedy: End of the warning: how to give names.
        family: Skeletons that the tool may have written; if none has ``count`` joints, the joints
            are named ``joint_0`` and so on.

    Raises:
        InputError: If ``count`` exceeds ``MAX_JOINTS``.
    """
    if not 1 <= count <= MAX_JOINTS:
        raise InputError(f'{path} has {count} keypoints per person, expected 1..{MAX_JOINTS}')
    order = f'as joint_0 to joint_{count - 1}'
    skeleton = Skeleton(tuple(f'joint_{i}' for i in range(count)))
    for name, candidate in family.items():
        if candidate.num_keypoints == count:
            order, skeleton = f'in the order of {name}', candidate
    note(f'{path} does not name its {count} keypoints, they are read {order}; {remedy}')
    return skeleton
