from __future__ import annotations

import torch
from mmengine.model import BaseModule, normal_init
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.models.structures import AuxiliaryLabels
from stdpose_mm.structures import NUM_FRAMES, key_place


@MODELS.register_module()
class GivenPoseEmbedding(BaseModule):
    """Patch embedding of the heatmaps of the poses that are given in a window.

    The left and the right frame have the heatmaps of their labels, the key frame that of the pose
    interpolated between them. A joint that is not given has an empty map, and so have all joints of
    further auxiliary frames.

    Args:
        num_joints: Number of joints K.
        embed_dims: Width D of the tokens.
        use_prior: Whether the interpolated pose is embedded; otherwise the key frame's maps are
            empty.
        patch_size: Side of the heatmap patch that makes a token, in heatmap pixels.
        init_std: Standard deviation of the weights at the start; ``None`` for PyTorch's own, from
            which label tokens are a tenth as large as normalised features and have little effect.
    """

    def __init__(
        self,
        num_joints: int,
        embed_dims: int,
        use_prior: bool = False,
        patch_size: int = 4,
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        self.label = _patch_embedding(num_joints, embed_dims, patch_size)
        self.prior = _patch_embedding(num_joints, embed_dims, patch_size) if use_prior else None
        if init_std is not None:
            for embedding in (self.label, self.prior):
                if embedding is not None:
                    normal_init(embedding, std=init_std)

    def forward(self, given: AuxiliaryLabels, num_frames: int = NUM_FRAMES) -> Tensor:
        """Embed the given labels of N windows.

        Args:
            given: Labels with heatmaps [N, 2, K, h, w].
            num_frames: Number T of frames of a window.

        Returns:
            Tokens [N, T, L, D]; zeros for the frames between the left and the right frame, except
            for the key frame with a prior.
        """
        shown = given.heatmaps * given.mask[..., None, None]
        left, right = self.label(shown.flatten(0, 1)).unflatten(0, (-1, 2)).unbind(1)
        empty = torch.zeros_like(left)
        key = empty if self.prior is None else self.prior(given.prior)
        further = (empty,) * (key_place(num_frames) - 1)
        tokens = torch.stack((left, *further, key, *further, right), dim=1)
        return tokens.flatten(3).transpose(2, 3)


def _patch_embedding(num_joints: int, embed_dims: int, patch_size: int) -> nn.Conv2d:
    # No bias: a window without labels must equal a window with empty maps.
    return nn.Conv2d(num_joints, embed_dims, patch_size, stride=patch_size, bias=False)
