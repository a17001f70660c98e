from __future__ import annotations

import numpy as np

from stdpose_mm.inference import FrameEstimate
from stdpose_mm.inference.estimate_video import identify_by_pose, smooth_poses
from stdpose_mm.structures import NO_PEOPLE, TrackedBoxes
from stdpose_mm.tracking.smoothing import SavitzkyGolay


def frame(index, keypoints, track_id=4, scores=None):
    people = TrackedBoxes([[0, 0, 50, 50]], [1], [track_id])
    keypoints = np.asarray(keypoints, np.float32)[None]
    return FrameEstimate(
        index,
        people,
        keypoints,
        np.ones(keypoints.shape[:2]) if scores is None else np.array([scores]),
        picture=np.full((2, 2, 3), index, np.uint8),
    )


def test_smoothed_poses_keep_their_frames():
    points = np.random.default_rng(0).normal(20, 3, (8, 2, 2))
    frames = [frame(i, p, scores=[1, 0.1]) for i, p in enumerate(points)]
    smoothed = list(smooth_poses(iter(frames), SavitzkyGolay(3, 1)))
    assert [f.picture[0, 0, 0] for f in smoothed] == list(range(8))
    assert all(f.people is before.people for f, before in zip(smoothed, frames, strict=True))
    after = np.concatenate([f.keypoints for f in smoothed])
    # Three in a row lie at their mean; the joint with a low score stays.
    np.testing.assert_allclose(after[1:-1, 0], (points[:-2] + points[1:-1] + points[2:])[:, 0] / 3)
    np.testing.assert_allclose(after[:, 1], points[:, 1], rtol=1e-6)


def test_identities_by_pose_replace_those_of_boxes():
    points = np.random.default_rng(1).uniform(0, 50, (6, 2))
    empty = FrameEstimate(1, NO_PEOPLE, np.zeros((0, 6, 2)), np.zeros((0, 6)))
    frames = [frame(0, points, 4), empty, frame(2, points + 1, 9)]
    found = list(identify_by_pose(frames))
    assert [f.people.track_ids.tolist() for f in found] == [[0], [], [0]]
    assert found[2].keypoints is frames[2].keypoints
