"""Smoothing of finished labels."""

from __future__ import annotations

import numpy as np

from research.tracking.smooth_labels import smooth_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.tracking.smoothing import SavitzkyGolay

SKELETON = Skeleton(('a', 'b'))


def labels(persons, num_frames):
    return VideoLabels('clip', SKELETON, tuple(VideoFrame(i) for i in range(num_frames)), persons)


def test_labels_keep_what_was_given_and_say_what_smoothed_them():
    rng = np.random.default_rng(5)
    persons = [
        PersonLabel(
            frame,
            50 + rng.normal(0, 2, (2, 2)),
            np.array([2, 2 if frame != 6 else 0]),
            track_id=None if frame == 9 else 3,
            scores=np.array([0.9, 0.05 if frame == 4 else 0.9]),
            bbox=np.array([0.0, 0, 100, 100]),
            source='given' if frame in (0, 5) else 'propagated',
        )
        for frame in range(10)
    ]
    before = labels(persons, 10)
    after = smooth_labels(before, SavitzkyGolay(5, 1))
    assert after.extra['smoothing'] == 'savitzky-golay (window 5 frames, order 1)'
    moved = np.array(
        [
            (a.keypoints != b.keypoints).any(axis=1)
            for a, b in zip(after.persons, before.persons, strict=True)
        ]
    )
    # Given frames, the frame without an id, the joint with a low score and the missing one stay.
    assert moved[:, 0].tolist() == [False, *[True] * 4, False, *[True] * 3, False]
    assert moved[:, 1].tolist() == [False, *[True] * 3, False, False, False, True, True, False]
    np.testing.assert_array_equal(after.persons[6].keypoints[1], [0, 0])
    # The given frame counted: frame 3 is the mean over frames 1 to 5.
    mean = np.mean([p.keypoints[0] for p in persons[1:6]], axis=0)
    np.testing.assert_allclose(after.persons[3].keypoints[0], mean)
