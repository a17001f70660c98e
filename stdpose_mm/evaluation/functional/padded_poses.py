"""Conversion of labels to the padded arrays of the PoseTrack evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely

from stdpose_mm.errors import InputError
from stdpose_mm.structures import NOT_LABELLED, PolygonRegion, VideoLabels

MISSING_SCORE = -9999.0
"""Score of a joint that has none, as in the official evaluator."""

HEAD_SIZE_FACTOR = 0.6
"""Head size = this share of the diagonal of the head box."""


def known_ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide two arrays; NaN where the denominator is 0."""
    nothing = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=nothing, where=np.asarray(denominator) > 0)


@dataclass(frozen=True)
class PaddedPoses:
    """The people of F frames, padded to P per frame; J joints.

    Args:
        keypoints: [F, P, J, 2] pixels, 0 where there is nothing.
        exists: [F, P, J] bool: joints that exist.
        present: [F, P] bool: people who exist, maybe without joints.
        scores: [F, P, J], ``MISSING_SCORE`` where the labels have none.
        track_ids: [F, P] int64, -1 in the padding; None if a person has no identity.
        head_sizes: [F, P] pixels, NaN where the labels have no head box.
    """

    keypoints: np.ndarray
    exists: np.ndarray
    present: np.ndarray
    scores: np.ndarray
    track_ids: np.ndarray | None
    head_sizes: np.ndarray

    @property
    def num_frames(self) -> int:
        """Return the number F of frames."""
        return len(self.present)

    def select(self, frames: np.ndarray | slice) -> PaddedPoses:
        """Select the poses in some frames; ``frames`` is [F] bool or a slice."""
        arrays = {name: array for name, array in vars(self).items() if array is not None}
        return replace(self, **{name: array[frames] for name, array in arrays.items()})


def pad_poses(labels: VideoLabels, keypoint_names: Sequence[str]) -> PaddedPoses:
    """Convert the people of one video to arrays, with frames and people in the order of the labels.

    People with the source 'absent' are left out.

    Args:
        labels: The labels of one video.
        keypoint_names: Names of the J joints, in this order.

    Raises:
        InputError: If the skeleton of ``labels`` lacks one of the joints.
    """
    missing = [name for name in keypoint_names if name not in labels.skeleton.keypoint_names]
    if missing:
        raise InputError(
            f'video {labels.name!r}: its keypoints {list(labels.skeleton.keypoint_names)} lack '
            f'{missing[0]!r}, which the evaluation needs'
        )
    joints = [labels.skeleton.index_of(name) for name in keypoint_names]
    position = {frame.index: i for i, frame in enumerate(labels.frames)}
    people = [person for person in labels.persons if person.source != 'absent']
    frame = np.array([position[person.frame_index] for person in people], dtype=np.int64)
    slot, capacity = _slots(frame, len(position))

    shape = (len(position), capacity)
    keypoints = np.zeros((*shape, len(joints), 2))
    exists = np.zeros((*shape, len(joints)), dtype=bool)
    present = np.zeros(shape, dtype=bool)
    scores = np.full((*shape, len(joints)), MISSING_SCORE)
    track_ids = np.full(shape, -1, dtype=np.int64)
    head_sizes = np.full(shape, np.nan)
    are_tracked = all(person.track_id is not None for person in people)
    if people:
        # Joining them end to end and splitting again is more than twice as fast as np.stack.
        num_joints = labels.skeleton.num_keypoints
        points = np.concatenate([p.keypoints for p in people]).reshape(-1, num_joints, 2)
        visibility = np.concatenate([p.visibility for p in people]).reshape(-1, num_joints)
        unscored = np.full(num_joints, MISSING_SCORE)
        scores_of_people = [unscored if p.scores is None else p.scores for p in people]
        no_box = np.full(4, np.nan)
        boxes = np.concatenate([no_box if p.head_box is None else p.head_box for p in people])
        keypoints[frame, slot] = points.take(joints, axis=1)
        exists[frame, slot] = visibility.take(joints, axis=1) > NOT_LABELLED
        present[frame, slot] = True
        confidence = np.concatenate(scores_of_people).reshape(-1, num_joints)
        scores[frame, slot] = confidence.take(joints, axis=1)
        head_sizes[frame, slot] = HEAD_SIZE_FACTOR * np.hypot(boxes[2::4], boxes[3::4])
        if are_tracked:
            track_ids[frame, slot] = [p.track_id for p in people]
    return PaddedPoses(
        keypoints, exists, present, scores, track_ids if are_tracked else None, head_sizes
    )


def pair_frames(
    truth: VideoLabels, prediction: VideoLabels, keypoint_names: Sequence[str]
) -> tuple[PaddedPoses, PaddedPoses]:
    """Pair ground truth and prediction on the frames that PoseTrack evaluates.

    Frames are paired by file name or id if both videos have the same ones, each once, otherwise by
    position. A frame without ground-truth people is dropped together with its predictions. In a
    frame with ignore regions, joints strictly inside a region are removed from both sides, and then
    people without joints; a frame that becomes empty stays.

    Raises:
        InputError: If the two have different numbers of frames or pictures of different sizes, file
            names and ids pair them differently, a joint is missing in a skeleton, or a ground-truth
            person has joints but no head box.
    """
    if len(truth.frames) != len(prediction.frames):
        raise InputError(
            f'video {truth.name!r}: the prediction has {len(prediction.frames)} frames, expected '
            f'the {len(truth.frames)} frames of the ground truth in the same order'
        )
    prediction = _in_order_of(truth, prediction)
    _require_same_sizes(truth, prediction)
    gt = pad_poses(truth, keypoint_names)
    pred = pad_poses(prediction, keypoint_names)
    _require_head_sizes(truth, gt)

    occupied = gt.present.any(axis=1)
    for i, frame in enumerate(truth.frames):
        if occupied[i] and frame.ignore_regions:
            _remove_ignored(gt, i, frame.ignore_regions)
            _remove_ignored(pred, i, frame.ignore_regions)
    if occupied.all():
        return gt, pred
    return gt.select(occupied), pred.select(occupied)


def strictly_inside(points: np.ndarray, regions: Sequence[PolygonRegion]) -> np.ndarray:
    """Find points that lie inside at least one polygon; a point on an edge lies outside.

    Args:
        points: [..., 2] pixels.
        regions: Polygons; a polygon of fewer than 3 corners has no inside.

    Returns:
        [...] bool.
    """
    inside = np.zeros(points.shape[:-1], dtype=bool)
    for region in regions:
        if len(region.points) >= 3:
            polygon = shapely.Polygon(region.points)
            inside |= shapely.contains_xy(polygon, points[..., 0], points[..., 1])
    return inside


def _in_order_of(truth: VideoLabels, prediction: VideoLabels) -> VideoLabels:
    """Sort the frames of a prediction as in the truth, as far as they can be identified."""
    orders = []
    for attribute in ('file_name', 'image_id'):
        wanted = [getattr(frame, attribute) for frame in truth.frames]
        values = [getattr(frame, attribute) for frame in prediction.frames]
        position = {name: i for i, name in enumerate(values)}
        if len(position) == len(values) and position.keys() == set(wanted):
            orders.append([position[name] for name in wanted])
    if not orders:
        return prediction
    if orders[0] != orders[-1]:
        raise InputError(
            f'video {truth.name!r}: file names and ids match the frames of the prediction with '
            'different frames of the ground truth, expected both to name the same frame, correct '
            'one of them'
        )
    return replace(prediction, frames=tuple(prediction.frames[i] for i in orders[0]))


def _require_same_sizes(truth: VideoLabels, prediction: VideoLabels) -> None:
    for true, predicted in zip(truth.frames, prediction.frames, strict=True):
        sizes = [(frame.width, frame.height) for frame in (true, predicted)]
        if all(all(size) for size in sizes) and sizes[0] != sizes[1]:
            wanted, got = (f'{width}x{height}' for width, height in sizes)
            raise InputError(
                f'video {truth.name!r}, frame {true.index}: the prediction is for a picture of '
                f'{got} pixels, the ground truth for one of {wanted}, give poses in pictures of '
                'that size'
            )


def _slots(frame: np.ndarray, num_frames: int) -> tuple[np.ndarray, int]:
    """Number every person within its frame in list order, and return the largest number per frame.

    The number is at least one, so that no array has an empty axis to take a maximum over.
    """
    counts = np.bincount(frame, minlength=num_frames)
    order = np.argsort(frame, kind='stable')
    starts = np.cumsum(counts) - counts
    slot = np.empty_like(frame)
    slot[order] = np.arange(len(frame)) - starts[frame[order]]
    return slot, max(1, int(counts.max(initial=0)))


def _remove_ignored(poses: PaddedPoses, frame: int, regions: Sequence[PolygonRegion]) -> None:
    poses.exists[frame] &= ~strictly_inside(poses.keypoints[frame], regions)
    poses.present[frame] &= poses.exists[frame].any(axis=-1)


def _require_head_sizes(truth: VideoLabels, gt: PaddedPoses) -> None:
    lacking = np.argwhere(gt.exists.any(axis=-1) & np.isnan(gt.head_sizes))
    if len(lacking):
        raise InputError(
            f'video {truth.name!r}, frame {truth.frames[lacking[0][0]].index}: a ground-truth '
            'person has no head box (bbox_head), which PoseTrack measures distances by; '
            'use PCK for data without head boxes'
        )
