from __future__ import annotations

from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class ForegroundMSELoss(nn.Module):
    """Squared error of heatmaps (Eq. 4) with a higher weight of the foreground.

    ``(o - G)^2 * (1 + foreground_weight * G)``, summed over the pixels of a map and averaged over
    the maps that count. Unlike a mean over pixels it does not shrink with the heatmap's size, and
    unlabelled joints do not dilute it.

    Args:
        foreground_weight: Extra weight of a pixel whose target is 1.
        use_target_weight: Weigh every map by its target weight and average over the maps with a
            weight above zero; otherwise average over all maps.
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
