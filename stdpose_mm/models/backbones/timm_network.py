from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.registration import register


@register(MODELS)
class TimmNetwork(nn.Module):
    """A network of timm that was trained on ImageNet.

    Args:
        model_name: Name of the model in timm, such as 'tf_efficientnet_lite0'.
        pretrained: True: timm downloads the weights when a training starts, and stores them. A
            path: they are read from this file of the whole model, in timm's order, whatever their
            names are. False: they are random.
        **options: Arguments of ``timm.create_model``, such as ``out_indices``, the levels of the
            maps to return (all by default; mostly, level i has a stride of 2 ** (i + 1)).

    Raises:
        InputError: If timm is not installed, cannot build the model, or has no such weights.
    """

    def __init__(self, model_name: str, pretrained: bool | str = False, **options: Any) -> None:
        super().__init__()
        self.settings = dict(model_name=model_name, features_only=True, **options)
        self.pretrained = pretrained
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

            network = timm.create_model(**self.settings, pretrained=pretrained is True)
            if isinstance(pretrained, str):
                # The file also has the layers after the features.
                timm.models.load_checkpoint(network, pretrained, remap=True, weights_only=True)
        except ImportError as error:
            raise InputError('TimmNetwork needs timm, install it with pip install timm') from error
        # timm, the hub that it downloads from and PyTorch raise errors of many classes.
        except Exception as error:
            raise InputError(
                f'timm cannot build {self.settings} with pretrained={pretrained!r} '
                f'({one_line(error)}), give another model or its own weights'
            ) from error
        return network
