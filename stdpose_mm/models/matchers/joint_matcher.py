from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmpose.registry import MODELS
from torch import Tensor, nn

_LEAST_CONTRAST = 8.0
"""Added to the spread of grey values, so that noise in uniform crops is not amplified."""

_TARGET_SIGMA = 0.03
_REACH, _STEPS = 0.36, 25
"""Search radius of training around a joint's centre in pose sizes, and positions per axis."""


@MODELS.register_module()
class JointMatcher(BaseModel):
    """Compute a descriptor at every position of a crop to find a joint again in other frames.

    A small convolutional network, the same for both frames; the similarity of two positions is the
    cosine of their descriptors. It learns to ignore changes of appearance: turning limbs, motion
    blur, compression. It depends on neither skeleton nor joint, so its weights serve any skeleton.

    Args:
        channels: Width.
        descriptor_channels: Length D of a descriptor.
        init_cfg: See :class:`BaseModel`.
    """

    stride = 2

    def __init__(
        self, channels: int = 48, descriptor_channels: int = 32, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.stem = nn.Sequential(
            _convolution(3, channels // 2, stride=2),
            _convolution(channels // 2, channels, stride=2),
        )
        self.blocks = nn.ModuleList(
            _convolution(channels, channels, dilation=dilation) for dilation in (1, 2, 4)
        )
        self.describe = nn.Conv2d(channels, descriptor_channels, 1)
        self.log_sharpness = nn.Parameter(torch.tensor(2.5))

    def forward(
        self,
        crops: Tensor,
        label_crops: Tensor | None = None,
        joints: Tensor | None = None,
        label_joints: Tensor | None = None,
        centres: Tensor | None = None,
        weights: Tensor | None = None,
        size: Tensor | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor]:
        """Describe crops, or compute the loss of matching.

        Args:
            crops: [B, 3, S, S] BGR from 0 to 255.
            label_crops: Crops of another frame of each video, in which joints are known.
            joints: [B, K, 2] true positions in pixels of ``crops``.
            label_joints: [B, K, 2] pixels of ``label_crops``.
            centres: [B, K, 2] pixels of ``crops`` around which the joints are looked for.
            weights: [B, K] 1 for joints that count, else 0.
            size: [B] larger side of the pose in pixels of the crops.
            mode: 'tensor' for the descriptors [B, D, S / 2, S / 2] of ``crops``, each of length 1;
                'loss' for the losses of MMEngine's training loop.
        """
        if mode == 'tensor':
            return self._describe(crops)
        assert label_crops is not None
        assert joints is not None
        assert label_joints is not None
        assert centres is not None
        assert weights is not None
        assert size is not None
        descriptors = self._describe(torch.cat([label_crops, crops]))
        of_labels, of_crops = descriptors.chunk(2)
        wanted = F.normalize(self._sample(of_labels, label_joints), dim=-1)
        offsets = torch.linspace(-_REACH, _REACH, _STEPS, device=crops.device)
        grid = torch.stack(torch.meshgrid(offsets, offsets, indexing='xy'), dim=-1).flatten(0, 1)
        places = centres[:, :, None] + grid * size[:, None, None, None]
        found = self._sample(of_crops, places.flatten(1, 2)).unflatten(1, places.shape[1:3])
        likeness = (found * wanted[:, :, None]).sum(-1) * self.log_sharpness.exp()
        distance = (places - joints[:, :, None]).norm(dim=-1) / size[:, None, None]
        # Joints outside the search radius cannot be found.
        counted = weights * (distance.amin(-1) < _TARGET_SIGMA)
        target = (-0.5 * (distance / _TARGET_SIGMA).square()).softmax(-1)
        loss = -(target * likeness.log_softmax(-1)).sum(-1)
        return {'loss_match': (loss * counted).sum() / counted.sum().clamp(min=1)}

    def _describe(self, crops: Tensor) -> Tensor:
        mean = crops.mean((1, 2, 3), keepdim=True)
        spread = (crops - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
        features = self.stem((crops - mean) / (spread + _LEAST_CONTRAST))
        for block in self.blocks:
            features = features + block(features)
        # Interpolation shortens descriptors; at twice the size the effect is small.
        descriptors = F.interpolate(
            self.describe(features), scale_factor=2.0, mode='bilinear', align_corners=False
        )
        return F.normalize(descriptors, dim=1)

    def _sample(self, descriptors: Tensor, points: Tensor) -> Tensor:
        """Interpolate descriptors [B, D, h, w] at pixels [B, N, 2] of the crops: [B, N, D]."""
        side = descriptors.shape[-1] * self.stride
        grid = ((points + 0.5) / side * 2 - 1)[:, :, None]
        sampled = F.grid_sample(descriptors, grid, align_corners=False, padding_mode='border')
        return sampled[..., 0].transpose(1, 2)


def _convolution(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
