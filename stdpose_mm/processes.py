"""Processes that share work other than training, on one or several machines.

Without a launcher there is one process, and neither PyTorch nor MMEngine is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from stdpose_mm.errors import InputError, require_packages

Result = TypeVar('Result')

RANK_VARIABLES = {'pytorch': ('RANK', 'LOCAL_RANK'), 'slurm': ('SLURM_PROCID', 'SLURM_LOCALID')}
"""Launcher -> environment variables with the global and the local rank."""

TIMEOUT = 30 * 24 * 3600
"""Seconds that a finished process waits for the slowest one."""


@contextmanager
def joined_processes(launcher: str, device: str) -> Iterator[None]:
    """Connect the processes that a launcher started, for the functions below.

    The processes exchange no tensors, so they always communicate by gloo, which needs no GPU.

    Args:
        launcher: One of :data:`~stdpose_mm.constants.LAUNCHERS`: 'none', 'pytorch' (``torchrun``)
            or 'slurm' (``srun``).
        device: Device of the process. With 'cuda', each process uses the GPU of its local rank.

    Raises:
        InputError: If the launcher did not start this process, or its machine has fewer GPUs than
            processes.
    """
    if launcher == 'none':
        yield
        return
    require_packages(f'--launcher {launcher}', 'torch', 'mmengine')
    from unittest import mock

    import torch
    from mmengine.dist import init_dist

    variable, local_variable = RANK_VARIABLES[launcher]
    if variable not in os.environ:
        starter = 'torchrun' if launcher == 'pytorch' else 'srun'
        raise InputError(
            f'--launcher {launcher} needs a process started by {starter} ({variable} is not set), '
            f'start the command with {starter} or leave the option out'
        )
    on_gpu = device.startswith('cuda')
    local_rank = int(os.environ.get(local_variable, '0'))
    if on_gpu and local_rank >= torch.cuda.device_count():
        raise InputError(
            f'process {local_rank} of this machine finds {torch.cuda.device_count()} GPUs, start '
            'at most one process per GPU, or pass --device cpu'
        )
    # MMEngine chooses a GPU even for processes that use none, which fails if there is none.
    with nullcontext() if on_gpu else mock.patch.object(torch.cuda, 'set_device'):
        init_dist(launcher, backend='gloo', timeout=TIMEOUT)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def rank_and_count() -> tuple[int, int]:
    """Return the rank of this process and the number of processes; 0 and 1 if it is alone."""
    # A program with connected processes has imported it.
    distributed = sys.modules.get('torch.distributed')
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def is_first_process() -> bool:
    """Return whether this process writes the messages and files for all."""
    return rank_and_count()[0] == 0


def work_together(
    names: Iterable[str], work: Callable[[str], Result]
) -> tuple[dict[str, Result], dict[str, str]]:
    """Do this process's share of the work and exchange results with the other processes.

    Args:
        names: Tasks of this process; every other process has its own.
        work: Does one task. If it raises :class:`InputError`, the other tasks are still done.

    Returns:
        (name -> result, name -> sentence of the error) of all processes, in each process.
    """
    done: dict[str, Result] = {}
    failed: dict[str, str] = {}
    for name in names:
        try:
            done[name] = work(name)
        except InputError as error:
            failed[name] = str(error)
    if rank_and_count()[1] > 1:
        from mmengine.dist import all_gather_object

        for others_done, others_failed in all_gather_object((done, failed)):
            done.update(others_done)
            failed.update(others_failed)
    return done, failed


def tasks_of_process(costs: Sequence[float], rank: int, num_processes: int) -> list[int]:
    """Choose the tasks of one process, so that all processes have similar costs.

    The costliest remaining task goes to the process with the lowest cost so far; every process
    computes the same division on its own.

    Args:
        costs: Cost of each task.
        rank: The process.
        num_processes: Number of processes.

    Returns:
        Indices of ``costs``, costliest first.
    """
    loads = [0.0] * num_processes
    tasks = []
    for task in sorted(range(len(costs)), key=lambda i: (-costs[i], i)):
        least = loads.index(min(loads))
        loads[least] += costs[task]
        if least == rank:
            tasks.append(task)
    return tasks
