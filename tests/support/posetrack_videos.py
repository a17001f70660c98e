"""Small PoseTrack videos for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stdpose_mm.evaluation.functional import EVALUATED_JOINTS
from stdpose_mm.structures import POSETRACK_SKELETON, PersonLabel, VideoFrame, VideoLabels
from support.paths import ROOT

GOLDEN = ROOT / 'tests' / 'data' / 'posetrack_eval'
SCENARIOS = ('dense', 'ignore', 'noisy')

# The head size is 0.6 x the diagonal: here 10 px, so that joints match within 5 px.
HEAD_BOX = np.array([0.0, 0.0, 10.0, 40.0 / 3.0])

Joints = Mapping[str, tuple[float, float]]


def person(
    frame: int,
    joints: Joints,
    track_id: int | None = 0,
    scores: float | Mapping[str, float] | None = None,
    head_box: np.ndarray | None = HEAD_BOX,
) -> PersonLabel:
    """Return a person with some joints, all visible; ``scores`` is one for all or one per joint."""
    keypoints = np.zeros((POSETRACK_SKELETON.num_keypoints, 2))
    visibility = np.zeros(len(keypoints), dtype=np.int8)
    confidence = None if scores is None else np.zeros(len(keypoints))
    for name, point in joints.items():
        i = POSETRACK_SKELETON.index_of(name)
        keypoints[i], visibility[i] = point, 2
        if confidence is not None and scores is not None:
            confidence[i] = scores[name] if isinstance(scores, Mapping) else scores
    return PersonLabel(frame, keypoints, visibility, track_id, scores=confidence, head_box=head_box)


def video(
    people: Sequence[PersonLabel],
    num_frames: int,
    name: str = 'video',
    frames: Sequence[VideoFrame] | None = None,
) -> VideoLabels:
    if frames is None:
        frames = [VideoFrame(index=i) for i in range(num_frames)]
    return VideoLabels(name, POSETRACK_SKELETON, tuple(frames), tuple(people))


def of(values: np.ndarray, joint: str) -> float:
    """Return the value of one joint."""
    return float(values[EVALUATED_JOINTS.index(joint)])
