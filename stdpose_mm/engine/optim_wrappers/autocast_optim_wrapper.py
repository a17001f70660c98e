from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import nn

from stdpose_mm.models.layers.mkldnn_layers import has_bfloat16


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Train in mixed precision, bfloat16, on CPU and GPU alike.

    MMEngine's ``AmpOptimWrapper`` refuses to run without a GPU. bfloat16 has the range of float32,
    so no loss needs scaling: the forward pass runs under autocast, and everything else (backward,
    gradient clipping, gradient accumulation, checkpoints) is ``OptimWrapper``'s. On a processor
    without bfloat16, which would take many times as long, training is in float32; the log says so.

    Args:
        **kwargs: Arguments of ``OptimWrapper``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._is_logged = False

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast on the device of the model's parameters, within ``OptimWrapper``'s context."""
        device = next(model.parameters()).device.type
        enabled = has_bfloat16(device)
        if not enabled and not self._is_logged:
            print_log(
                'this processor does not compute in bfloat16, so training is in float32',
                'current',
                logging.WARNING,
            )
            self._is_logged = True
        with super().optim_context(model), torch.autocast(device, torch.bfloat16, enabled=enabled):
            yield
