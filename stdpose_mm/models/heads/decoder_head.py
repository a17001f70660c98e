from __future__ import annotations

from typing import Any

from mmpose.models.heads import HeatmapHead
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers import convolve_upsampled


class DecoderHead(HeatmapHead):
    """Heatmap head with the choice between ViTPose's classic and simple decoder.

    The classic decoder are the deconvolutions of :class:`HeatmapHead`. The simple one is a ReLU,
    bilinear upsampling and one convolution; its parameters are ``final_layer.weight`` and
    ``final_layer.bias``, as in released checkpoints.

    Args:
        *args: Arguments of :class:`HeatmapHead`.
        upsample: Factor of the simple decoder's upsampling; ``None`` for the classic decoder.
        **kwargs: Arguments of :class:`HeatmapHead`. With the simple decoder
            ``deconv_out_channels`` is ``None``, and ``final_layer`` has a 3x3 kernel by default.

    Raises:
        InputError: If both decoders are asked for, or the factor is no size.
    """

    def __init__(self, *args: Any, upsample: int | None = None, **kwargs: Any) -> None:
        if upsample is not None:
            if upsample < 1:
                raise InputError(f'upsample must be at least 1, got {upsample}')
            if kwargs.get('deconv_out_channels'):
                raise InputError(
                    f'upsample={upsample} takes the place of deconvolutions, but '
                    f'deconv_out_channels is {tuple(kwargs["deconv_out_channels"])}, set one of '
                    'both to None'
                )
            kwargs.update(deconv_out_channels=None, deconv_kernel_sizes=None)
            kwargs.setdefault('final_layer', dict(kernel_size=3, padding=1))
        super().__init__(*args, **kwargs)
        self.upsample = upsample

    def to_heatmaps(self, feature: Tensor) -> Tensor:
        """Decode a feature map.

        Args:
            feature: [N, D, h', w'].

        Returns:
            Heatmaps [N, K, h, w], float32 under autocast too (they are decoded by NumPy).
        """
        if self.upsample is None:
            return HeatmapHead.forward(self, (feature,)).float()
        last = self.final_layer
        # In ViTPose the ReLU comes before the upsampling.
        return convolve_upsampled(feature.relu(), last.weight, last.bias, self.upsample).float()
