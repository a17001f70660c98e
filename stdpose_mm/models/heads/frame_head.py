from __future__ import annotations

from mmpose.registry import MODELS
from torch import Tensor

from .decoder_head import DecoderHead


@MODELS.register_module()
class FrameHead(DecoderHead):
    """Heatmap head, classic or simple, applied to every frame of a window by itself.

    Parameters are those of :class:`HeatmapHead`, so that the head of a ViTPose checkpoint loads.
    """

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Decode a feature map.

        Args:
            feats: One feature map [N, D, h', w'] in a tuple.

        Returns:
            Heatmaps [N, K, h, w], float32 under autocast too (they are decoded by NumPy).
        """
        return self.to_heatmaps(feats[-1])
