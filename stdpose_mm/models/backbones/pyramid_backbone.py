from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.registration import register


@register(MODELS)
class PyramidBackbone(BaseModule):
    """Backbone that folds the feature maps of a pretrained network into one feature.

    The models here read one feature map of 1/16 of the picture, from which heads of 1/4 are
    upsampled. Finer maps of the network are therefore embedded patch by patch, coarser ones are
    enlarged, and their sum is normalised. The settings of the learning rate know the network as
    ``backbone.network``: ``custom_keys={'backbone.network': dict(lr_mult=0.3)}``.

    Args:
        network: Config of the network, :class:`OnnxNetwork` or :class:`TimmNetwork`: a module with
            ``channels`` and ``strides`` of the maps that it returns.
        embed_dims: Width D of the feature.
        stride: Stride of the feature in pixels.
        frozen: Whether the network keeps its weights and statistics in training.
    """

    def __init__(
        self, network: dict, embed_dims: int, stride: int = 16, frozen: bool = False
    ) -> None:
        super().__init__()
        self.stride, self.frozen = stride, frozen
        self.network: Any = MODELS.build(network).requires_grad_(not frozen)
        self.embeddings = nn.ModuleList(
            nn.Conv2d(channels, embed_dims, kernel_size=scale, stride=scale)
            for channels, step in zip(self.network.channels, self.network.strides, strict=True)
            for scale in [max(stride // step, 1)]
        )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        # PyTorch convolves several times faster on a CPU if the channels come last in memory.
        self.to(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> PyramidBackbone:
        """Set the mode; a frozen network stays in that of prediction."""
        super().train(mode)
        self.network.train(mode and not self.frozen)
        return self

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Extract the feature of normalised RGB images [N, 3, H, W], [N, D, H / 16, W / 16].

        Raises:
            InputError: If H or W is no multiple of all strides.
        """
        multiple, sides = max(*self.network.strides, self.stride), images.shape[-2:]
        if any(side % multiple for side in sides):
            raise InputError(f'the sides of crops must be multiples of {multiple}, got {[*sides]}')
        maps = self.network(images.contiguous(memory_format=torch.channels_last))
        embedded = [embed(values) for embed, values in zip(self.embeddings, maps, strict=True)]
        size = [side // self.stride for side in sides]
        # Maps that have this size already stay as they are.
        feature: Any = sum(F.interpolate(values, size, mode='bilinear') for values in embedded)
        return (self.norm(feature.movedim(1, 3)).movedim(3, 1),)
