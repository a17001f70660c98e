"""Track ids of people in labels that carry none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stdpose_mm.structures import PersonLabel, VideoLabels, box_iou, person_box, unused_track_ids

MOTION_KERNEL = 0.5
"""Width of the similarity's Gaussian in units of the person's size.

COCO's OKS sigmas (0.03 to 0.1) measure annotation noise. Between labelled frames people walk, so
the kernel is as wide as half a body.
"""

MIN_SIMILARITY = 0.02
"""Below it two labels are two people: about 1.5 body sizes apart without any overlap."""


@dataclass
class _Track:
    track_id: int
    label: PersonLabel
    velocity: np.ndarray  # [2] pixels a frame


def assign_track_ids(labels: VideoLabels) -> VideoLabels:
    """Assign a track id to every person; existing track ids are kept.

    Consecutive labelled frames are matched by the Hungarian method on the similarity of poses
    and boxes, after moving each track on at its last velocity, so that people who cross between
    two labelled frames keep their track ids if they keep their pace. A person who matches no track
    starts one with the next unused id.

    Returns:
        The same labels in the same order, with ids.
    """
    if all(person.track_id is not None for person in labels.persons):
        return labels
    from scipy.optimize import linear_sum_assignment

    new_ids = unused_track_ids(set(labels.track_ids))
    tracks: dict[int, _Track] = {}
    track_ids = [person.track_id for person in labels.persons]
    positions: dict[int, list[int]] = {}
    for position, person in enumerate(labels.persons):
        positions.setdefault(person.frame_index, []).append(position)

    for frame_index in sorted(positions):
        present = positions[frame_index]
        taken = {track_ids[position] for position in present}
        unnamed = [position for position in present if track_ids[position] is None]
        free = [track for track_id, track in tracks.items() if track_id not in taken]
        similarity = _similarities([labels.persons[p] for p in unnamed], free)
        for row, column in zip(*linear_sum_assignment(similarity, maximize=True), strict=True):
            if similarity[row, column] >= MIN_SIMILARITY:
                track_ids[unnamed[row]] = free[column].track_id
        for position in unnamed:
            if track_ids[position] is None:
                track_ids[position] = next(new_ids)
        for position in present:
            track_id = track_ids[position]
            assert track_id is not None
            # A label without a place does not move the track.
            person = labels.persons[position]
            if person.has_place:
                tracks[track_id] = _extended(tracks.get(track_id), track_id, person)

    return labels.with_persons(
        [
            replace(person, track_id=track_id)
            for person, track_id in zip(labels.persons, track_ids, strict=True)
        ]
    )


def _extended(track: _Track | None, track_id: int, label: PersonLabel) -> _Track:
    if track is None:
        return _Track(track_id, label, np.zeros(2))
    elapsed = label.frame_index - track.label.frame_index
    return _Track(track_id, label, _displacement(track.label, label) / elapsed)


def _displacement(before: PersonLabel, after: PersonLabel) -> np.ndarray:
    """Compute the mean motion [2] of the joints labelled in both, else of the boxes."""
    common = before.labelled & after.labelled
    if common.any():
        return (after.keypoints[common] - before.keypoints[common]).mean(axis=0)
    box_before, box_after = _box(before), _box(after)
    return (box_after[:2] + box_after[2:] / 2) - (box_before[:2] + box_before[2:] / 2)


def _similarities(persons: Sequence[PersonLabel], tracks: Sequence[_Track]) -> np.ndarray:
    """Compare the N people of one frame with M tracks, moved on at their velocity: [N, M]."""
    shifts = [
        track.velocity * (person.frame_index - track.label.frame_index)
        for person in persons[:1]
        for track in tracks
    ]
    return pose_similarities(persons, [track.label for track in tracks], shifts)


def pose_similarities(
    persons: Sequence[PersonLabel],
    earlier: Sequence[PersonLabel],
    shifts: Sequence[np.ndarray],
) -> np.ndarray:
    """Average object keypoint similarity (with a wide kernel) and box IoU.

    Args:
        persons: N labels.
        earlier: M labels to compare each with. Where no joint is labelled in both, the IoU stands
            alone.
        shifts: [2] pixels by which each of the M is moved.

    Returns:
        [N, M] in 0..1.
    """
    if not persons or not earlier:
        return np.zeros((len(persons), len(earlier)))
    shift = np.stack(shifts)
    expected = np.stack([label.keypoints for label in earlier]) + shift[:, None]
    labelled = np.stack([label.labelled for label in earlier])
    boxes = np.stack([_box(label) for label in earlier])
    moved = np.concatenate([boxes[:, :2] + shift, boxes[:, 2:]], axis=1)
    area = boxes[:, 2:].prod(axis=1)
    similarity = np.zeros((len(persons), len(earlier)))
    for row, person in enumerate(persons):
        box = _box(person)
        overlap = box_iou(box, moved)
        common = labelled & person.labelled
        size = np.maximum(np.sqrt((area + box[2:].prod()) / 2), 1.0)
        distance = np.linalg.norm(expected - person.keypoints, axis=-1) / size[:, None]
        likeness = np.where(common, np.exp(-(distance**2) / (2 * MOTION_KERNEL**2)), 0.0)
        joints = common.sum(axis=1)
        oks = likeness.sum(axis=1) / np.maximum(joints, 1)
        similarity[row] = np.where(joints > 0, (oks + overlap) / 2, overlap)
    return similarity


def _box(label: PersonLabel) -> np.ndarray:
    """Return the person's box, of zero size where neither a box nor a joint is labelled."""
    if label.bbox is None and not label.labelled.any():
        return np.zeros(4)
    return person_box(label)
