"""Processes that train and test together."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed
from mmengine.config import Config

from stdpose_mm.errors import InputError


@contextmanager
def training_processes(cfg: Config) -> Iterator[None]:
    """Join the processes of a launcher for a training or a test, and part from them after it.

    MMEngine joins processes that have a GPU each. On CPUs it would choose a GPU as well, so they
    are joined here; MMEngine keeps an existing process group, and wraps the model as configured.

    Whatever holds the runner or its model must be gone when the block ends: PyTorch stops the
    threads of a group with its last reference. A thread that outlives the interpreter aborts the
    process. Nothing is stopped after an error, since others might be waited for.

    Args:
        cfg: Config of the runner; on CPUs it gets a ``model_wrapper_cfg`` unless it has one.
            Nothing is done without a launcher.

    Raises:
        InputError: If there is no GPU, and another launcher than 'pytorch' started the processes.
    """
    launcher = cfg.get('launcher') or 'none'
    if launcher == 'none':
        yield
        return
    if not torch.cuda.is_available():
        _join_on_cpus(cfg, launcher)
    yield
    # Runners and their hooks refer to each other.
    gc.collect()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _join_on_cpus(cfg: Config, launcher: str) -> None:
    if launcher != 'pytorch':
        raise InputError(
            f'--launcher {launcher} works on GPUs and there is none, start the processes by '
            'tools/dist_train.sh or tools/dist_test.sh'
        )
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    unused = cfg.get('find_unused_parameters', False)
    wrapper = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=unused,
    )
    cfg.model_wrapper_cfg = cfg.get('model_wrapper_cfg') or wrapper
