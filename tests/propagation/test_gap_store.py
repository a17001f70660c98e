from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from stdpose_mm.io.video import open_frames
from stdpose_mm.propagation import PropagatedPose
from stdpose_mm.propagation.gap_store import ArrayStore, GapStore, digest
from stdpose_mm.propagation.interpolation import LinearPropagator


def pose(frame):
    rng = np.random.default_rng(frame)
    return PropagatedPose(
        track_id=-3,
        frame_index=frame,
        keypoints=rng.normal(size=(4, 2)),
        visibility=np.array([0, 1, 2, 2], np.int8),
        scores=rng.random(4),
    )


def test_poses_come_back_to_the_last_bit(tmp_path):
    store = GapStore(tmp_path / 'gaps', 'context')
    store['key'] = [pose(7), pose(5)]
    back = GapStore(tmp_path / 'gaps', 'context')['key']
    for found, expected in zip(back, [pose(7), pose(5)], strict=True):
        assert (found.track_id, found.frame_index) == (-3, expected.frame_index)
        for name in ('keypoints', 'visibility', 'scores'):
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes()


def test_a_store_is_a_mapping_on_the_disk(tmp_path):
    store = GapStore(tmp_path / 'gaps', 'context')
    assert (list(store), len(store), 'a' in store) == ([], 0, False)
    assert not (tmp_path / 'gaps').exists()
    store['a'] = store['b'] = [pose(1)]
    del store['a']
    assert list(GapStore(tmp_path / 'gaps', 'context')) == ['b']


def test_another_context_starts_anew(tmp_path):
    GapStore(tmp_path / 'gaps', 'one')['a'] = [pose(1)]
    assert list(GapStore(tmp_path / 'gaps', 'two')) == []
    assert list(tmp_path.glob('gaps/*')) == []


def test_a_broken_file_is_no_entry(tmp_path):
    store = ArrayStore(tmp_path, 'context')
    store['a'] = {'boxes': np.ones((2, 4))}
    (path,) = tmp_path.glob('*/a.npz')
    path.write_bytes(path.read_bytes()[:50])
    assert 'a' not in store


class Settings:
    def __init__(self, **fields):
        self.__dict__.update(fields)
        self.me = self


def network(seed=0, slope=0.1):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.LeakyReLU(slope))


@pytest.mark.parametrize(
    'make',
    [
        lambda n: n,
        lambda n: [1, [n, 'text']],
        lambda n: {'b': 1, 'a': n},
        lambda n: {str(n)},
        lambda n: np.full(3, n, np.float32),
        lambda n: torch.full((3,), float(n), dtype=torch.bfloat16),
        lambda n: Settings(value=Settings(number=n)),
        lambda n: LinearPropagator(half_life=n),
        lambda n: network(seed=n),
        lambda n: network(slope=n),
        lambda n: partial(max, n),
        lambda n: (min, max)[n - 1],
    ],
)
def test_digests_tell_values_apart_and_nothing_else(make):
    assert digest(make(1)) == digest(make(1))
    assert digest(make(1)) != digest(make(2))


def test_digests_know_types_and_places():
    values = [1, 1.0, '1', [1], (1, 2), (12,), ['1', '2'], ['12'], np.int8(1), np.zeros(2), [0, 0]]
    assert len({digest(value) for value in values}) == len(values)


def test_frames_are_known_by_their_files(tmp_path):
    for number in range(2):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.full((4, 5, 3), 9, np.uint8))
    before = digest(open_frames(tmp_path))
    assert digest(open_frames(tmp_path)) == before
    cv2.imwrite(str(tmp_path / '1.png'), np.full((4, 5, 3), 200, np.uint8))
    assert digest(open_frames(tmp_path)) != before
