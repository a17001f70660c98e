from __future__ import annotations

import numpy as np

from stdpose_mm.propagation.base import GapPoses
from stdpose_mm.propagation.gap_store import GapMemory, open_gap_cache


def poses() -> GapPoses:
    rng = np.random.default_rng(0)
    return GapPoses(
        keypoints=rng.normal(size=(3, 4, 2)),
        visibility=np.array([[0, 1, 2, 2]] * 3, np.int8),
        scores=rng.random((3, 4)),
    )


def test_poses_come_back_to_the_last_bit(tmp_path):
    open_gap_cache(tmp_path, 'clip', 'context')['key'] = poses()
    back = open_gap_cache(tmp_path, 'clip', 'context')['key']
    for name, expected in vars(poses()).items():
        assert getattr(back, name).dtype == expected.dtype
        assert getattr(back, name).tobytes() == expected.tobytes()


def test_another_context_has_no_gaps(tmp_path):
    open_gap_cache(tmp_path, 'clip', 'one')['key'] = poses()
    assert 'key' not in open_gap_cache(tmp_path, 'clip', 'two')


def test_memory_keeps_the_gaps_that_are_asked_for():
    memory = GapMemory(one=poses(), two=poses(), three=poses())
    memory.keep_only({'two', 'four'})
    assert [*memory] == ['two']


def test_another_run_may_forget_gaps_while_memory_is_swept():
    memory = GapMemory(one=poses(), two=poses())

    class Interrupted(set):
        def __contains__(self, key):
            memory.keep_only(())
            return super().__contains__(key)

    memory.keep_only(Interrupted())
    assert not memory


def test_the_disk_keeps_what_another_run_may_need(tmp_path):
    files = open_gap_cache(tmp_path, 'clip', 'context')
    files['key'] = poses()
    files.keep_only(())
    assert 'key' in files
