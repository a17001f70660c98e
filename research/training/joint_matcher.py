from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmpose.registry import MODELS
from torch import Tensor, nn

_LEAST_CONTRAST = 8.0
"""Constant added to the spread of grey values, so that noise in uniform crops is not amplified."""

_TARGET_SIGMA = 0.03
_REACH, _STEPS = 0.36, 25
"""Search radius of training around a joint's centre in pose sizes, and positions per axis."""


@MODELS.register_module()
class JointMatcher(BaseModel):
    """Compute a descriptor at every position of a crop to find a joint again in other frames.

    One small convolutional network describes both frames; the similarity of two positions is the
    cosine of their descriptors. It learns to ignore changes of appearance: turning limbs, motion
    blur, compression. Features at a quarter of the crop's size are joined with features at an
    eighth and a sixteenth, which see the whole person and so distinguish limbs that look alike. It
    depends on neither skeleton nor joint, so its weights serve any skeleton.

    Args:
        channels: Width at a quarter of the crop's size.
        context_channels: Width at an eighth and a sixteenth.
        descriptor_channels: Length D of a descriptor.
    """

    stride = 2

    def __init__(
        self, channels: int = 64, context_channels: int = 96, descriptor_channels: int = 32
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(3, channels // 2, stride=2),
            _convolution(channels // 2, channels, stride=2),
        )
        self.blocks = _Residuals(channels, dilations=(1, 2, 4))
        self.halve = _convolution(channels, context_channels, stride=2)
        self.context = _Residuals(context_channels, dilations=(1, 1))
        self.halve_context = _convolution(context_channels, context_channels, stride=2)
        self.wide_context = _Residuals(context_channels, dilations=(1, 1, 1))
        self.project_wide = nn.Conv2d(context_channels, context_channels, 1)
        self.project = nn.Conv2d(context_channels, channels, 1)
        self.refine = _Residuals(channels, dilations=(1, 1))
        self.describe = nn.Conv2d(channels, descriptor_channels, 1)
        self.log_sharpness = nn.Parameter(torch.tensor(2.5))

    def forward(
        self, crops: Tensor, mode: str = 'tensor', **pairs: Tensor
    ) -> Tensor | dict[str, Tensor]:
        """Describe crops, or compute the loss of matching.

        Args:
            crops: [B, 3, S, S] BGR from 0 to 255.
            mode: 'tensor' for the descriptors [B, D, S / 2, S / 2] of ``crops``, each of length 1;
                'loss' for the losses of MMEngine's training loop.
            **pairs: For the loss, the other arguments of :meth:`match_loss`.
        """
        if mode == 'tensor':
            return self._describe(crops)
        return {'loss_match': self.match_loss(crops, **pairs)}

    def match_loss(
        self,
        crops: Tensor,
        label_crops: Tensor,
        joints: Tensor,
        label_joints: Tensor,
        centres: Tensor,
        weights: Tensor,
        size: Tensor,
    ) -> Tensor:
        """Compute the loss of finding joints again.

        Args:
            crops: [B, 3, S, S] BGR from 0 to 255.
            label_crops: Crops of another frame of each video, in which joints are known.
            joints: [B, K, 2] true positions in pixels of ``crops``.
            label_joints: [B, K, 2] pixels of ``label_crops``.
            centres: [B, K, 2] pixels of ``crops`` around which the joints are searched for.
            weights: [B, K] 1 for joints that count, else 0.
            size: [B] larger side of the pose in pixels of the crops.
        """
        descriptors = self._describe(torch.cat([label_crops, crops]))
        of_labels, of_crops = descriptors.chunk(2)
        wanted = _interpolate(of_labels, label_joints, self.stride).transpose(1, 2)
        wanted = F.normalize(wanted, dim=-1)
        offsets = torch.linspace(-_REACH, _REACH, _STEPS, device=crops.device)
        grid = torch.stack(torch.meshgrid(offsets, offsets, indexing='xy'), dim=-1).flatten(0, 1)
        places = centres[:, :, None] + grid * size[:, None, None, None]
        # Interpolating one map for each joint is the same as interpolating all descriptors.
        maps = torch.einsum('bkd,bdhw->bkhw', wanted, of_crops).flatten(0, 1)[:, None]
        found = _interpolate(maps, places.flatten(0, 1), self.stride)
        likeness = found[:, 0].unflatten(0, places.shape[:2]) * self.log_sharpness.exp()
        distance = (places - joints[:, :, None]).norm(dim=-1) / size[:, None, None]
        # Joints outside the search radius cannot be found.
        counted = weights * (distance.amin(-1) < _TARGET_SIGMA)
        target = (-0.5 * (distance / _TARGET_SIGMA).square()).softmax(-1)
        loss = -(target * likeness.log_softmax(-1)).sum(-1)
        return (loss * counted).sum() / counted.sum().clamp(min=1)

    def _describe(self, crops: Tensor) -> Tensor:
        mean = crops.mean((1, 2, 3), keepdim=True)
        spread = (crops - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
        features = self.blocks(self.stem((crops - mean) / (spread + _LEAST_CONTRAST)))
        context = self.context(self.halve(features))
        wide = self.wide_context(self.halve_context(context))
        context = context + _double(self.project_wide(wide))
        features = self.refine(features + _double(self.project(context)))
        # Interpolation shortens descriptors; enlarging only twofold keeps the effect small.
        return F.normalize(_double(self.describe(features)), dim=1)


class _Residuals(nn.Sequential):
    """Residual block: adds the result of a sequence of convolutions to the features."""

    def __init__(self, channels: int, dilations: Sequence[int]) -> None:
        super().__init__(*(_convolution(channels, channels, dilation=each) for each in dilations))

    def forward(self, features: Tensor) -> Tensor:
        for convolution in self:
            features = features + convolution(features)
        return features


def _double(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2.0, mode='bilinear', align_corners=False)


def _interpolate(maps: Tensor, points: Tensor, stride: int) -> Tensor:
    """Interpolate maps [B, D, h, w] at pixels [B, N, 2] of the crops: [B, D, N]."""
    size = points.new_tensor((maps.shape[-1] * stride, maps.shape[-2] * stride))
    grid = ((points + 0.5) / size * 2 - 1)[:, :, None]
    return F.grid_sample(maps, grid, align_corners=False, padding_mode='border')[..., 0]


def _convolution(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
