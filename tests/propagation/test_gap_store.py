from __future__ import annotations

import numpy as np

from stdpose_mm.propagation import PropagatedPose
from stdpose_mm.propagation.gap_store import open_gap_cache


def pose(frame: int) -> PropagatedPose:
    rng = np.random.default_rng(frame)
    return PropagatedPose(
        track_id=-3,
        frame_index=frame,
        keypoints=rng.normal(size=(4, 2)),
        visibility=np.array([0, 1, 2, 2], np.int8),
        scores=rng.random(4),
    )


def test_poses_come_back_to_the_last_bit(tmp_path):
    open_gap_cache(tmp_path, 'clip', 'context')['key'] = [pose(7), pose(5)]
    back = open_gap_cache(tmp_path, 'clip', 'context')['key']
    for found, expected in zip(back, [pose(7), pose(5)], strict=True):
        assert (found.track_id, found.frame_index) == (-3, expected.frame_index)
        for name in ('keypoints', 'visibility', 'scores'):
            assert getattr(found, name).dtype == getattr(expected, name).dtype
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes()


def test_another_context_has_no_gaps(tmp_path):
    open_gap_cache(tmp_path, 'clip', 'one')['key'] = [pose(1)]
    assert list(open_gap_cache(tmp_path, 'clip', 'two')) == []
