"""Check whether computing in bfloat16 is worthwhile."""

from __future__ import annotations

import torch


def has_bfloat16(device_type: str) -> bool:
    """Tell whether a type of device computes in bfloat16; many processors only emulate it.

    On a processor without such instructions (AVX-512 with its extensions, or AVX-NE-CONVERT) oneDNN
    refuses some layers in bfloat16, and PyTorch computes others up to fifty times more slowly than
    in float32.

    Args:
        device_type: Type of the device, such as 'cpu' or 'cuda'.
    """
    # Builds without oneDNN, such as some for Macs, lack the second function.
    return device_type != 'cpu' or bool(
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )
