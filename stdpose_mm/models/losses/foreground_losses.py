from __future__ import annotations

import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.registration import register

FOREGROUND_WEIGHT = 10.0
"""Extra weight of a pixel whose target is 1."""

SHARPNESS = 10.0
"""Factor of the maps before a softmax. For a target with a peak of 1, pixels far from the peak have
``exp(-SHARPNESS)`` times its probability."""


@register(MODELS)
class ForegroundMSELoss(nn.Module):
    """Squared error of heatmaps (Eq. 4) with a larger weight for the foreground.

    ``(o - G)^2 * (1 + 10 G)``, summed over the pixels of a map; the maps are weighted by their
    target weights and averaged over those with a weight above zero. Unlike a mean over pixels it
    does not shrink with the heatmap's size, and unlabelled joints do not dilute it.
    """

    def forward(self, output: Tensor, target: Tensor, target_weights: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            output: Predicted heatmaps [N, K, h, w].
            target: Target heatmaps [N, K, h, w].
            target_weights: Weights of the joints [N, K].

        Returns:
            Scalar; 0 if no joint counts.
        """
        per_map = self.errors_of_maps(output.float(), target.float())
        counted = (target_weights > 0).sum().clamp(min=1)
        return (per_map * target_weights).sum() / counted

    def errors_of_maps(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute the error of every map [N, K] of [N, K, h, w], both float32."""
        weighted = (output - target).square() * (1 + FOREGROUND_WEIGHT * target)
        return weighted.flatten(2).sum(-1)


@register(MODELS)
class ForegroundKLLoss(ForegroundMSELoss):
    """:class:`ForegroundMSELoss` plus the divergence of each map from its target as distributions.

    It adds ``divergence_weight * KL(softmax(10 G) || softmax(10 o))``, over the
    pixels of a map. A wrong peak affects the squared error only at its own pixels; in the
    divergence it competes with the right one, like classes do. Both terms are minimal for o = G.
    Beyond the paper.

    Args:
        divergence_weight: Weight of the divergence, in nats.
    """

    def __init__(self, divergence_weight: float) -> None:
        super().__init__()
        self.divergence_weight = divergence_weight

    def errors_of_maps(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute the error of every map [N, K] of [N, K, h, w], both float32."""
        predicted, wanted = (
            (SHARPNESS * maps.flatten(2)).log_softmax(-1) for maps in (output, target)
        )
        divergence = F.kl_div(predicted, wanted, reduction='none', log_target=True).sum(-1)
        return super().errors_of_maps(output, target) + self.divergence_weight * divergence
