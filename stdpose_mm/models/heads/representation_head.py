from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers import conv_block, convolve_upsampled
from stdpose_mm.models.structures import SpatioTemporalRepresentation

from .decoder_head import DecoderHead


class RepresentationHead(DecoderHead):
    """Heatmap head with layers of a subclass before it.

    It may have a path at full resolution (beyond the papers): the neck's ``merged_feature``, which
    has the size of the heatmaps, joins the subclass's tokens and the upsampled feature.

    Args:
        *args: Arguments of :class:`DecoderHead`.
        **kwargs: Arguments of :class:`DecoderHead`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.feature_embed: nn.Conv2d | None = None
        self.refine: nn.Sequential | None = None

    @property
    def default_init_cfg(self) -> dict[str, Any]:
        """Start from empty heatmaps.

        MMPose's ``HeatmapHead`` gives every convolution a standard deviation of 0.001, which would
        also silence the layers before.
        """
        return dict(type='Normal', override=dict(type='Normal', name='final_layer', std=0.001))

    def add_full_resolution_path(
        self, merged_channels: int, patch_size: int, refine_channels: int | None = None
    ) -> None:
        """Add the layers of the path at full resolution; called when the head is built.

        Args:
            merged_channels: Width C of the neck's ``merged_feature``.
            patch_size: Side of the patch that joins a token, in heatmap pixels.
            refine_channels: Width of the feature that the last layer reads. ``None`` means that of
                the upsampled feature, or C with the simple decoder.
        """
        before = self.final_layer.in_channels
        width = before if refine_channels is None else refine_channels
        if refine_channels is None and self.upsample is not None:
            # With the backbone's width, this path would cost more than all other parts after it.
            width = merged_channels
        if refine_channels is not None or self.upsample is not None:
            self.final_layer = nn.Conv2d(width, self.out_channels, kernel_size=1)
        self.feature_embed = nn.Conv2d(
            merged_channels, self.in_channels, patch_size, stride=patch_size, bias=False
        )
        self.refine = conv_block(before + merged_channels, width)

    def join_merged_feature(self, tokens: Tensor, feats: SpatioTemporalRepresentation) -> Tensor:
        """Add the merged feature to tokens [N, D, h', w'], if the head has the path for it.

        Raises:
            InputError: If the neck provides no ``merged_feature``.
        """
        if self.feature_embed is None:
            return tokens
        if feats.merged_feature is None:
            raise InputError(
                'merged_channels needs a neck with a merged feature, use '
                'AppearanceKeypointsSynthesis as its tks'
            )
        return tokens + self.feature_embed(feats.merged_feature)

    def decode_feature(self, feature: Tensor, merged_feature: Tensor | None = None) -> Tensor:
        """Decode a feature map.

        Args:
            feature: [N, D, h', w'].
            merged_feature: [N, C, h, w], read by the path at full resolution.

        Returns:
            Heatmaps [N, K, h, w], float32 under autocast too (they are decoded by NumPy).
        """
        if self.refine is None or merged_feature is None:
            return self.to_heatmaps(feature)
        if self.upsample is not None:
            return self._decode_simply(feature, merged_feature, self.refine, self.upsample)
        upsampled = self.conv_layers(self.deconv_layers(feature))
        both = torch.cat((upsampled, merged_feature.to(upsampled.dtype)), dim=1)
        return self.final_layer(self.refine(both)).float()

    def _decode_simply(
        self, feature: Tensor, merged_feature: Tensor, refine: nn.Sequential, upsample: int
    ) -> Tensor:
        """Apply ``refine`` to both, the first upsampled, and then the last layer."""
        convolution: Any
        convolution, *others = refine
        widths = feature.shape[1], merged_feature.shape[1]
        of_feature, of_merged = convolution.weight.split(widths, dim=1)
        both = F.conv2d(merged_feature, of_merged, padding=1) + convolve_upsampled(
            feature.relu(), of_feature, convolution.bias, upsample
        )
        for layer in others:
            both = layer(both)
        return self.final_layer(both).float()
