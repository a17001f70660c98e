"""Smoothing of finished labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stdpose_mm.structures import PersonLabel, VideoLabels, person_box
from stdpose_mm.tracking.smoothing import SURE_JOINT, PoseSmoother, TrackedPoses, smooth_tracks


def smooth_labels(
    labels: VideoLabels, smoother: PoseSmoother, min_score: float = SURE_JOINT
) -> VideoLabels:
    """Smooth the poses of a video; ``extra['smoothing']`` names the filter.

    Given labels affect the result, but stay unchanged, as do people without a track id.

    Args:
        labels: Any labels. Runs end where a track is missing from a frame.
        smoother: The filter.
        min_score: Score below which joints are not used.
    """
    by_frame = {
        frame: [p for p in labels[frame] if p.track_id is not None and p.labelled.any()]
        for frame in sorted(labels)
    }
    smoothed = smooth_tracks(
        (
            _tracked(frame, people, labels.skeleton.num_keypoints, min_score)
            for frame, people in by_frame.items()
        ),
        smoother,
        min_score,
    )
    keypoints_of = {
        (frame, person.track_id): np.where(person.given[:, None], person.keypoints, keypoints)
        for (frame, people), poses in zip(by_frame.items(), smoothed, strict=True)
        for person, keypoints in zip(people, poses, strict=True)
    }
    persons = [
        replace(p, keypoints=keypoints_of.get((p.frame_index, p.track_id), p.keypoints))
        for p in labels.persons
    ]
    extra = {**labels.extra, 'smoothing': str(smoother)}
    return replace(labels.with_persons(persons), extra=extra)


def _tracked(
    frame_index: int, people: list[PersonLabel], num_joints: int, min_score: float
) -> TrackedPoses:
    usable = [
        p.labelled if p.scores is None else p.labelled & (p.scores >= min_score) for p in people
    ]
    return TrackedPoses(
        frame_index,
        np.array([p.track_id for p in people], dtype=np.int64),
        np.array([p.keypoints for p in people]).reshape(-1, num_joints, 2),
        np.array(usable, dtype=bool).reshape(-1, num_joints),
        np.array([np.sqrt(person_box(p)[2:].prod()) for p in people]),
    )
