"""Processes that share work other than training, on one machine or many."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from unittest import mock

import torch
from mmengine.dist import init_dist

from stdpose_mm.errors import InputError

RANK_VARIABLES = {'pytorch': ('RANK', 'LOCAL_RANK'), 'slurm': ('SLURM_PROCID', 'SLURM_LOCALID')}
"""Launcher -> environment variables of the global and the local rank."""

TIMEOUT = 30 * 24 * 3600
"""Seconds that a finished process waits for the slowest one."""


@contextmanager
def joined_processes(launcher: str, device: str) -> Iterator[None]:
    """Join the processes that a launcher started, for MMEngine's ``dist`` functions.

    The processes exchange no tensors, so they always talk by gloo, which needs no GPU.

    Args:
        launcher: 'none', 'pytorch' (``torchrun``) or 'slurm' (``srun``).
        device: Where the process computes. With 'cuda' each takes the GPU of its local rank.

    Raises:
        InputError: If the launcher did not start this process, or its machine has fewer GPUs than
            processes.
    """
    if launcher == 'none':
        yield
        return
    variable, local_variable = RANK_VARIABLES[launcher]
    if variable not in os.environ:
        starter = 'torchrun' if launcher == 'pytorch' else 'srun'
        raise InputError(
            f'--launcher {launcher} needs a process that {starter} started ({variable} is not '
            f'set), start the command by {starter} or leave the option out'
        )
    on_gpu = device.startswith('cuda')
    local_rank = int(os.environ.get(local_variable, '0'))
    if on_gpu and local_rank >= torch.cuda.device_count():
        raise InputError(
            f'process {local_rank} of this machine finds {torch.cuda.device_count()} GPUs, start '
            'at most one process for each, or pass --device cpu'
        )
    # MMEngine chooses a GPU even for processes that use none, which fails where there is none.
    with nullcontext() if on_gpu else mock.patch.object(torch.cuda, 'set_device'):
        init_dist(launcher, backend='gloo', timeout=TIMEOUT)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def balanced_share(costs: Sequence[float], rank: int, num_processes: int) -> list[int]:
    """Choose the tasks of one process, so that all processes have similar costs.

    The costliest task that is left goes to the process with the least cost so far; every process
    computes the same division by itself.

    Args:
        costs: Cost of each task.
        rank: The process.
        num_processes: Number of processes.

    Returns:
        Indices of ``costs``, costliest first.
    """
    loads = [0.0] * num_processes
    share = []
    for task in sorted(range(len(costs)), key=lambda i: (-costs[i], i)):
        least = loads.index(min(loads))
        loads[least] += costs[task]
        if least == rank:
            share.append(task)
    return share
