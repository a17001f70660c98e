"""Whether computing in bfloat16 is worthwhile."""

from __future__ import annotations

import time
from functools import cache

import torch
import torch.nn.functional as F

_ROUNDS = 5


@cache
def is_bfloat16_faster(device_type: str) -> bool:
    """Tell whether a type of device trains faster in bfloat16 than in float32.

    GPUs do. Few processors have instructions for bfloat16 (AMX, AVX512_BF16). On others with
    AVX-512, oneDNN emulates it and takes two to five times as long as in float32, and PyTorch says
    that it is supported all the same. Therefore both are measured, once in a process: some
    milliseconds.

    Args:
        device_type: Type of the device, such as 'cpu' or 'cuda'.
    """
    if device_type != 'cpu':
        return True
    # Without oneDNN and AVX-512, PyTorch takes up to fifty times as long in bfloat16. Builds
    # without oneDNN, such as some for Macs, lack the second function.
    if not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    seconds = [(_training_seconds(False), _training_seconds(True)) for _ in range(_ROUNDS)]
    # Other programs can only prolong a round, so the shortest ones are compared.
    float32, bfloat16 = map(min, zip(*seconds, strict=True))
    return bfloat16 < float32


def _training_seconds(bfloat16: bool) -> float:
    """Measure a forward and a backward pass of a convolution."""
    pictures = torch.ones(1, 64, 32, 32)
    weight = torch.ones(64, 64, 3, 3, requires_grad=True)
    with torch.enable_grad(), torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
        started = time.perf_counter()
        F.conv2d(pictures, weight, padding=1).sum().backward()
        return time.perf_counter() - started
