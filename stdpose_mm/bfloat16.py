"""Whether computing in bfloat16 is worthwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache

from .errors import InputError

_ROUNDS = 15


@cache
def is_bfloat16_faster(device_type: str) -> bool:
    """Tell whether PyTorch computes faster in bfloat16 than in float32 on a type of device.

    On GPUs it does, and on processors with AMX. Others with AVX-512 may have slower instructions
    for bfloat16 (AVX512_BF16), or none: oneDNN then emulates it, and PyTorch says that it is
    supported all the same. Therefore both are measured there, once in a process: some milliseconds.

    Args:
        device_type: Type of the device, such as 'cpu' or 'cuda'.
    """
    if device_type != 'cpu':
        return True
    import torch
    import torch.nn.functional as F

    # Without oneDNN and AVX-512, PyTorch takes up to fifty times as long in bfloat16. Builds
    # without oneDNN, such as some for Macs, lack the second function.
    if not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    # Where the answer is known, what else the machine does cannot change it from run to run.
    if torch.cpu._is_amx_tile_supported() and 'ONEDNN_MAX_CPU_ISA' not in os.environ:
        return True

    def train(in_bfloat16: bool) -> None:
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast('cpu', torch.bfloat16, enabled=in_bfloat16),
        ):
            weight = torch.ones(64, 64, 3, 3, requires_grad=True)
            F.conv2d(torch.ones(1, 64, 32, 32), weight, padding=1).sum().backward()

    # Threads that wait for each other also use time of the processor.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure_bfloat16(train)
    finally:
        torch.set_num_threads(threads)


def bfloat16_is_slower(runtime: str) -> InputError:
    """Return the error for a user who asks for bfloat16 where it only takes longer."""
    return InputError(
        f'{runtime} is slower in bfloat16 than in float32 on this processor, choose float32'
    )


def measure_bfloat16(compute: Callable[[bool], object]) -> bool:
    """Measure whether a computation is faster in bfloat16 than in float32.

    Where it is emulated, it takes two to five times as long; with AVX512_BF16 but no AMX, 1.1 to
    1.9 times on an Intel Xeon, so that what else the machine does cannot decide.

    Args:
        compute: The computation in one thread, in bfloat16 if its argument is True.
    """
    # Time of the processor does not count what other programs take. On Windows it is too coarse.
    is_fine = time.get_clock_info('process_time').resolution < 1e-4
    clock = time.process_time if is_fine else time.perf_counter
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(_ROUNDS):
        for in_bfloat16, times in seconds.items():
            started = clock()
            compute(in_bfloat16)
            times.append(clock() - started)
    return min(seconds[True]) < min(seconds[False])
