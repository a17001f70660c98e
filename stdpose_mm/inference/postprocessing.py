"""What is done to a stream of poses on its way out: identities by pose, smoothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from stdpose_mm.tracking.pose_identities import PoseIdentities
from stdpose_mm.tracking.smoothing import SURE_JOINT, PoseSmoother, TrackedPoses

from .frame_estimate import FrameEstimate


def identify_by_pose(frames: Iterable[FrameEstimate]) -> Iterator[FrameEstimate]:
    """The same poses with the identities of :class:`PoseIdentities`.

    Args:
        frames: Ascending by index.
    """
    identities = PoseIdentities()
    for frame in frames:
        people = identities.update(frame.frame_index, frame.people, frame.keypoints, frame.scores)
        yield replace(frame, people=people)


def smooth_poses(
    frames: Iterable[FrameEstimate], smoother: PoseSmoother, min_score: float = SURE_JOINT
) -> Iterator[FrameEstimate]:
    """The same poses, smoothed, ``smoother.delay`` frames later.

    Args:
        frames: Ascending by index.
        smoother: The filter.
        min_score: Joints that score less stay as they are and end a run.
    """
    waiting: deque[FrameEstimate] = deque()

    def seen() -> Iterator[TrackedPoses]:
        for frame in frames:
            waiting.append(frame)
            yield TrackedPoses(
                frame.frame_index,
                frame.people.track_ids,
                frame.keypoints.astype(np.float64),
                frame.scores >= min_score,
                np.sqrt(frame.people.boxes[:, 2:].prod(axis=1)),
            )

    for keypoints in smoother(seen()):
        yield replace(waiting.popleft(), keypoints=keypoints)
