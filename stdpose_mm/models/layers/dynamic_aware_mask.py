from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError


def modified_sigmoid(x: Tensor, slope: float, threshold: float) -> Tensor:
    """Compute Sig_m of Eq. 3, ``1 / (1 + exp(-slope * (|x| - threshold)))``, elementwise."""
    return torch.sigmoid(slope * (x.abs() - threshold))


@MODELS.register_module()
class DynamicAwareMask(BaseModule):
    """Dynamic-Aware Mask (DAM, Sec. 3.2, Eq. 3): where the pose moves within a window.

    The forward residual H_t - H_l and the backward residual H_r - H_t pass Eq. 3 per channel, are
    compressed to one channel each, added with learnable weights, and made a distribution over
    space by a softmax.

    After a softmax over h * w positions the values are near 1 / (h * w), so that the masked
    heatmaps all but vanish beside the unmasked ones; ``rescale`` multiplies the mask by h * w,
    which makes its mean 1.

    Args:
        num_joints: Number of joints K.
        slope: k of Eq. 3, positive.
        threshold: theta of Eq. 3.
        rescale: Whether the mask has mean 1 (``True``) or sum 1 (``False``, the paper's form).
    """

    def __init__(
        self,
        num_joints: int,
        slope: float = 1.5,
        threshold: float = 0.5,
        rescale: bool = False,
    ) -> None:
        super().__init__()
        if slope <= 0:
            raise InputError(f'slope must be positive, got {slope}')
        self.slope = slope
        self.threshold = threshold
        self.rescale = rescale
        # No bias: the softmax over space would cancel it.
        self.compress = nn.Conv2d(num_joints, 1, kernel_size=1, bias=False)
        self.direction_weights = nn.Parameter(torch.full((2,), 0.5))

    def forward(self, frame_heatmaps: Tensor) -> Tensor:
        """Compute the motion mask.

        Args:
            frame_heatmaps: H_l, H_t, H_r with shape [N, 3, K, h, w].

        Returns:
            M_t with shape [N, 1, h, w], float32.
        """
        # Not diff(), which cannot be exported to ONNX.
        residuals = frame_heatmaps[:, 1:] - frame_heatmaps[:, :-1]
        activated = modified_sigmoid(residuals, self.slope, self.threshold)
        compressed = self.compress(activated.flatten(0, 1)).unflatten(0, (-1, 2))
        motion = torch.einsum('d,ndchw->nchw', self.direction_weights, compressed.float())
        mask = motion.flatten(2).softmax(-1).view_as(motion)
        return mask * motion[0].numel() if self.rescale else mask
