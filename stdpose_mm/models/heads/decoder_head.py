from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.models.layers.convolutions import conv_block, convolve_upsampled
from stdpose_mm.models.structures import SpatioTemporalRepresentation
from stdpose_mm.registration import register

SOURCES = ('frame_feature', 'fused_feature', 'merged_heatmaps')


class DecoderHead(HeatmapHead):
    """Heatmap head with a choice of decoders; the base class of all heads here.

    The classic decoder of ViTPose consists of the deconvolutions of :class:`HeatmapHead`. Its
    simple decoder consists of a ReLU, bilinear upsampling and one convolution; the parameters are
    ``final_layer.weight`` and ``final_layer.bias``, as in released checkpoints. Maps of the simple
    decoder cannot have a peak between two positions of the feature map. Maps of the sub-pixel
    decoder (Shi et al., "Real-Time Single Image and Video Super-Resolution") can: one linear layer
    maps each position to all pixels of its patch.

    A subclass may add a path at full resolution (beyond the papers): the neck's ``merged_feature``,
    which has the size of the heatmaps, is added to the tokens and concatenated with the upsampled
    feature.

    Args:
        upsample: Factor of the upsampling in one step; ``None`` for the classic decoder.
        shuffle_channels: Width of the sub-pixel decoder at the size of the heatmaps; ``None`` for
            the simple decoder.
        **kwargs: Arguments of :class:`HeatmapHead`. With ``upsample``, ``deconv_out_channels`` and
            ``conv_out_channels`` are ``None``, and ``final_layer`` has a 3x3 kernel by default.

    Raises:
        InputError: If several decoders are configured, or there is no final layer to upsample.
    """

    final_layer: Any
    final_std = 0.001
    """Initial standard deviation of the last layer's weights."""

    def __init__(
        self, *, upsample: int | None = None, shuffle_channels: int | None = None, **kwargs: Any
    ) -> None:
        if upsample is None and shuffle_channels is not None:
            raise InputError(f'shuffle_channels={shuffle_channels} needs upsample, set it too')
        if upsample is not None:
            replaced = ('deconv_out_channels', 'conv_out_channels')
            if (
                upsample < 1
                or any(kwargs.get(name) for name in replaced)
                or kwargs.get('final_layer', True) is None
            ):
                raise InputError(
                    f'upsample={upsample} must be at least 1, needs a final_layer and takes the '
                    f'place of {" and ".join(replaced)}, set these to None'
                )
            kwargs.update(deconv_out_channels=None, deconv_kernel_sizes=None)
            kwargs.setdefault('final_layer', dict(kernel_size=3, padding=1))
        super().__init__(**kwargs)
        self.upsample = upsample if shuffle_channels is None else None
        self._is_pointwise = getattr(self.final_layer, 'kernel_size', None) == (1, 1)
        if upsample is not None and shuffle_channels is not None:
            last = self.final_layer
            self.deconv_layers = nn.Sequential(
                nn.Conv2d(last.in_channels, shuffle_channels * upsample**2, 1, bias=False),
                nn.PixelShuffle(upsample),
                nn.BatchNorm2d(shuffle_channels),
                nn.ReLU(inplace=True),
            )
            self.final_layer = nn.Conv2d(
                shuffle_channels, last.out_channels, last.kernel_size, padding=last.padding
            )
        self.feature_embed: nn.Conv2d | None = None
        self.refine: nn.Sequential | None = None

    @property
    def default_init_cfg(self) -> dict[str, Any]:
        """Return an initialisation with nearly empty heatmaps.

        MMPose's ``HeatmapHead`` gives every convolution a standard deviation of 0.001, which would
        also silence the layers before the last one.
        """
        last = dict(type='Normal', name='final_layer', std=self.final_std)
        return dict(type='Normal', override=last)

    def add_full_resolution_path(
        self, merged_channels: int, patch_size: int = 4, refine_channels: int | None = None
    ) -> None:
        """Add the layers of the path at full resolution, when the head is built.

        Args:
            merged_channels: Width C of the neck's ``merged_feature``.
            patch_size: Side of the patch that is added to a token, in heatmap pixels.
            refine_channels: Width of the feature that the last layer reads. ``None`` means the
                width of the upsampled feature, or C with the simple decoder.
        """
        before = self.final_layer.in_channels
        width = before if refine_channels is None else refine_channels
        if refine_channels is None and self.upsample is not None:
            # With the backbone's width, this path would cost more than all other parts after the
            # backbone.
            width = merged_channels
        if refine_channels is not None or self.upsample is not None:
            self.final_layer = nn.Conv2d(width, self.out_channels, kernel_size=1)
        self.feature_embed = nn.Conv2d(
            merged_channels, self.in_channels, patch_size, stride=patch_size, bias=False
        )
        self.refine = conv_block(before + merged_channels, width)

    def join_merged_feature(self, tokens: Tensor, feats: SpatioTemporalRepresentation) -> Tensor:
        """Add the merged feature to tokens [N, D, h', w'], if the head has this path.

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

    def to_heatmaps(self, feature: Tensor, merged_feature: Tensor | None = None) -> Tensor:
        """Decode a feature map.

        Args:
            feature: [N, D, h', w'].
            merged_feature: [N, C, h, w], read by the path at full resolution.

        Returns:
            Heatmaps [N, K, h, w], float32 also under autocast, since NumPy decodes them.
        """
        if self.refine is not None:
            assert merged_feature is not None
            return self.final_layer(self._refine(feature, merged_feature, self.refine)).float()
        if self.upsample is None:
            return HeatmapHead.forward(self, (feature,)).float()
        # In ViTPose the ReLU comes before the upsampling.
        feature, last = feature.relu(), self.final_layer
        if self._is_pointwise:
            # For inference on a CPU, the layer may belong to oneDNN and have no separate weights.
            return F.interpolate(last(feature).float(), scale_factor=self.upsample, mode='bilinear')
        return convolve_upsampled(feature, last.weight, last.bias, self.upsample).float()

    def _refine(self, feature: Tensor, merged_feature: Tensor, refine: nn.Sequential) -> Tensor:
        """Apply ``refine`` to the upsampled feature and the merged feature."""
        if self.upsample is None:
            upsampled = self.conv_layers(self.deconv_layers(feature))
            return refine(torch.cat((upsampled, merged_feature.to(upsampled.dtype)), dim=1))
        convolution: Any
        convolution, *others = refine
        widths = feature.shape[1], merged_feature.shape[1]
        of_feature, of_merged = convolution.weight.split(widths, dim=1)
        both = F.conv2d(merged_feature, of_merged, padding=1) + convolve_upsampled(
            feature.relu(), of_feature, convolution.bias, self.upsample
        )
        for layer in others:
            both = layer(both)
        return both


@register(MODELS)
class FrameHead(DecoderHead):
    """Heatmap head that is applied to every frame of a window alone.

    Its parameters are those of :class:`HeatmapHead`, so that the head of a ViTPose checkpoint
    loads.
    """

    default_init_cfg = HeatmapHead.default_init_cfg

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Decode one feature map [N, D, h', w'] in a tuple to heatmaps [N, K, h, w], float32."""
        return self.to_heatmaps(feats[-1])


@register(MODELS)
class SingleSourceHead(DecoderHead):
    """Heatmap head on one field of the representation, for ablations and baselines.

    With ``frame_feature`` the model is a per-frame estimator, with ``fused_feature`` it has TFF
    only, with ``merged_heatmaps`` (and ``deconv_out_channels=None``: one 1x1 convolution) TKS only.
    If also ``final_layer=None``, the neck's maps are the final heatmaps.

    Args:
        source: Name of the field of :class:`SpatioTemporalRepresentation` to read.
        **kwargs: Arguments of :class:`DecoderHead`.
    """

    # Larger than in other heads, so that the gradient reaches the source.
    final_std = 0.01

    def __init__(self, source: str, **kwargs: Any) -> None:
        require_choice('source', source, SOURCES)
        super().__init__(**kwargs)
        self.source = source

    def forward(self, feats: SpatioTemporalRepresentation) -> Tensor:
        """Decode the source to heatmaps [N, K, h, w], float32.

        Raises:
            InputError: If the neck does not provide the source.
        """
        source = getattr(feats, self.source)
        if source is None:
            raise InputError(f'the neck does not provide {self.source!r} to the head')
        return self.to_heatmaps(source)
