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
    ('launcher', 'sentence'),
    [('pytorch', 'started by torchrun \\(RANK'), ('slurm', 'started by srun \\(SLURM_PROCID')],
)
def test_a_launcher_that_did_not_start_the_process_is_one_sentence(launcher, sentence, monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    monkeypatch.delenv('SLURM_PROCID', raising=False)
    with (
        pytest.raises(InputError, match=sentence),
        joined_processes(launcher, 'cpu'),
    ):
        pass


def test_more_processes_than_gpus_are_one_sentence(monkeypatch):
    monkeypatch.setenv('RANK', '3')
    monkeypatch.setenv('LOCAL_RANK', '3')
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    with (
        pytest.raises(InputError, match='process 3 of this machine finds 2 GPUs'),
        joined_processes('pytorch', 'cuda'),
    ):
        pass


def test_without_a_launcher_nothing_is_joined():
    import torch

    with joined_processes('none', 'cpu'):
        assert not torch.distributed.is_initialized()
