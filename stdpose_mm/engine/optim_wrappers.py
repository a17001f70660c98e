"""An optimizer wrapper in bfloat16, and a constructor of learning rates by layer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmpose.engine.optim_wrappers.layer_decay_optim_wrapper import get_num_layer_for_vit
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from torch import nn

from stdpose_mm.bfloat16 import is_bfloat16_faster
from stdpose_mm.errors import InputError
from stdpose_mm.registration import register

BLOCKS = 'backbone.layers.'


@register(OPTIM_WRAPPERS)
class AutocastOptimWrapper(OptimWrapper):
    """Optimizer wrapper for mixed precision in bfloat16, on CPU and GPU.

    MMEngine's ``AmpOptimWrapper`` requires a GPU. bfloat16 has the range of float32, so losses need
    no scaling: the forward pass runs under autocast, and everything else (backward, gradient
    clipping, gradient accumulation, checkpoints) is done by ``OptimWrapper``. On a processor that
    is slower in bfloat16, training runs in float32, and the log says so.

    Args: As in ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast on the device of the model's parameters, within ``OptimWrapper``'s context."""
        device = next(model.parameters()).device.type
        enabled = is_bfloat16_faster(device)
        if not enabled:
            # MMEngine shows the same warning once.
            print_log(
                'this processor is slower in bfloat16 than in float32, so training is in float32',
                'current',
                logging.WARNING,
            )
        with super().optim_context(model), torch.autocast(device, torch.bfloat16, enabled=enabled):
            yield


@register(OPTIM_WRAPPER_CONSTRUCTORS)
class ViTOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Constructor of optimizers that lower the learning rate of a ViT backbone layer by layer.

    With L blocks and the rate r, block i (from 0) has the learning rate of the optimizer times
    ``r ** (L - i)``, ``patch_embed`` and ``pos_embed`` of the backbone times ``r ** (L + 1)``;
    everything else (the final LayerNorm, frame head, neck, head) has the full rate. The layers are
    the same as in MMPose's ``LayerDecayOptimWrapperConstructor``, which ignores ``custom_keys`` and
    decides itself which parameters have a weight decay. Here ``paramwise_cfg`` sets both, and L is
    counted instead of configured.

    Args:
        optim_wrapper_cfg: As in ``DefaultOptimWrapperConstructor``. ``AmpOptimWrapper``, which
            ``--amp`` of MMPose's ``tools/train.py`` sets, becomes :class:`AutocastOptimWrapper` on
            a CPU and with ``dtype='bfloat16'``.
        paramwise_cfg: As there, and ``layer_decay_rate``: r; the default 1 has no effect.

    Raises:
        InputError: If r is not in 0..1, when the optimizer is built.
    """

    optim_wrapper_cfg: dict[str, Any]

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer and its wrapper."""
        cfg = self.optim_wrapper_cfg
        is_on_cpu = next(model.parameters()).device.type == 'cpu'
        if cfg.get('type') == 'AmpOptimWrapper' and (is_on_cpu or cfg.get('dtype') == 'bfloat16'):
            for name in ('loss_scale', 'dtype', 'use_fsdp'):
                cfg.pop(name, None)
            cfg['type'] = 'STDPoseAutocastOptimWrapper'
        return super().__call__(model)

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
