"""Propagated mice with given scores, and mice with given labels only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

PAIR = Skeleton(('tail', 'nose'), category='mouse')
POSE = np.array([[0.0, 0.0], [100.0, 0.0]])

Scores = Sequence[float | tuple[float, float]]


def scored_track(scores: Scores, track_id: int = 0) -> list[PersonLabel]:
    """Make a person from the score of its joints in each frame; given where it is 1."""
    return [
        PersonLabel(
            frame,
            POSE,
            np.array([2, 2]),
            track_id,
            scores=np.broadcast_to(score, 2),
            source='given' if score == 1 else 'propagated',
        )
        for frame, score in enumerate(scores)
    ]


def scored_video(*tracks: list[PersonLabel]) -> VideoLabels:
    """Make a video of several people."""
    persons = tuple(person for people in tracks for person in people)
    length = max(person.frame_index for person in persons) + 1
    return VideoLabels('clip', PAIR, tuple(VideoFrame(t) for t in range(length)), persons)


def bridge_scores(length: int) -> list[float]:
    """Score the frames between given ones at 0 and ``length``: worst in the middle."""
    between = [1 - np.exp(-(length**2) / (6 * t * (length - t))) for t in range(1, length)]
    return [1, *between, 1]


def given_at(poses: Mapping[int, float], length: int) -> VideoLabels:
    """Make a mouse of 100 px at some x in its given frames, without a propagated label."""
    labels = [
        PersonLabel(t, POSE + np.array([x, 0.0]), np.array([2, 2]), 0) for t, x in poses.items()
    ]
    return VideoLabels('clip', PAIR, tuple(VideoFrame(t) for t in range(length)), tuple(labels))
