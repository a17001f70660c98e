from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import SpatioTemporalRepresentation

from .decoder_head import DecoderHead

SOURCES = ('frame_feature', 'fused_feature', 'merged_heatmaps')


@MODELS.register_module()
class SingleSourceHead(DecoderHead):
    """Heatmap head on one field of the representation, for ablations and baselines.

    On ``frame_feature`` the model is a per-frame estimator, on ``fused_feature`` it has TFF alone,
    on ``merged_heatmaps`` (with ``deconv_out_channels=None``: one 1x1 convolution) TKS alone. If
    also ``final_layer=None``, the neck's maps are the final heatmaps.

    Args:
        source: Name of the field of :class:`SpatioTemporalRepresentation` to read.
        **kwargs: Arguments of :class:`DecoderHead`.
    """

    def __init__(self, source: str, **kwargs: Any) -> None:
        if source not in SOURCES:
            raise InputError(f'source must be one of {SOURCES}, got {source!r}')
        super().__init__(**kwargs)
        self.source = source

    @property
    def default_init_cfg(self) -> dict[str, Any]:
        """Start from nearly empty heatmaps, yet let the gradient reach the source."""
        return dict(type='Normal', override=dict(type='Normal', name='final_layer', std=0.01))

    def forward(self, feats: SpatioTemporalRepresentation) -> Tensor:
        """Decode the source.

        Args:
            feats: Representation of a batch of windows.

        Returns:
            Heatmaps [N, K, h, w], float32 under autocast too (they are decoded by NumPy).

        Raises:
            InputError: If the neck does not provide the source.
        """
        source = getattr(feats, self.source)
        if source is None:
            raise InputError(f'the neck does not provide {self.source!r} to the head')
        return self.to_heatmaps(source)
