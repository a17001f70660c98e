"""Choice of the frames to check in a propagated video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import VideoLabels

from .expected_errors import TrackErrors, sum_by_frame

NUM_JOINTS = 3
"""Maximum number of joints named in a frame to check."""

MIN_SHARE = 0.2
"""Minimum error of a further joint to name, as a share of the error of the worst joint."""


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
        joints: Least certain joints, worst first; much more certain ones are left out.
    """

    frame_index: int
    expected_wrong: float
    joints: tuple[JointCheck, ...]

    @property
    def is_probably_fine(self) -> bool:
        """Whether less than one joint is expected to be wrong, rounded as it is shown."""
        return round(self.expected_wrong, 1) < 1


def frames_to_check(labels: VideoLabels, limit: int) -> list[FrameCheck]:
    """Rank the frames with the most expected wrong joints, worst first, spread out in time.

    The rank of a frame counts only errors that the frames before it in the list do not imply: of a
    person's expected errors in the same gap, only the share v (see :mod:`~.expected_errors`) is
    new.

    Args:
        labels: A propagated video with scores.
        limit: Maximum number of frames; fewer if no others are expected to be wrong.
    """
    ranked = rank_errors(TrackErrors.from_scores(labels), limit)
    return [FrameCheck(frame, wrong, _worst_joints(labels, frame)) for frame, wrong in ranked]


def rank_errors(tracks: Sequence[TrackErrors], limit: int) -> list[tuple[int, float]]:
    """Rank frames as in :func:`frames_to_check`, from the expected errors of everyone.

    Args:
        tracks: The expected errors.
        limit: See :func:`frames_to_check`.

    Returns:
        (frame, expected number of wrong joints in it).
    """
    left = [track.errors.sum(axis=1) for track in tracks]
    expected = sum_by_frame(tracks, left)
    ranked: list[tuple[int, float]] = []
    while len(ranked) < limit:
        new = sum_by_frame(tracks, left)
        if np.isnan(new).all():
            break
        # Of equally wrong frames the first is taken.
        frame = int(np.nanargmax(new))
        if new[frame] < 1e-6:
            break
        ranked.append((frame, float(expected[frame])))
        for track, errors in zip(tracks, left, strict=True):
            gap = track.find_gap(frame)
            if gap is not None:
                errors[gap.inside] *= gap.variance_left(frame)[:, 0]
    return ranked


def _worst_joints(labels: VideoLabels, frame: int) -> tuple[JointCheck, ...]:
    """Choose the joints to name in a frame: those about as doubtful as the worst."""
    joints = [
        JointCheck(
            person.track_id, labels.skeleton.keypoint_names[joint], float(person.scores[joint])
        )
        for person in labels[frame]
        if person.track_id is not None and person.scores is not None
        for joint in np.flatnonzero(person.labelled & person.propagated)
    ]
    worst = sorted(joints, key=lambda joint: joint.score)[:NUM_JOINTS]
    return tuple(
        joint for joint in worst if 0 < 1 - joint.score >= MIN_SHARE * (1 - worst[0].score)
    )
