"""What a network sees of a gap: the boxes of its frames, windows, and the labels given to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stdpose_mm.structures import Window, person_box, propagation_window
from stdpose_mm.structures.interpolated_pose import interpolated_pose
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.structures.slices import equal_slices

from .gaps import Gap

MIRROR_REACH = 15
"""Largest distance in frames from the key frame to an auxiliary frame that carries no label: the
largest one in training."""

MAX_KEYS = 64
"""Frames of a gap that are estimated together; a longer gap comes in chunks."""


def gap_parts(gap: Gap, max_keys: int) -> list[tuple[Gap, range]]:
    """Divide the frames of a gap into parts of at most ``max_keys``, of nearly equal length."""
    return [(gap, gap.frames[keys]) for keys in equal_slices(len(gap.frames), max_keys)]


def gap_window(key: int, gap: Gap, keys: Sequence[int]) -> Window:
    """Choose the window of a key frame: the labels at both ends of its gap are auxiliary frames.

    Beyond the first or last label of a track, the other auxiliary frame carries no label and lies
    at the same distance on the other side, up to ``MIRROR_REACH`` frames, among ``keys``.

    Args:
        key: The key frame.
        gap: Its gap.
        keys: The frames of the gap that are estimated together.
    """
    first = keys[0] if gap.left is None else gap.first
    last = keys[-1] if gap.right is None else gap.last
    window = propagation_window(key, gap.given, first, last)
    if not window.left_given:
        return replace(window, left=max(window.left, key - MIRROR_REACH))
    if not window.right_given:
        return replace(window, right=min(window.right, key + MIRROR_REACH))
    return window


def boxes_with_ends(gap: Gap, keys: Sequence[int]) -> dict[int, np.ndarray]:
    """Return the person boxes [4] in frames of a gap and at its labels, frames ascending.

    A label without a joint and without a box, such as one of the head's box alone, has that of the
    nearest frame of the gap.
    """
    boxes = {key: gap.bbox_of(key) for key in keys}
    for label, nearest in ((gap.left, gap.bboxes[0]), (gap.right, gap.bboxes[-1])):
        if label is not None:
            boxes[label.frame_index] = person_box(label) if label.has_joint_or_box else nearest
    return {frame: boxes[frame] for frame in sorted(boxes)}


def poses_at_ends(gap: Gap, mapping: JointMapping) -> tuple[np.ndarray, np.ndarray]:
    """Order the labels at both ends of a gap as the joints of a model.

    Args:
        gap: The gap.
        mapping: The joints of its labels among the K of the model.

    Returns:
        Poses [2, K, 2] in pixels, and bool [2, K]: which joints each label has. Both are empty
        where there is no label.
    """
    poses = np.zeros((2, mapping.num_model, 2))
    shown = np.zeros((2, mapping.num_model), dtype=bool)
    for side, label in enumerate((gap.left, gap.right)):
        if label is not None:
            poses[side] = mapping.to_model(label.keypoints)
            shown[side] = mapping.to_model(label.labelled)
    return poses, shown


def labels_of_window(
    poses: np.ndarray, shown: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose what of the labels at the ends of a gap is given to a window.

    Args:
        poses: Poses at both ends, see :func:`poses_at_ends`.
        shown: Which joints they have.
        window: A window of the gap.

    Returns:
        The mask [2, K] of joints that the left and right frame give; the pose [K, 2] interpolated
        to the key frame, and the joints [K] that it has.
    """
    mask = shown & np.array(window.given)[:, None]
    return (mask, *interpolated_pose(poses, mask, window.position))
