"""Which frames of a propagated video to check."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import VideoLabels

from .expected_errors import TrackErrors


@dataclass(frozen=True)
class JointCheck:
    """A joint that may be wrong.

    Args:
        track_id: Track id of the person.
        joint: Name of the joint.
        score: Score of the joint in 0..1.
    """

    track_id: int
    joint: str
    score: float


@dataclass(frozen=True)
class FrameCheck:
    """A frame that should be checked.

    Args:
        frame_index: 0-based frame.
        expected_wrong: Expected number of wrong joints, over all people of the frame.
        joints: Least certain joints, worst first.
    """

    frame_index: int
    expected_wrong: float
    joints: tuple[JointCheck, ...]


def frames_to_check(labels: VideoLabels, limit: int, num_joints: int = 3) -> list[FrameCheck]:
    """Rank the frames with the most expected wrong joints, worst first, spread out in time.

    A frame counts for the errors that the frames before it in the list do not imply: of a person's
    expected errors in the same gap only the share v (see :mod:`~.expected_errors`) is new.

    Args:
        labels: A propagated video with scores.
        limit: Maximal number of frames; fewer if no others are expected to be wrong.
        num_joints: Maximal number of joints named in each.
    """
    tracks = TrackErrors.from_scores(labels)
    expected = _sum_by_frame(tracks, [track.errors for track in tracks])
    left = [track.errors.copy() for track in tracks]
    checks: list[FrameCheck] = []
    while len(checks) < limit:
        new = _sum_by_frame(tracks, left)
        frame = max(new, key=lambda index: (new[index], -index), default=-1)
        if not new or new[frame] < 1e-6:
            break
        checks.append(FrameCheck(frame, expected[frame], _worst_joints(labels, frame, num_joints)))
        for track, errors in zip(tracks, left, strict=True):
            for gap in track.gaps():
                if gap.start < frame < gap.stop:
                    errors[gap.inside] *= gap.variance_left(track.times[gap.inside], frame)
    return checks


def _sum_by_frame(tracks: list[TrackErrors], errors: list[np.ndarray]) -> dict[int, float]:
    sums: dict[int, float] = {}
    for track, of_track in zip(tracks, errors, strict=True):
        for frame, value in zip(track.times.tolist(), of_track.sum(axis=1).tolist(), strict=True):
            sums[frame] = sums.get(frame, 0.0) + value
    return sums


def _worst_joints(labels: VideoLabels, frame: int, num_joints: int) -> tuple[JointCheck, ...]:
    joints = [
        JointCheck(
            person.track_id, labels.skeleton.keypoint_names[joint], float(person.scores[joint])
        )
        for person in labels.persons
        if person.frame_index == frame and person.track_id is not None and person.scores is not None
        for joint in np.flatnonzero(person.labelled & person.propagated)
    ]
    return tuple(sorted(joints, key=lambda joint: joint.score)[:num_joints])
