from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class SpatialMotionConcatenation(BaseModule):
    """Concatenation of both features and a 1x1 convolution, the baseline of mutual learning.

    Like mutual learning, it starts as the mean of both features.

    Args:
        embed_dims: Width D of both features.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(2 * embed_dims, embed_dims, kernel_size=1)
        half = torch.eye(embed_dims) / 2
        self.project.weight = nn.Parameter(torch.cat((half, half), dim=1)[..., None, None])
        nn.init.zeros_(self.project.get_parameter('bias'))

    def forward(self, spatial: Tensor, motion: Tensor) -> Tensor:
        """Fuse the key frame's and the motion feature, [N, D, h', w'] each, to [N, D, h', w']."""
        return self.project(torch.cat((spatial, motion), dim=1))
