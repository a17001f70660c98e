"""An optimizer wrapper in bfloat16, and a constructor of learning rates by layer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmpose.engine.optim_wrappers.layer_decay_optim_wrapper import get_num_layer_for_vit
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from torch import nn

from stdpose_mm.bfloat16 import has_bfloat16
from stdpose_mm.errors import InputError

BLOCKS = 'backbone.layers.'


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Train in mixed precision, bfloat16, on CPU and GPU alike.

    MMEngine's ``AmpOptimWrapper`` refuses to run without a GPU. bfloat16 has the range of float32,
    so no loss needs scaling: the forward pass runs under autocast, and everything else (backward,
    gradient clipping, gradient accumulation, checkpoints) is ``OptimWrapper``'s. On a processor
    without bfloat16, which would take many times as long, training is in float32; the log says so.

    Args: as ``OptimWrapper``.
    """

    _is_logged = False

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


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class ViTOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Lower the learning rate of a ViT backbone layer by layer, from its last to its first.

    With L blocks and the rate r, block i (from 0) learns at ``r ** (L - i)`` of the optimizer's
    rate, ``patch_embed`` and ``pos_embed`` of the backbone at ``r ** (L + 1)``, and everything
    else (the final LayerNorm, frame head, neck, head) at the full one. The layers are those of
    MMPose's ``LayerDecayOptimWrapperConstructor``, which ignores ``custom_keys`` and decides by
    itself which parameters have a weight decay; here ``paramwise_cfg`` sets both, and L is counted
    instead of configured.

    Args:
        optim_wrapper_cfg: As in ``DefaultOptimWrapperConstructor``.
        paramwise_cfg: As there, and ``layer_decay_rate``: r; 1, the default, decays nothing.

    Raises:
        InputError: When the optimizer is built, if r is not in 0..1.
    """

    def add_params(
        self,
        params: list[dict],
        module: nn.Module,
        prefix: str = '',
        is_dcn_module: int | float | None = None,
    ) -> None:
        """Add a group per parameter of ``module`` to ``params``."""
        super().add_params(params, module, prefix, is_dcn_module)
        # Called recursively for every submodule; names are relative to the whole model.
        rate = self.paramwise_cfg.get('layer_decay_rate', 1.0)
        if not 0 < rate <= 1:
            raise InputError(f'layer_decay_rate must be above 0 and at most 1, got {rate}')
        if prefix or rate == 1:
            return
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        blocks = {name.split('.')[2] for name in names.values() if name.startswith(BLOCKS)}
        # One layer before the blocks, one per block, and one for everything after them.
        num_layers = len(blocks) + 2
        for group in params:
            layer = get_num_layer_for_vit(names[id(group['params'][0])], num_layers)
            group['lr'] = group.get('lr', self.base_lr) * rate ** (num_layers - 1 - layer)
