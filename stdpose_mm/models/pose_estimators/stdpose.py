from __future__ import annotations

from typing import Any

import torch
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import SpatioTemporalRepresentation

from .window_pose_estimator import WindowPoseEstimator, key_targets


@MODELS.register_module()
class STDPose(WindowPoseEstimator):
    """STDPose (Jiao et al., AAAI 2025), which merges heatmaps and fuses features over time.

    The total loss (Eq. 5) is the head's heatmap loss (Eq. 4) and the mutual information objective.

    Args:
        *args: Arguments of :class:`WindowPoseEstimator`.
        mi_loss: Config of the mutual information objective, or ``None``.
        **kwargs: Arguments of :class:`WindowPoseEstimator`.

    Raises:
        InputError: If there is a ``mi_loss`` but no neck, or a literal one but no frame head.
    """

    def __init__(self, *args: Any, mi_loss: dict | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if mi_loss is not None and not self.with_neck:
            raise InputError('a mi_loss needs a neck, got neck=None')
        self.mi_loss: Any = MODELS.build(mi_loss) if mi_loss else None
        if mi_loss and mi_loss.get('estimator') == 'literal' and self.frame_head is None:
            raise InputError("a mi_loss with estimator='literal' needs a frame_head, got None")

    def representation_losses(
        self,
        representation: SpatioTemporalRepresentation,
        windows: list[PoseDataSample],
        windows_per_sample: int,
    ) -> dict[str, Tensor]:
        """Compute the mutual information objective (Eq. 2)."""
        if self.mi_loss is None:
            return {}
        is_literal = self.mi_loss.estimator == 'literal'
        predictions = self._predictions(representation) if is_literal else ()
        return self.mi_loss(representation, *key_targets(windows), windows_per_sample, *predictions)

    def _predictions(self, representation: SpatioTemporalRepresentation) -> tuple[Tensor, Tensor]:
        """Predict H-bar, which the head's loss does not return, and decode F~ [N, K, h, w]."""
        is_training = self.frame_head.training
        # In training mode, F~ would change the statistics that decode single frames.
        self.frame_head.eval()
        with torch.no_grad():
            fused_heatmaps = self.frame_head.forward((representation.fused_feature,))
        self.frame_head.train(is_training)
        return self.head.forward(representation), fused_heatmaps
