from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class ForegroundMSELoss(nn.Module):
    """Squared error of heatmaps (Eq. 4) with a larger weight for the foreground.

    ``(o - G)^2 * (1 + foreground_weight * G)``, summed over the pixels of a map and averaged over
    the maps that count. Unlike a mean over pixels it does not shrink with the heatmap's size, and
    unlabelled joints do not dilute it.

    Args:
        foreground_weight: Extra weight of a pixel whose target is 1.
        use_target_weight: Whether to weight every map by its target weight and average over the
            maps with a weight above zero; otherwise all maps are averaged.
        loss_weight: Factor of the loss.
    """

    def __init__(
        self,
        foreground_weight: float = 10.0,
        use_target_weight: bool = True,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.foreground_weight = foreground_weight
        self.use_target_weight = use_target_weight
        self.loss_weight = loss_weight

    def forward(
        self, output: Tensor, target: Tensor, target_weights: Tensor | None = None
    ) -> Tensor:
        """Compute the loss.

        Args:
            output: Predicted heatmaps [N, K, h, w].
            target: Target heatmaps [N, K, h, w].
            target_weights: Weights of the joints [N, K].

        Returns:
            Scalar; 0 if no joint counts.
        """
        per_map = self.errors_of_maps(output.float(), target.float())
        if self.use_target_weight and target_weights is not None:
            counted = (target_weights > 0).sum().clamp(min=1)
            loss = (per_map * target_weights).sum() / counted
        else:
            loss = per_map.mean()
        return loss * self.loss_weight

    def errors_of_maps(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute the error of every map [N, K] of [N, K, h, w], both float32."""
        weighted = (output - target).square() * (1 + self.foreground_weight * target)
        return weighted.flatten(2).sum(-1)


@MODELS.register_module()
class ForegroundKLLoss(ForegroundMSELoss):
    """:class:`ForegroundMSELoss` plus the divergence of each map from its target as distributions.

    It adds ``divergence_weight * KL(softmax(sharpness * G) || softmax(sharpness * o))``, over the
    pixels of a map. A wrong peak affects the squared error only at its own pixels; in the
    divergence it competes with the right one, like classes do. Both terms are minimal for o = G.
    Beyond the paper.

    Args:
        *args: Arguments of :class:`ForegroundMSELoss`.
        divergence_weight: Weight of the divergence, in nats.
        sharpness: Factor of the maps before the softmax. For a target with a peak of 1, pixels far
            from the peak have ``exp(-sharpness)`` times its probability.
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
