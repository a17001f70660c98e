from __future__ import annotations

from typing import Any

from mmpose.models.heads import HeatmapHead
from torch import Tensor


class RepresentationHead(HeatmapHead):
    """Classic heatmap head with layers of a subclass before it."""

    @property
    def default_init_cfg(self) -> dict[str, Any]:
        """Start from empty heatmaps.

        :class:`HeatmapHead` gives every convolution a standard deviation of 0.001, which would
        also silence the layers before.
        """
        return dict(type='Normal', override=dict(type='Normal', name='final_layer', std=0.001))

    def decode_feature(self, feature: Tensor) -> Tensor:
        """Decode a feature map.

        Args:
            feature: [N, D, h', w'].

        Returns:
            Heatmaps [N, K, h, w], float32 under autocast too (they are decoded by NumPy).
        """
        return HeatmapHead.forward(self, (feature,)).float()
