from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.processes import joined_processes, tasks_of_process


def test_the_costliest_task_goes_to_whoever_has_least_to_do():
    costs = [3, 5, 4, 3, 1]
    # 5 -> first, 4 -> second, 3 -> second (4 < 5), 3 -> first (5 < 7), 1 -> second (7 < 8).
    assert tasks_of_process(costs, 0, 2) == [1, 3]
    assert tasks_of_process(costs, 1, 2) == [2, 0, 4]


@given(st.lists(st.integers(1, 1000), max_size=30), st.integers(1, 8))
def test_shares_are_disjoint_complete_and_balanced(costs, num_processes):
    shares = [tasks_of_process(costs, rank, num_processes) for rank in range(num_processes)]
    assert sorted(task for share in shares for task in share) == list(range(len(costs)))
    loads = [sum(costs[i] for i in share) for share in shares]
    assert max(loads) - min(loads) <= max(costs, default=0)


@pytest.mark.parametrize(
    ('launcher', 'device', 'rank', 'sentence'),
    [
        ('pytorch', 'cpu', None, 'started by torchrun \\(RANK'),
        ('slurm', 'cpu', None, 'started by srun \\(SLURM_PROCID'),
        ('pytorch', 'cuda', '3', 'process 3 of this machine finds 2 GPUs'),
    ],
)
def test_a_process_that_cannot_join_is_one_sentence(launcher, device, rank, sentence, monkeypatch):
    for name in ('RANK', 'LOCAL_RANK', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
        if rank is not None:
            monkeypatch.setenv(name, rank)
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    with pytest.raises(InputError, match=sentence), joined_processes(launcher, device):
        pass


def test_without_a_launcher_nothing_is_joined():
    import torch

    with joined_processes('none', 'cpu'):
        assert not torch.distributed.is_initialized()
