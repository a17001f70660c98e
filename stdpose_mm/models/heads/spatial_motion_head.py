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
        fusion: Config of the module that fuses the two features: SpatialMotionMutualLearning, or
            SpatialMotionConcatenation.
        merged_channels: Width C of the neck's ``merged_feature``, which then joins the motion
            feature and the upsampled one: a path at full resolution (beyond the paper). ``None``
            to leave it out.
        patch_size: Side of the patch of ``merged_feature`` that joins a place of the motion
            feature, in heatmap pixels.
        **kwargs: Arguments of :class:`HeatmapHead`.
    """

    def __init__(
        self,
        fusion: dict,
        merged_channels: int | None = None,
        patch_size: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fusion = MODELS.build(fusion)
        if merged_channels is not None:
            self.add_full_resolution_path(merged_channels, patch_size)

    def forward(self, feats: SpatioTemporalRepresentation) -> Tensor:
        """Fuse both features and decode the heatmaps.

        Args:
            feats: Representation with ``frame_feature``, ``fused_feature`` and, for the path at
                full resolution, ``merged_feature``.

        Returns:
            Heatmaps [N, K, h, w], float32.

        Raises:
            InputError: If the neck provides no ``fused_feature``, or the head reads a
                ``merged_feature`` that the neck does not provide or the reverse.
        """
        if feats.fused_feature is None:
            raise InputError('SpatialMotionHead needs a neck with a motion feature, use MLSME')
        if feats.merged_feature is not None and self.refine is None:
            raise InputError("nothing reads what the neck's tks found, set merged_channels")
        motion = self.join_merged_feature(feats.fused_feature, feats)
        return self.decode_feature(self.fusion(feats.frame_feature, motion), feats.merged_feature)
