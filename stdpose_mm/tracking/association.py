"""Assignment of track ids to people in labels without track ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stdpose_mm.structures import (
    CLASS_NAME,
    PersonLabel,
    VideoLabels,
    box_iou,
    person_box,
    unused_track_ids,
)

MOTION_KERNEL = 0.5
"""Width of the similarity's Gaussian in units of the person's size.

COCO's OKS sigmas (0.03 to 0.1) measure annotation noise. Between labelled frames people move, so
the kernel is half as wide as a body.
"""

MIN_SIMILARITY = 0.02
"""Minimum similarity of two labels of one person: about 1.5 body sizes apart without overlap."""


@dataclass
class _TrackEnd:
    """The last located label of a person, and the velocity [2] in pixels per frame."""

    label: PersonLabel
    velocity: np.ndarray


def assign_track_ids(labels: VideoLabels) -> VideoLabels:
    """Assign a track id to every person; existing track ids are kept.

    Consecutive labelled frames are matched by the Hungarian method on the similarity of poses and
    boxes. Each track is first moved on at its last velocity, so that people who cross between two
    labelled frames at constant speed keep their track ids. A person who matches no track starts a
    new one with the next unused id; one who matches the first label of a later track belongs to it.
    If no frame has two people of one class, and each class has at most one id, the people of each
    class are one person, however far they move. Two classes are never one person.

    Returns:
        The same labels in the same order, with ids.
    """
    if all(person.track_id is not None for person in labels.persons):
        return labels
    from scipy.optimize import linear_sum_assignment

    new_ids = unused_track_ids(set(labels.track_ids))
    tracks: dict[int, _TrackEnd] = {}
    persons = list(labels.persons)
    classes = [str(person.extra.get(CLASS_NAME)) for person in persons]
    in_frame = Counter((p.frame_index, name) for p, name in zip(persons, classes, strict=True))
    ids_of: dict[str, set[int]] = {name: set() for name in classes}
    positions: dict[int, list[int]] = {}
    later: dict[int, _TrackEnd] = {}
    for position, person in sorted(enumerate(persons), key=lambda item: item[1].frame_index):
        positions.setdefault(person.frame_index, []).append(position)
        if person.track_id is not None:
            ids_of[classes[position]].add(person.track_id)
            if person.is_located:
                later.setdefault(person.track_id, _TrackEnd(person, np.zeros(2)))
    if max(in_frame.values()) == 1 and all(len(ids) <= 1 for ids in ids_of.values()):
        id_of = {name: next(iter(ids), None) for name, ids in ids_of.items()}
        id_of = {
            n: next(new_ids) if track_id_of_class is None else track_id_of_class
            for n, track_id_of_class in id_of.items()
        }
        return labels.with_persons(
            [replace(p, track_id=id_of[name]) for p, name in zip(persons, classes, strict=True)]
        )

    for frame_index in sorted(positions):
        present = positions[frame_index]
        taken = {persons[position].track_id for position in present}
        unnamed = [position for position in present if persons[position].track_id is None]
        candidates = {**later, **tracks}
        free = [track_id for track_id in candidates if track_id not in taken]
        similarity = pose_similarities(
            [persons[position] for position in unnamed],
            [candidates[track_id].label for track_id in free],
            [
                candidates[track_id].velocity
                * (frame_index - candidates[track_id].label.frame_index)
                for track_id in free
            ],
        )
        matched = {
            unnamed[row]: free[column]
            for row, column in zip(*linear_sum_assignment(similarity, maximize=True), strict=True)
            if similarity[row, column] >= MIN_SIMILARITY
        }
        for position in unnamed:
            track_id = matched[position] if position in matched else next(new_ids)
            persons[position] = replace(persons[position], track_id=track_id)
        for person in (persons[position] for position in present):
            # A label without joint and box does not move the track.
            if person.is_located and person.track_id is not None:
                before = tracks.get(person.track_id)
                velocity = np.zeros(2) if before is None else _velocity(before.label, person)
                tracks[person.track_id] = _TrackEnd(person, velocity)
    return labels.with_persons(persons)


def _velocity(before: PersonLabel, after: PersonLabel) -> np.ndarray:
    """Compute the mean motion [2] per frame of the joints labelled in both, else of the boxes."""
    common = before.labelled & after.labelled
    if common.any():
        motion = (after.keypoints[common] - before.keypoints[common]).mean(axis=0)
    else:
        start, end = _box(before), _box(after)
        motion = (end[:2] + end[2:] / 2) - (start[:2] + start[2:] / 2)
    return motion / (after.frame_index - before.frame_index)


def pose_similarities(
    persons: Sequence[PersonLabel], earlier: Sequence[PersonLabel], shifts: Sequence[np.ndarray]
) -> np.ndarray:
    """Compute the mean of object keypoint similarity (with a wide kernel) and box IoU.

    If no joint is labelled in both labels of a pair, the similarity is the IoU. It is 0 for labels
    of two classes.

    Args:
        persons: N labels.
        earlier: M labels to compare them with.
        shifts: M vectors [2] in pixels by which the earlier labels are moved.

    Returns:
        [N, M] in 0..1.
    """
    if not persons or not earlier:
        return np.zeros((len(persons), len(earlier)))
    shift = np.stack(shifts)
    boxes, before = (np.stack([_box(p) for p in people]) for people in (persons, earlier))
    moved = np.concatenate([before[:, :2] + shift, before[:, 2:]], axis=1)
    overlap = box_iou(boxes[:, None], moved)
    areas = before[:, 2:].prod(axis=1) + boxes[:, None, 2:].prod(axis=-1)
    size = np.maximum(np.sqrt(areas / 2), 1.0)
    poses, expected = (
        (np.stack([p.keypoints for p in people]), np.stack([p.labelled for p in people]))
        for people in (persons, earlier)
    )
    expected = expected[0] + shift[:, None], expected[1]
    oks, joints = keypoint_similarities(*poses, *expected, MOTION_KERNEL * size)
    first, second = ([str(p.extra.get(CLASS_NAME)) for p in of] for of in (persons, earlier))
    is_one_class = np.array(first)[:, None] == np.array(second)
    return np.where(joints > 0, (oks + overlap) / 2, overlap) * is_one_class


def keypoint_similarities(
    keypoints: np.ndarray,
    placed: np.ndarray,
    others: np.ndarray,
    others_placed: np.ndarray,
    widths: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the object keypoint similarity of N poses with M others.

    Args:
        keypoints: [N, K, 2] pixels.
        placed: [N, K] bool: joints to compare.
        others: [M, K, 2] pixels.
        others_placed: [M, K] bool.
        widths: [N, M] widths in pixels of the Gaussian of the distance.

    Returns:
        [N, M] in 0..1, 0 without a common joint; and [N, M] the number of common joints.
    """

    def likeness(distances: np.ndarray) -> np.ndarray:
        return np.exp(-((distances / widths[..., None]) ** 2) / 2)

    return average_joints(keypoints, placed, others, others_placed, likeness)


def average_joints(
    keypoints: np.ndarray,
    placed: np.ndarray,
    others: np.ndarray,
    others_placed: np.ndarray,
    measure: Callable[[np.ndarray], np.ndarray] = lambda distances: distances,
) -> tuple[np.ndarray, np.ndarray]:
    """Average a function of the distances [N, M, K] of joints that N poses share with M others.

    Returns:
        The means [N, M], 0 without a common joint; and [N, M] the number of common joints.
    """
    common = placed[:, None] & others_placed
    distances = np.linalg.norm(keypoints[:, None] - others, axis=-1)
    number = common.sum(axis=-1)
    means = np.where(common, measure(distances), 0.0).sum(axis=-1) / np.maximum(number, 1)
    return means, number


def _box(label: PersonLabel) -> np.ndarray:
    """Return the person's box, of zero size where neither a box nor a joint is labelled."""
    if label.bbox is None and not label.has_joint:
        return np.zeros(4)
    return person_box(label)
