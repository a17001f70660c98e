"""Joints and limbs of well-known data sets and programs, from ``joint_sets.yaml``."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from .joint_mapping import JointMapping
from .skeleton import Skeleton

_TABLES: dict[str, Any] = yaml.load(
    Path(__file__).with_suffix('.yaml').read_text(encoding='utf-8'),
    # PyYAML may have been built without its much faster loader in C.
    Loader=getattr(yaml, 'CSafeLoader', yaml.SafeLoader),
)

JOINT_SETS: dict[str, tuple[str, ...]] = {n: tuple(j) for n, j in _TABLES['joints'].items()}
"""The joints of well-known data sets, in the order of the networks that are trained on them."""

FURTHER_JOINT_SETS: dict[str, tuple[str, ...]] = {
    name: tuple(joints) for name, joints in _TABLES['further_joints'].items()
}
"""The joints of files of poses that no known network has."""


def known_skeleton(joints: str, limbs: str = '', category: str = 'person') -> Skeleton:
    """Make a skeleton of a joint set.

    Args:
        joints: Name of the joints.
        limbs: Name of the limbs, by default that of the joints; there may be none.
        category: What the subject is.
    """
    paths = _TABLES['limbs'].get(limbs or joints, '').split()
    pairs = [pair for path in paths for pair in pairwise(map(int, path.split('-')))]
    return Skeleton({**JOINT_SETS, **FURTHER_JOINT_SETS}[joints], tuple(pairs), category)


POSETRACK_SKELETON = known_skeleton('posetrack')
"""PoseTrack's 17 joints; the ears are never annotated."""

_BODY = known_skeleton('posetrack17')
"""The joints of people that PoseTrack annotates."""

_LEAST_OF_BODY = 7
"""Number of these joints that labels of people must have; the upper body has seven."""

_LIMB_ENDS = ('left_wrist', 'right_wrist', 'left_ankle', 'right_ankle')
"""Joints of people. Labels of animals with paws, such as AP-10K's, do not have them."""


def is_of_people(skeleton: Skeleton) -> bool:
    """Tell whether joints are named like those of a person, whatever their category.

    At least seven of PoseTrack's joints must be among them, a wrist or an ankle included; names of
    other data sets for the same joints count (:meth:`.JointMapping.by_meaning`).
    """
    mapping = JointMapping.by_meaning(skeleton, _BODY)
    if mapping is None or len(mapping.shared) < _LEAST_OF_BODY:
        return False
    return any(_BODY.keypoint_names[joint] in _LIMB_ENDS for joint in mapping.in_model)
