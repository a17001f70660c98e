from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmpose.datasets import CombinedDataset

from stdpose_mm.engine.seeding import (
    SampleIndex,
    SeededInfiniteSampler,
    SeededSampler,
    SeedSample,
    derive_seed,
)


def _draws(sampler: SeededSampler, epoch: int) -> list[tuple[int, int]]:
    sampler.set_epoch(epoch)
    return [(int(index), index.seed) for index in sampler]


def test_an_epoch_visits_every_sample_with_a_seed_of_its_own():
    draws = _draws(SeededSampler(range(50), seed=3), epoch=1)
    assert sorted(index for index, _ in draws) == list(range(50))
    assert len({seed for _, seed in draws}) == 50


def test_the_same_sample_is_augmented_differently_in_the_next_epoch():
    sampler = SeededSampler(range(20), shuffle=False, seed=3)
    first, second = dict(_draws(sampler, 0)), dict(_draws(sampler, 1))
    assert all(first[index] != second[index] for index in first)


def test_draws_depend_on_seed_and_epoch_alone():
    sampler = SeededSampler(range(20), seed=3)
    late = _draws(sampler, 5)
    assert _draws(SeededSampler(range(20), seed=3), 5) == late
    assert _draws(SeededSampler(range(20), seed=4), 5) != late


def test_ranks_share_out_the_draws_of_one_process():
    whole = _draws(SeededSampler(range(8), seed=3), 2)
    parts = []
    for rank in range(2):
        sampler = SeededSampler(range(8), seed=3)
        sampler.rank, sampler.world_size = rank, 2
        parts.append(_draws(sampler, 2))
    assert [parts[0][0], parts[1][0], parts[0][1]] == whole[:3]


def test_start_next_epoch_at_leaves_out_draws_of_one_epoch_only():
    sampler = SeededSampler(range(10), seed=3)
    whole = _draws(sampler, 1)
    sampler.start_next_epoch_at(4)
    assert _draws(sampler, 1) == whole[4:]
    assert _draws(sampler, 1) == whole


def test_infinite_sampler_skips_to_where_it_would_have_been():
    def take(sampler: SeededInfiniteSampler, count: int) -> list[tuple[int, int]]:
        return [(int(index), index.seed) for index in itertools.islice(sampler, count)]

    whole = take(SeededInfiniteSampler(range(5), seed=3), 13)
    resumed = SeededInfiniteSampler(range(5), seed=3)
    resumed.skip(7)
    assert take(resumed, 6) == whole[7:]
    assert len({seed for _, seed in whole}) == 13


def test_sample_index_reaches_a_worker_with_its_seed():
    index = pickle.loads(pickle.dumps(SampleIndex(5, seed=11)))
    assert (index, index.seed) == (5, 11)
    assert ['a', 'b', 'c', 'd', 'e', 'f'][index] == 'f'


def test_derived_seeds_do_not_collide_where_sums_would():
    assert derive_seed(0, 1) != derive_seed(1, 0)


def test_seed_sample_fixes_all_draws_of_a_sample():
    def draw(index: int) -> tuple[float, float]:
        SeedSample()({'sample_idx': index})
        return np.random.rand(), torch.rand(()).item()

    assert draw(SampleIndex(0, seed=5)) == draw(SampleIndex(1, seed=5))
    assert draw(SampleIndex(0, seed=5)) != draw(SampleIndex(0, seed=6))


def test_seed_sample_leaves_the_generators_alone_without_a_seed():
    np.random.seed(0)
    expected = np.random.RandomState(0).rand()
    SeedSample()({'sample_idx': 3})
    assert np.random.rand() == expected


class _Numbers(BaseDataset):
    def load_data_list(self) -> list[dict]:
        return [{'number': number} for number in range(4)]


@pytest.mark.parametrize(
    'wrap',
    [
        lambda part: ConcatDataset([part, part]),
        lambda part: RepeatDataset(part, 2),
        lambda part: CombinedDataset(
            dict(from_file='configs/_base_/datasets/posetrack18.py'), [part, part]
        ),
    ],
    ids=['concatenated', 'repeated', 'combined'],
)
def test_a_seed_reaches_a_dataset_within_another(wrap):
    sample = wrap({'type': _Numbers})[SampleIndex(6, seed=11)]
    assert (sample['number'], sample['sample_idx']) == (2, 2)
    assert sample['sample_idx'].seed == 11
