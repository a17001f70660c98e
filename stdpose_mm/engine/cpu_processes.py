"""Distributed training and testing on CPUs."""

from __future__ import annotations

import torch
import torch.distributed
from mmengine.config import Config

from stdpose_mm.errors import InputError


def join_cpu_processes(cfg: Config) -> None:
    """Join the other processes that ``torch.distributed.run`` started, where there is no GPU.

    MMEngine would choose a GPU for each process; it keeps an existing process group, and wraps the
    model as configured.

    Args:
        cfg: Config of the runner; gets a ``model_wrapper_cfg`` unless it has one. Nothing is done
            without a launcher, or with a GPU.

    Raises:
        InputError: If another launcher started the processes; MMEngine supports it on GPUs only.
    """
    launcher = cfg.get('launcher') or 'none'
    if launcher == 'none' or torch.cuda.is_available():
        return
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
