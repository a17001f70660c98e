from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from .foreground_mse_loss import ForegroundMSELoss


@MODELS.register_module()
class ForegroundKLLoss(ForegroundMSELoss):
    """:class:`ForegroundMSELoss`, and how far each map is from its target as a distribution.

    Adds ``divergence_weight * KL(softmax(sharpness * G) || softmax(sharpness * o))``, over the
    pixels of a map. A wrong peak costs squared error at its own pixels only; in the divergence it
    competes with the right one, as classes do. Both terms are least for o = G. Beyond the paper.

    Args:
        *args: Arguments of :class:`ForegroundMSELoss`.
        divergence_weight: Weight of the divergence, in nats.
        sharpness: Factor of the maps before the softmax. Of a target with a peak of 1, the pixels
            far from it have ``exp(-sharpness)`` times the probability of the peak.
        **kwargs: Arguments of :class:`ForegroundMSELoss`.
    """

    def __init__(
        self, *args: Any, divergence_weight: float, sharpness: float = 10.0, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.divergence_weight = divergence_weight
        self.sharpness = sharpness

    def errors_of_maps(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute the error of every map [N, K] of [N, K, h, w], both float32."""
        predicted, wanted = (
            (self.sharpness * maps.flatten(2)).log_softmax(-1) for maps in (output, target)
        )
        divergence = F.kl_div(predicted, wanted, reduction='none', log_target=True).sum(-1)
        return super().errors_of_maps(output, target) + self.divergence_weight * divergence
