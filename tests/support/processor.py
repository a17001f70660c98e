"""What the processor of the tests can do."""

from __future__ import annotations

import torch


def has_bfloat16() -> bool:
    """Whether PyTorch's convolutions compute in bfloat16 on this processor."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
