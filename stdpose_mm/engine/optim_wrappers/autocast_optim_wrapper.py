from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Train in mixed precision, bfloat16, on CPU and GPU alike.

    MMEngine's ``AmpOptimWrapper`` refuses to run without a GPU. bfloat16 has the range of float32,
    so no loss needs scaling: the forward pass runs under autocast, and everything else (backward,
    gradient clipping, gradient accumulation, checkpoints) is ``OptimWrapper``'s.

    Args:
        **kwargs: Arguments of ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast on the device of the model's parameters, within ``OptimWrapper``'s context."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield
