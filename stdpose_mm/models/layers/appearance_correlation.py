from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

EPSILON = 1e-6


@MODELS.register_module()
class AppearanceCorrelation(BaseModule):
    """Correlation of each joint's appearance in the auxiliary frames with the key frame.

    Features are brought to the size of the heatmaps. A joint's appearance in an auxiliary frame is
    the mean of that frame's features, weighted by the joint's heatmap there (that of the given
    label, where there is one). Its cosine similarity with the feature at every position of the key
    frame shows where the joint may have moved. No parameter belongs to a single joint.

    Args:
        embed_dims: Width D of the features.
        channels: Width C of the features that are compared.
        upsample: Size of a heatmap relative to the features.
    """

    def __init__(self, embed_dims: int, channels: int = 32, upsample: int = 4) -> None:
        super().__init__()
        self.upsample = nn.Sequential(
            nn.Conv2d(embed_dims, channels * upsample**2, kernel_size=1),
            nn.PixelShuffle(upsample),
            # Without this convolution patches of neighbouring features would not fit together.
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )

    def forward(
        self, aux_features: Tensor, key_feature: Tensor, aux_heatmaps: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compare the auxiliary frames with the key frame.

        Args:
            aux_features: [N, A, D, h', w'] of A auxiliary frames.
            key_feature: [N, D, h', w'] of the key frame.
            aux_heatmaps: [N, A, K, h, w].

        Returns:
            Cosine similarities [N, A, K, h, w], 0 for joints with an empty map, and the key
            frame's feature at the size of the heatmaps [N, C, h, w], float32.
        """
        num_aux = aux_features.shape[1]
        frames = torch.cat((aux_features, key_feature[:, None]), dim=1)
        fine = self.upsample(frames.flatten(0, 1)).float().unflatten(0, (-1, num_aux + 1))
        directions = F.normalize(fine, dim=2, eps=EPSILON).flatten(3)
        weights = aux_heatmaps.float().clamp(min=0).flatten(3)
        appearance = torch.einsum('nakp,nacp->nakc', weights, directions[:, :-1])
        # A joint with an empty map has no appearance.
        height = weights.amax(-1, keepdim=True).clamp(max=1)
        appearance = F.normalize(appearance, dim=-1, eps=EPSILON) * height
        similarity = torch.einsum('nakc,ncp->nakp', appearance, directions[:, -1])
        return similarity.unflatten(-1, aux_heatmaps.shape[-2:]), fine[:, -1]
