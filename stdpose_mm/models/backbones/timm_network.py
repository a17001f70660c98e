from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError, one_line


@MODELS.register_module()
class TimmNetwork(nn.Module):
    """A network of timm that was trained on ImageNet.

    Args:
        model_name: Name of the model in timm, such as 'tf_efficientnet_lite0'.
        pretrained: True: timm downloads the weights when a training starts, and stores them. A
            path: they are read from this file of the whole model, in timm's order, whatever their
            names are. False: they are random.
        out_indices: Levels of the maps to return; mostly, level i has a stride of 2 ** (i + 1).

    Raises:
        InputError: If timm is not installed, cannot build the model, or has no such weights.
    """

    def __init__(
        self,
        model_name: str,
        pretrained: bool | str = False,
        out_indices: Sequence[int] = (1, 2, 3),
    ) -> None:
        super().__init__()
        self.model_name, self.pretrained, self.out_indices = model_name, pretrained, out_indices
        self.network = self._build(False)
        self.channels = self.network.feature_info.channels()
        self.strides = self.network.feature_info.reduction()

    def init_weights(self) -> None:
        """Load the pretrained weights."""
        self.network.load_state_dict(self._build(self.pretrained).state_dict())

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the maps of images [N, 3, H, W]."""
        return self.network(images)

    def _build(self, pretrained: bool | str) -> Any:
        try:
            import timm
        except ImportError as error:
            raise InputError('TimmNetwork needs timm, install it with pip install timm') from error
        options: dict[str, Any] = dict(features_only=True, out_indices=self.out_indices)
        try:
            if isinstance(pretrained, str):
                whole = timm.create_model(self.model_name)
                timm.models.load_checkpoint(whole, pretrained, remap=True, weights_only=True)
                options['pretrained_cfg_overlay'] = {'state_dict': whole.state_dict()}
            return timm.create_model(self.model_name, bool(pretrained), **options)
        # timm, the hub that it downloads from and PyTorch raise errors of many classes.
        except Exception as error:
            raise InputError(
                f'timm cannot build {self.model_name} with pretrained={pretrained!r} '
                f'({one_line(error)}), give another model_name or its own weights'
            ) from error
