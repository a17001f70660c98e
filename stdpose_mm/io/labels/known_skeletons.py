"""Skeletons for files that do not name their joints, and for videos without labels."""

from __future__ import annotations

from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike
from stdpose_mm.io.limits import MAX_JOINTS
from stdpose_mm.structures import POSETRACK_SKELETON, Skeleton
from stdpose_mm.structures.joint_sets import JOINT_SETS, known_skeleton

COCO_17 = known_skeleton('coco')
HALPE_26 = known_skeleton('halpe26')
"""The joints of Halpe without face and hands, in the order of MMPose, AlphaPose and Pose2Sim."""
OPENPOSE_BODY_25 = known_skeleton('openpose-body-25')
"""The joints of OpenPose's model BODY_25, its default."""
OPENPOSE_COCO_18 = known_skeleton('openpose-coco')
"""The joints of OpenPose's model COCO: COCO's joints in another order, and the neck."""
HAND_21 = known_skeleton('hand-21', category='hand')
"""The joints of a hand in the order of COCO-WholeBody: wrist, then each finger up to its tip."""
BLAZEPOSE_33 = Skeleton(JOINT_SETS['blazepose'][:33])
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
