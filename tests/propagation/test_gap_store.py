from __future__ import annotations

import numpy as np

from stdpose_mm.propagation.base import GapPoses
from stdpose_mm.propagation.gap_store import open_gap_cache


def poses() -> GapPoses:
    rng = np.random.default_rng(0)
    return GapPoses(
        keypoints=rng.normal(size=(3, 4, 2)),
        visibility=np.array([[0, 1, 2, 2]] * 3, np.int8),
        scores=rng.random((3, 4)),
    )


def test_poses_come_back_to_the_last_bit(tmp_path):
    open_gap_cache(tmp_path, 'context')['key'] = poses()
    back = open_gap_cache(tmp_path, 'context')['key']
    for name, expected in vars(poses()).items():
        assert getattr(back, name).dtype == expected.dtype
        assert getattr(back, name).tobytes() == expected.tobytes()


def test_another_context_has_no_gaps(tmp_path):
    open_gap_cache(tmp_path, 'one')['key'] = poses()
    assert list(open_gap_cache(tmp_path, 'two')) == []
