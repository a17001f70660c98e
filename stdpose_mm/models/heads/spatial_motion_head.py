from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import SpatioTemporalRepresentation

from .representation_head import RepresentationHead


@MODELS.register_module()
class SpatialMotionHead(RepresentationHead):
    """Fusion of the key frame's feature and the motion feature, and the final heatmaps.

    Loss, prediction and decoding are those of :class:`HeatmapHead`.

    Args:
        fusion: Config of the module that makes one feature of two: SpatialMotionMutualLearning,
            or SpatialMotionConcatenation.
        **kwargs: Arguments of :class:`HeatmapHead`.
    """

    def __init__(self, fusion: dict, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fusion = MODELS.build(fusion)

    def forward(self, feats: SpatioTemporalRepresentation) -> Tensor:
        """Fuse both features and decode the heatmaps.

        Args:
            feats: Representation with ``frame_feature`` and ``fused_feature``.

        Returns:
            Heatmaps [N, K, h, w], float32.

        Raises:
            InputError: If the neck provides no ``fused_feature``.
        """
        if feats.fused_feature is None:
            raise InputError('SpatialMotionHead needs a neck with a motion feature, use MLSME')
        return self.decode_feature(self.fusion(feats.frame_feature, feats.fused_feature))
