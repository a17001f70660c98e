from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError, require_choice, require_positive
from stdpose_mm.registration import register
from stdpose_mm.structures import NUM_FRAMES, key_index
from stdpose_mm.structures.windows import require_num_frames

NORMALIZATIONS = ('softmax', 'mean')


def modified_sigmoid(x: Tensor, slope: float, threshold: float) -> Tensor:
    """Compute Sig_m of Eq. 3, ``1 / (1 + exp(-slope * (|x| - threshold)))``, elementwise."""
    return torch.sigmoid(slope * (x.abs() - threshold))


def motion_residuals(frame_heatmaps: Tensor) -> Tensor:
    """Subtract earlier frames' maps from the key frame's, and the key frame's from later ones.

    Args:
        frame_heatmaps: H_l, H_t, H_r with shape [N, T, K, h, w].

    Returns:
        [N, T - 1, K, h, w] in the order of the auxiliary frames; for three frames H_t - H_l and
        H_r - H_t.
    """
    place = key_index(frame_heatmaps.shape[1])
    key = frame_heatmaps[:, place : place + 1]
    return torch.cat((key - frame_heatmaps[:, :place], frame_heatmaps[:, place + 1 :] - key), dim=1)


@register(MODELS)
class DynamicAwareMask(BaseModule):
    """Dynamic-Aware Mask (DAM, Sec. 3.2, Eq. 3): where the pose moves within a window.

    Eq. 3 is applied per channel to the forward residual H_t - H_l and the backward residual
    H_r - H_t. Both are compressed to one channel each, added with learnable weights, and normalised
    over space.

    The paper has three frames and therefore two directions. With more frames every auxiliary frame
    is a separate direction, with its own residual to the key frame and its own weight: H_t - H_i
    for each frame i before, H_i - H_t for each frame i after. For three frames these are the
    paper's two.

    ``normalization='softmax'`` is the paper's form. Its values are near 1 / (h * w), so the masked
    heatmaps almost vanish beside the unmasked ones, and nearly equal, because the weights of the
    compression are small and of either sign.

    ``normalization='mean'`` is the form that has an effect: the weights of the compression and of
    the directions are positive and initially equal, and the mask is divided by its mean over space.
    It is largest where most joints move most, in the proportions of Eq. 3: with slope 10 and
    threshold 0.5 the mask is nearly 0 where nothing moves.

    Args:
        num_joints: Number of joints K.
        slope: k of Eq. 3, positive.
        threshold: theta of Eq. 3.
        normalization: 'softmax', whose mask has sum 1, or 'mean', whose mask has mean 1.
        num_frames: Number T of frames.

    Raises:
        InputError: If an argument is out of range.
    """

    def __init__(
        self,
        num_joints: int,
        slope: float = 1.5,
        threshold: float = 0.5,
        normalization: str = 'softmax',
        num_frames: int = NUM_FRAMES,
    ) -> None:
        super().__init__()
        require_num_frames(num_frames)
        require_positive(slope=slope)
        require_choice('normalization', normalization, NORMALIZATIONS)
        self.slope = slope
        self.threshold = threshold
        self.normalization = normalization
        self.num_joints = num_joints
        self.num_frames = num_frames
        directions = num_frames - 1
        if normalization == 'mean':
            self.joint_weights = nn.Parameter(torch.zeros(num_joints))
            self.direction_weights = nn.Parameter(torch.zeros(directions))
        else:
            # No bias, since the normalisation would cancel it.
            self.compress = nn.Conv2d(num_joints, 1, kernel_size=1, bias=False)
            self.direction_weights = nn.Parameter(torch.full((directions,), 1 / directions))

    def forward(self, frame_heatmaps: Tensor) -> Tensor:
        """Compute the motion mask.

        Args:
            frame_heatmaps: H_l, H_t, H_r with shape [N, T, K, h, w].

        Returns:
            M_t with shape [N, 1, h, w], float32.

        Raises:
            InputError: If the windows have another number of frames.
        """
        if frame_heatmaps.shape[1] != self.num_frames:
            raise InputError(
                f'the mask is for windows of {self.num_frames} frames, got '
                f'{frame_heatmaps.shape[1]}, set num_frames of neck and mask to the same number'
            )
        residuals = motion_residuals(frame_heatmaps)
        activated = modified_sigmoid(residuals, self.slope, self.threshold)
        if self.normalization == 'mean':
            return self._relative_motion(activated.float())
        compressed = self.compress(activated.flatten(0, 1)).unflatten(0, (-1, self.num_frames - 1))
        motion = torch.einsum('d,ndchw->nchw', self.direction_weights, compressed.float())
        return motion.flatten(2).softmax(-1).view_as(motion)

    def _relative_motion(self, activated: Tensor) -> Tensor:
        """Divide the weighted sum over directions and joints [N, T - 1, K, h, w] by its mean."""
        directions = F.softplus(self.direction_weights)
        joints = F.softplus(self.joint_weights)
        motion = torch.einsum('d,k,ndkhw->nhw', directions, joints, activated)[:, None]
        return motion / motion.mean((-2, -1), keepdim=True)
