"""Placing a labelled pose elsewhere, moved, turned and scaled by joints or a box and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import PersonLabel, pose_extent

MAX_EXAMPLES, MAX_COMPARED = 30, 5
"""Maximum numbers of labelled poses whose surroundings are compared, the nearest in time, and of
the most similar ones from which each joint is searched."""

SIDE, TURNS = 96, 24
"""Side of the patch of a pose, which shows twice its extent, in pixels, and number of turns that
are tried where nothing says how the pose is turned."""

JOINT_HALF, SEARCH, COST_OF_PIXEL, WEIGHT_OF_POSE = 4, 6, 0.01, 0.5
"""Half the side of the surroundings of a joint, how far it is searched, in pixels of the patch, and
what a squared pixel of distance and the similarity of the whole pose count beside the correlation
of its surroundings."""


class _Match(NamedTuple):
    """A labelled pose at a place in another frame.

    Args:
        similarity: Correlation of both patches.
        label: The labelled pose.
        to_patch: [2, 3] transform from its picture to its patch.
        patches: The patches of its picture and of the other one.
        to_frame: [2, 3] transform from the patch to the other picture.
    """

    similarity: float
    label: PersonLabel
    to_patch: np.ndarray
    patches: tuple[np.ndarray, np.ndarray]
    to_frame: np.ndarray


def place_pose(
    frames: FrameSource,
    labels: Sequence[PersonLabel],
    frame_index: int,
    anchors: Mapping[int, np.ndarray],
    box: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Place the labelled pose that looks most like the subject in a frame.

    Two anchors say where the pose is, how it is turned and how large it is. With one, or a box
    alone, the turn is searched. Then each joint is searched near its place by its surroundings in
    the pictures of the labels.

    Args:
        frames: The video.
        labels: Labelled poses, of anyone.
        frame_index: The frame.
        anchors: Joint -> its position [2] in the frame, in pixels.
        box: [x, y, w, h] around the pose, in pixels, if there is no anchor.

    Returns:
        Positions [K, 2] of the joints in pixels, and [K] which of them have one. None has if no
        label has all anchors and two joints.
    """
    joints = [*anchors]
    examples = [
        label for label in labels if label.labelled[joints].all() and label.labelled.sum() > 1
    ]
    examples.sort(key=lambda label: abs(label.frame_index - frame_index))
    picture = _grey(frames[frame_index])
    matches = []
    for label in examples[:MAX_EXAMPLES]:
        extent = pose_extent(label.keypoints, label.labelled)
        scale = SIDE / (2 * max(1.0, *extent[2:]))
        to_patch = _similarity(scale, 0.0, extent[:2] + extent[2:] / 2, np.full(2, SIDE / 2))
        patch = _warp(_grey(frames[label.frame_index]), to_patch)
        for transform in _transforms(label, anchors, box):
            to_frame = _compose(transform, cv2.invertAffineTransform(to_patch))
            other = _warp(picture, cv2.invertAffineTransform(to_frame))
            similarity = float(cv2.matchTemplate(other, patch, cv2.TM_CCOEFF_NORMED)[0, 0])
            matches.append(_Match(similarity, label, to_patch, (patch, other), to_frame))
    matches.sort(key=lambda match: -match.similarity)
    best = matches[:MAX_COMPARED]
    number = len(labels[0].visibility) if labels else 0
    points, has_place = np.zeros((number, 2)), np.zeros(number, bool)
    for joint in range(number):
        candidates = [_find_joint(match, joint) for match in best if match.label.labelled[joint]]
        if candidates:
            points[joint], has_place[joint] = max(candidates, key=lambda scored: scored[0])[1], True
    for joint, point in anchors.items():
        points[joint] = point
    return points, has_place


def _transforms(
    label: PersonLabel, anchors: Mapping[int, np.ndarray], box: np.ndarray | None
) -> list[np.ndarray]:
    """List the transforms [2, 3] from the picture of a label that anchors or a box allow."""
    joints, targets = [*anchors], np.array([*anchors.values()])
    if len(joints) > 1:
        fitted, _ = cv2.estimateAffinePartial2D(label.keypoints[joints], targets, method=cv2.LMEDS)
        return [] if fitted is None else [fitted]
    transforms = []
    for turn in np.arange(TURNS) * (2 * np.pi / TURNS):
        if joints:
            transforms.append(_similarity(1.0, turn, label.keypoints[joints[0]], targets[0]))
        elif box is not None:
            turned = _apply(_similarity(1.0, turn, np.zeros(2), np.zeros(2)), label.keypoints)
            extent = pose_extent(turned, label.labelled)
            scale = np.sqrt(box[2:].prod() / np.maximum(extent[2:], 1).prod())
            centre = extent[:2] + extent[2:] / 2
            move = _similarity(scale, 0.0, centre, box[:2] + box[2:] / 2)
            transforms.append(_compose(move, _similarity(1.0, turn, np.zeros(2), np.zeros(2))))
    return transforms


def _find_joint(match: _Match, joint: int) -> tuple[float, np.ndarray]:
    """Find a joint of a placed pose by its surroundings; return its score and position [2]."""
    x, y = _apply(match.to_patch, match.label.keypoints[joint]).tolist()
    example, other = match.patches
    side, reach = 2 * JOINT_HALF + 1, 2 * (JOINT_HALF + SEARCH) + 1
    template = cv2.getRectSubPix(example, (side, side), (x, y))
    around = cv2.getRectSubPix(other, (reach, reach), (x, y))
    steps = np.arange(-SEARCH, SEARCH + 1)
    scores = np.asarray(cv2.matchTemplate(around, template, cv2.TM_CCOEFF_NORMED), float)
    scores -= COST_OF_PIXEL * (steps[:, None] ** 2 + steps**2)
    row, column = np.unravel_index(np.argmax(scores), scores.shape)
    place = np.array([x + steps[column], y + steps[row]])
    score = scores[row, column] + WEIGHT_OF_POSE * match.similarity
    return float(score), _apply(match.to_frame, place)


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


def _warp(picture: np.ndarray, transform: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(picture, transform, (SIDE, SIDE)).astype(np.float32)


def _similarity(scale: float, turn: float, start: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Make the transform [2, 3] that turns by radians and scales around a point, which it moves."""
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    rotation = np.array([[cos, -sin], [sin, cos]])
    return np.hstack([rotation, (target - rotation @ start)[:, None]])


def _compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    linear = second[:, :2] @ first[:, :2]
    return np.hstack([linear, _apply(second, first[:, 2])[:, None]])


def _apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ transform[:, :2].T + transform[:, 2]
