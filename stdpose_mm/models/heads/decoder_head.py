from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmpose.models.heads import HeatmapHead
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers import convolve_upsampled


class DecoderHead(HeatmapHead):
    """Heatmap head with a choice of decoders.

    ViTPose's classic decoder are the deconvolutions of :class:`HeatmapHead`. Its simple one is a
    ReLU, bilinear upsampling and one convolution; the parameters are ``final_layer.weight`` and
    ``final_layer.bias``, as in released checkpoints. Its maps cannot have a peak between two
    positions of the feature map. Those of the sub-pixel decoder (Shi et al., "Real-Time Single
    Image and Video Super-Resolution") can: one linear layer maps each position to all pixels of
    its patch.

    Args:
        *args: Arguments of :class:`HeatmapHead`.
        upsample: Factor of the upsampling in one step; ``None`` for the classic decoder.
        shuffle_channels: Width of the sub-pixel decoder at the size of the heatmaps; ``None`` for
            the simple decoder.
        **kwargs: Arguments of :class:`HeatmapHead`. With ``upsample``, ``deconv_out_channels`` and
            ``conv_out_channels`` are ``None``, and ``final_layer`` has a 3x3 kernel by default.

    Raises:
        InputError: If several decoders are configured, the factor is invalid, or there is no final
            layer to upsample.
    """

    final_layer: Any

    def __init__(
        self,
        *args: Any,
        upsample: int | None = None,
        shuffle_channels: int | None = None,
        **kwargs: Any,
    ) -> None:
        if shuffle_channels is not None and upsample is None:
            raise InputError(
                f'shuffle_channels={shuffle_channels} needs upsample, set it to the size of the '
                'heatmaps relative to the feature'
            )
        if upsample is not None:
            if upsample < 1:
                raise InputError(f'upsample must be at least 1, got {upsample}')
            if kwargs.get('deconv_out_channels'):
                raise InputError(
                    f'upsample={upsample} takes the place of deconvolutions, but '
                    f'deconv_out_channels is {tuple(kwargs["deconv_out_channels"])}, set one of '
                    'both to None'
                )
            if kwargs.get('conv_out_channels'):
                raise InputError(
                    f'upsample={upsample} has no convolutions before the final layer, but '
                    f'conv_out_channels is {tuple(kwargs["conv_out_channels"])}, set one of both '
                    'to None'
                )
            kwargs.update(deconv_out_channels=None, deconv_kernel_sizes=None)
            kwargs.setdefault('final_layer', dict(kernel_size=3, padding=1))
        super().__init__(*args, **kwargs)
        if upsample is not None and isinstance(self.final_layer, nn.Identity):
            raise InputError(f'upsample={upsample} needs a final_layer, got None')
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

    def to_heatmaps(self, feature: Tensor) -> Tensor:
        """Decode a feature map.

        Args:
            feature: [N, D, h', w'].

        Returns:
            Heatmaps [N, K, h, w], float32 under autocast too (they are decoded by NumPy).
        """
        if self.upsample is None:
            return HeatmapHead.forward(self, (feature,)).float()
        # In ViTPose the ReLU comes before the upsampling.
        feature, last = feature.relu(), self.final_layer
        if self._is_pointwise:
            # For inference on a CPU the layer may be a packed one, without weights to take apart.
            return F.interpolate(last(feature).float(), scale_factor=self.upsample, mode='bilinear')
        return convolve_upsampled(feature, last.weight, last.bias, self.upsample).float()
